"""Pictures as programs show them: turned as the camera says, grey in their own depth, black where it is dark."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from .content import wrong_content
from .formats import NUMPY, TIFF, UnusableImageError, spacing_in, suffix_of
from .opened import OpenImage, opened

WIDTH, LENGTH, ORIENTATION, PHOTOMETRIC = 256, 257, 274, 262
STRIPS, STRIP_BYTES, TILES, TILE_BYTES = 273, 279, 324, 325
TAIL = 4096
ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
TRANSPOSED = (5, 6, 7, 8)


def open_picture(path: Path, is_label: bool = False) -> OpenImage:
    """Read the header of a PNG, JPEG or TIFF file, or of an array as NumPy stores it.

    Axes are (x, y), and (x, y, pages) for TIFF of several pages; their spacing is 1 mm, or that of ``spacing.txt``.

    Raises:
        UnusableImageError: it cannot be used, with the reason.
    """
    if suffix_of(path) in NUMPY:
        return _open_array(path)
    try:
        with _opened_by_pillow(path) as picture:
            _check_end(path, picture)
            sizes = [_size(picture), *(_size(page) for page in further_pages(picture))]
            picture.seek(0) if len(sizes) > 1 else None
            flat = (is_label and picture.mode in ("1", "P")) or is_grey(picture)
            deep = picture.mode.startswith(("I", "F"))
            marked = "is a black and white picture, hence a mask" if picture.mode == "1" else ""
    except UnidentifiedImageError as error:
        raise wrong_content(path, "a picture") from error
    if other := set(sizes) - {sizes[0]}:
        raise UnusableImageError(f"has pages of different size, {sizes[0]} and {min(other)}")
    dtype = np.dtype(np.float32 if deep else np.uint8)
    shape = sizes[0] if len(sizes) == 1 else (*sizes[0], len(sizes))
    spacing = (spacing_in(path.parent) if suffix_of(path) in TIFF and len(shape) == 3 else None) or (1.0, 1.0, 1.0)
    affine = lps_affine(spacing) if len(shape) == 3 else np.eye(4)
    channels = 1 if flat or len(shape) == 3 else 3
    if not flat and len(shape) == 3:
        raise UnusableImageError("has pages in colour, not grey values")
    return opened(shape, affine, partial(_load, path, is_label, flat), channels, dtype, marked=marked)


def _open_array(path: Path) -> OpenImage:
    """Read the header of a ``.npy`` file, whose axes are taken as they are."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        if "mmap length" in str(error) or "truncated" in str(error):
            raise UnusableImageError("is cut short: its voxels end before its header says") from error
        raise wrong_content(path, "a NumPy array of numbers") from error
    if not isinstance(array, np.ndarray):
        raise UnusableImageError("is a ZIP archive of arrays (.npz) by its content; save one array with numpy.save")
    if array.dtype.kind not in "biuf":
        raise UnusableImageError(f"holds values of type {array.dtype}, not grey values")
    shape = array.shape
    while len(shape) > 3 and 1 in (shape[0], shape[-1]):
        shape = shape[1:] if shape[0] == 1 else shape[:-1]
    if len(shape) > 4:
        raise UnusableImageError(f"has {len(shape)} axes {shape}; store each channel and time as a 3D image")
    channels = shape[3] if len(shape) == 4 else 1
    wanted = shape[:3]
    spacing = (spacing_in(path.parent) if len(wanted) == 3 else None) or (1.0, 1.0, 1.0)
    affine = np.diag([*spacing, 1.0])
    return opened(wanted, affine, partial(_load_array, path, shape), channels, array.dtype)


def _load_array(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    values: np.ndarray = np.load(path, allow_pickle=False)
    values = values.astype(np.uint8) if values.dtype.kind == "b" else values
    return values.astype(values.dtype.newbyteorder("="), copy=False).reshape(shape)


def _opened_by_pillow(path: Path) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(path)


def _check_end(path: Path, picture: Image.Image) -> None:
    """Refuse a picture that ends early, told without unpacking it."""
    size = path.stat().st_size
    if end := ENDS.get(str(picture.format)):
        with open(path, "rb") as file:
            file.seek(max(0, size - TAIL))
            if end not in file.read():
                raise UnusableImageError(f"is cut short: the end of the {picture.format} picture is missing")
    tags = getattr(picture, "tag_v2", {})
    for places, lengths in ((STRIPS, STRIP_BYTES), (TILES, TILE_BYTES)):
        ends = [place + length for place, length in zip(tags.get(places, ()), tags.get(lengths, ()), strict=False)]
        if ends and max(ends) > size:
            raise UnusableImageError(f"is cut short: {size} of {max(ends)} bytes")


def _orientation(picture: Image.Image) -> int:
    """Return how the camera was held, 1 to 8, from what stands before the pixels."""
    if "exif" in picture.info:
        exif = Image.Exif()
        exif.load(picture.info["exif"])
        return int(exif.get(ORIENTATION, 1))
    return int(getattr(picture, "tag_v2", {}).get(ORIENTATION, 1))


def _size(picture: Image.Image) -> tuple[int, int]:
    """Return the size once it is turned."""
    tags = getattr(picture, "tag_v2", {})
    width, height = (tags[WIDTH], tags[LENGTH]) if WIDTH in tags else picture.size
    return (height, width) if _orientation(picture) in TRANSPOSED else (width, height)


def _turned(picture: Image.Image) -> Image.Image:
    """Return a picture as the camera was held; recent releases of Pillow turn TIFF themselves while they load it."""
    if _orientation(picture) in TRANSPOSED and hasattr(picture, "filename"):
        picture.filename = ""  # Pillow 13 maps a file that it knows by name into memory with its sides exchanged
    picture.load()
    turn = TURNS.get(_orientation(picture))
    return picture if turn is None else picture.transpose(turn)


def _load(path: Path, is_label: bool, flat: bool) -> np.ndarray:
    with _opened_by_pillow(path) as picture:
        if not flat:
            return np.asarray(_turned(picture).convert("RGB")).transpose(1, 0, 2)
        pages = [grey_values(picture, is_label), *(grey_values(page, is_label) for page in further_pages(picture))]
    return pages[0].T if len(pages) == 1 else np.stack(pages).T


def further_pages(picture: Image.Image) -> Iterator[Image.Image]:
    """Yield the pages of a TIFF file after the first; each is the same object, moved on."""
    for page in range(1, getattr(picture, "n_frames", 1) if picture.format == "TIFF" else 1):
        picture.seek(page)
        yield picture


def is_grey(picture: Image.Image) -> bool:
    """Return whether a picture has no colours: by its mode, or because they agree, looked at in a reduced copy."""
    if picture.mode in ("1", "L", "LA", "I", "F") or picture.mode.startswith("I;16"):
        return True
    reduced = picture.copy()
    reduced.thumbnail((64, 64))
    try:
        colours = np.asarray(reduced.convert("RGB"), dtype=np.int16)
    except ValueError as error:
        raise UnusableImageError(
            f"has colours of the kind {picture.mode}, which are not read; save it as PNG"
        ) from error
    return bool((np.abs(colours - colours[..., :1]) <= 2).all())


def grey_values(picture: Image.Image, is_label: bool = False) -> np.ndarray:
    """Return a picture as (rows, columns) in its own depth; a label map keeps the indices of its palette, or 0 and 1.

    TIFF of 16 bits in which 0 is white, which Pillow leaves as it is, is inverted as it does with 8 bits.
    """
    white_is_zero = getattr(picture, "tag_v2", {}).get(PHOTOMETRIC) == 0
    values = np.asarray(to_grey(_turned(picture), is_label))
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if white_is_zero and values.dtype == np.uint16 and not is_label:
        return np.iinfo(np.uint16).max - values
    return values.astype(np.uint8) if values.dtype == bool else values


def to_grey(picture: Image.Image, is_label: bool = False) -> Image.Image:
    """Return a picture in a grey mode of its own depth, or a label map as it is."""
    if is_label and picture.mode in ("1", "P"):
        return picture
    return picture if picture.mode in ("L", "F", "I") or picture.mode.startswith("I;16") else picture.convert("L")


def lps_affine(spacing: tuple[float, ...]) -> np.ndarray:
    """Return the 4x4 affine, voxel to RAS mm, of axial slices as they are shown.

    Columns run towards the patient's left, rows towards the back and slices upwards, as in an axial DICOM series.
    """
    return np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
