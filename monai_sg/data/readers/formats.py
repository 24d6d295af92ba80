"""What the header of an image file says, and why a file cannot be used, without reading its voxels."""

from __future__ import annotations

import gzip
import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import itk
import nibabel as nib
import numpy as np
from PIL import Image

NIFTI = (".nii.gz", ".nii", ".hdr")
ITK = (".mhd", ".mha", ".nrrd", ".nhdr")
NUMPY = (".npy",)
TIFF = (".tif", ".tiff")
PICTURES = (".png", ".jpg", ".jpeg", *TIFF)
SUFFIXES = (*NIFTI, *ITK, *NUMPY, *PICTURES)
ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".xz", ".bz2", ".7z", ".rar")
DATA_OF = {".mhd": (".raw", ".zraw"), ".nhdr": (".raw", ".raw.gz"), ".hdr": (".img",)}
SPACING_FILE = "spacing.txt"
MIN_SLICES = 8
MAX_SHEAR_DEGREES = 1.0
NIFTI_INTENT_LABEL = 1002


class UnusableImageError(ValueError):
    """The image cannot be used; the message is a reason that reads well after its path."""


@dataclass(frozen=True)
class ImageHeader:
    """Number of voxels and their distance in mm along each of the two or three axes."""

    shape: tuple[int, ...]
    spacing: tuple[float, ...]

    @property
    def num_bytes(self) -> int:
        """Bytes of the voxels at 16 bit each."""
        return 2 * prod(self.shape)


def suffix_of(path: Path) -> str:
    """Return the image suffix of a path in lower case (``.nii.gz`` counts as one), or its plain suffix."""
    name = path.name.lower()
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), path.suffix.lower())


def stem_of(path: Path) -> str:
    """Return the file name without its image suffix."""
    suffix = suffix_of(path)
    return path.name[: -len(suffix)] if suffix in SUFFIXES else path.name


def companions(path: Path) -> list[Path]:
    """Return the files beside an image file that belong to it: the data of a header, the spacing of a bare array."""
    suffix = suffix_of(path)
    others = [path.with_suffix(end) for end in DATA_OF.get(suffix, ())]
    if suffix in (*NUMPY, *TIFF):
        others.append(path.with_name(SPACING_FILE))
    return [file for file in others if file.is_file()]


def spacing_in(folder: Path) -> tuple[float, ...] | None:
    """Return mm per axis from ``spacing.txt``, which gives it for the volumes of a folder that do not say it.

    Raises:
        UnusableImageError: the file does not hold three positive numbers.
    """
    file = folder / SPACING_FILE
    if not file.is_file():
        return None
    text = file.read_text(errors="replace").strip()
    try:
        spacing = tuple(float(number) for number in text.replace(",", " ").split())
    except ValueError:
        spacing = ()
    if len(spacing) != 3 or not all(0 < number < float("inf") for number in spacing):
        raise UnusableImageError(f"lies beside a {SPACING_FILE} that reads {text[:40]!r}, not three numbers in mm")
    return spacing


def read_header(path: Path) -> ImageHeader:
    """Read the header of an image file (not DICOM).

    Raises:
        UnusableImageError: the file is not a grey 2D or 3D image that can be read, with the reason.
    """
    suffix = suffix_of(path)
    readers = {**dict.fromkeys(NIFTI, _nifti), **dict.fromkeys(ITK, _itk), **dict.fromkeys(NUMPY, _numpy)}
    try:
        return readers.get(suffix, _picture)(path)
    except UnusableImageError:
        raise
    except Exception as error:  # each library has its own errors; the file is lost for this run, the reason is kept
        raise UnusableImageError(f"cannot be read ({type(error).__name__}: {first_line(error)})") from error


def first_line(error: BaseException) -> str:
    """Return the last non-empty line of an error's text, which for ITK holds the message, cut to 200 characters."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no message"


def check_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Drop trailing axes of length 1 beyond the third and refuse what is neither 2D nor a volume of enough slices."""
    shape = tuple(int(number) for number in shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) > 3:
        raise UnusableImageError(
            f"has {len(shape)} axes {shape}: several channels or time points; store each as a 3D image"
        )
    if len(shape) < 2:
        raise UnusableImageError(f"has shape {shape}; an image has two or three axes")
    if len(shape) == 3 and min(shape) < MIN_SLICES:
        raise UnusableImageError(f"has shape {shape}: {min(shape)} slices, at least {MIN_SLICES} are needed")
    return shape


def _nifti(path: Path) -> ImageHeader:
    image: Any = nib.load(path)
    if not issubclass(type(image), nib.Nifti1Pair):
        raise UnusableImageError("is an Analyze file, whose header does not tell left from right; convert it to NIfTI")
    header = image.header
    dtype = header.get_data_dtype()
    if dtype.fields or dtype.kind == "c":
        raise UnusableImageError(f"holds {'colours (RGB)' if dtype.fields else 'complex numbers'}, not grey values")
    if int(header.get("intent_code", 0)) == NIFTI_INTENT_LABEL:
        raise UnusableImageError("is a label map according to its header (intent code 1002)")
    shape = check_shape(image.shape)
    _check_affine(image.affine)
    _check_length(Path(image.file_map["image"].filename), image.dataobj.offset + prod(image.shape) * dtype.itemsize)
    spacing = np.linalg.norm(image.affine[:3, :3], axis=0)[: len(shape)]
    return ImageHeader(shape, tuple(float(value) for value in spacing))


def _check_affine(affine: np.ndarray) -> None:
    """Refuse an affine (3x3 part or more) that is not a rotation with spacings: singular, not finite or sheared."""
    matrix = np.asarray(affine, dtype=float)[:3, :3]
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-9:
        raise UnusableImageError("has no usable orientation: the affine of its header is singular or not finite")
    columns = matrix / np.linalg.norm(matrix, axis=0)
    cosines = columns.T @ columns - np.eye(3)
    shear = float(np.degrees(np.arcsin(np.clip(np.abs(cosines).max(), 0, 1))))
    if shear > MAX_SHEAR_DEGREES:
        raise UnusableImageError(
            f"has sheared axes ({shear:.1f} degrees, as a tilted gantry gives); resample it to a straight grid first"
        )


def _check_length(path: Path, expected: int) -> None:
    """Refuse a file shorter than its header says; a .gz tells its length in its last four bytes."""
    if path.suffix.lower() != ".gz":
        if path.stat().st_size < expected:
            raise UnusableImageError(f"is cut short: {path.stat().st_size} of {expected} bytes")
        return
    with open(path, "rb") as file:
        file.seek(-4, 2)
        length = int.from_bytes(file.read(4), "little")
    if length == expected % (1 << 32):
        return
    read = 0
    try:
        with gzip.open(path) as stream:
            while block := stream.read(1 << 20):
                read += len(block)
    except (EOFError, OSError, zlib.error) as error:
        raise UnusableImageError("is cut short or damaged: it cannot be unpacked to its end") from error
    if read < expected:
        raise UnusableImageError(f"is cut short: {read} of {expected} bytes")


def _itk(path: Path) -> ImageHeader:
    reader = itk.ImageIOFactory.CreateImageIO(str(path), itk.CommonEnums.IOFileMode_ReadMode)
    if reader is None:
        raise UnusableImageError("cannot be read: ITK does not recognise its format")
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    if (components := reader.GetNumberOfComponents()) > 1:
        raise UnusableImageError(f"holds {components} values per voxel (colours, vectors or complex numbers)")
    shape = [reader.GetDimensions(axis) for axis in range(reader.GetNumberOfDimensions())]
    spacing = [reader.GetSpacing(axis) for axis in range(len(shape))]
    usable = check_shape(shape)
    if len(usable) == 3:
        _check_affine(np.array([reader.GetDirection(axis)[:3] for axis in range(3)]).T * spacing[:3])
    return ImageHeader(usable, tuple(float(value) for value in spacing[: len(usable)]))


def _numpy(path: Path) -> ImageHeader:
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.dtype.kind not in "biuf":
        raise UnusableImageError(f"holds values of type {array.dtype}, not grey values")
    return _without_spacing(path, array.shape)


def _without_spacing(path: Path, shape: Sequence[int]) -> ImageHeader:
    shape = check_shape(shape)
    return ImageHeader(shape, (spacing_in(path.parent) if len(shape) == 3 else None) or (1.0,) * len(shape))


def _picture(path: Path) -> ImageHeader:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(path) as picture:
            if picture.mode == "1":
                raise UnusableImageError("is a black and white picture, hence a mask")
            if not is_grey(picture):
                raise UnusableImageError(f"is a colour picture ({picture.mode}), not grey values")
            sizes = [picture.size, *(page.size for page in further_pages(picture))]
            if other := set(sizes) - {sizes[0]}:
                raise UnusableImageError(f"has pages of different size, {sizes[0]} and {min(other)}")
            return _without_spacing(path, sizes[0] if len(sizes) == 1 else (*sizes[0], len(sizes)))


def further_pages(picture: Image.Image) -> Iterator[Image.Image]:
    """Yield the pages of a TIFF file after the first; each is the same object, moved on."""
    for page in range(1, getattr(picture, "n_frames", 1) if picture.format == "TIFF" else 1):
        picture.seek(page)
        yield picture


def is_grey(picture: Image.Image) -> bool:
    """Return whether a picture has no colours: by its mode, or because they agree, looked at in a reduced copy."""
    if picture.mode in ("L", "LA", "I", "F") or picture.mode.startswith("I;16"):
        return True
    reduced = picture.copy()
    reduced.thumbnail((64, 64))
    colours = np.asarray(reduced.convert("RGB"), dtype=np.int16)
    return bool((np.abs(colours - colours[..., :1]) <= 2).all())
