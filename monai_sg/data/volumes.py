"""One image brought to canonical form: RAS axes, finite values, stored as small integers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import itk
import numpy as np
import torch
from monai.data.image_reader import ImageReader, ITKReader, NibabelReader, NumpyReader, PILReader
from monai.data.meta_tensor import MetaTensor
from monai.transforms.spatial.array import Orientation, Spacing

from .dicom import Slice, check_series, is_dicom, read_slice, series_affine, slices_of_series
from .formats import (
    ITK,
    NIFTI,
    NUMPY,
    SUFFIXES,
    TIFF,
    ImageHeader,
    UnusableImageError,
    check_shape,
    first_line,
    read_header,
    spacing_in,
    suffix_of,
)
from .shear import straighten
from .stacks import is_pattern, read_stack, read_tiff, stack_header, to_grey

logger = logging.getLogger(__name__)

MAX_NOT_FINITE = 0.5
UINT16_MAX = 65535
HU_AIR = -500
PIECE = 1 << 20


@dataclass(frozen=True)
class Volume:
    """Stored integers with the numbers that turn them into physical units: ``array * scale + offset``.

    ``array`` has two or three axes; ``affine`` is 4x4, voxel to RAS mm; ``spacing`` is in mm, one per axis.
    """

    array: np.ndarray
    affine: np.ndarray
    spacing: tuple[float, ...]
    scale: float
    offset: float

    @property
    def minimum(self) -> float:
        """The smallest value in physical units, taken as background."""
        return float(self.array.min()) * self.scale + self.offset


def read_volume(source: Path, series: str | None = None, spacing: Sequence[float] | None = None) -> Volume:
    """Read one image and bring it to canonical form.

    Volumes are turned (axes permuted and flipped) to RAS; only slices of a tilted gantry are interpolated, within
    their plane. ``.npy`` arrays have no header and are taken as they are. Pictures have the axes (x, y), y downwards,
    at 1 mm; stacks of them are axial slices as they are shown. The spacing of arrays and stacks is 1 mm, or that in
    ``spacing.txt`` beside them. DICOM values are in the units of their rescale slope and intercept (HU for CT); films
    with inverted grey values (MONOCHROME1) are inverted.

    Args:
        source: an image file, or a folder of DICOM files or pictures.
        series: which one in the folder: a SeriesInstanceUID, or the pattern of a stack such as ``slice_*.png``.
        spacing: mm per axis to resample to (linear); native spacing if ``None``.

    Raises:
        UnusableImageError: the image has a single value, mostly NaN, or a shape that is neither 2D nor 3D.
    """
    values, affine = _load(source, series)
    values = _finite(values.reshape(check_shape(values.shape)), source)
    whole = _is_whole(values)
    if values.ndim == 3:
        turned = cast(MetaTensor, Orientation(axcodes="RAS", labels=None)(_meta_tensor(values, affine)))
        values, affine = np.asarray(turned[0]), np.asarray(turned.affine)
    if spacing is not None:
        values, affine = _resample(values, affine, spacing)
    array, scale, offset = quantise(values, whole)
    distances = np.linalg.norm(affine[:3, :3], axis=0)[: values.ndim]
    return Volume(array, affine, tuple(round(float(value), 6) for value in distances), scale, offset)


def header_of(source: Path, series: str | None = None) -> ImageHeader:
    """Return shape and spacing of an image as stored, from headers only.

    Args:
        source: as in `read_volume`.
        series: as in `read_volume`.

    Raises:
        UnusableImageError: the image cannot be used, with the reason.
    """
    if source.is_dir() and is_pattern(series):
        return stack_header(source, series or "")
    if source.is_dir():
        return check_series(slices_of_series(source, series or ""))
    if suffix_of(source) not in SUFFIXES and is_dicom(source):
        film = read_slice(source)
        return ImageHeader(film.shape, film.spacing or (1.0, 1.0))
    return read_header(source)


def _load(source: Path, series: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the image as float32 and its 4x4 affine, voxel to RAS mm."""
    if source.is_dir() and is_pattern(series):
        return read_stack(source, series or "")
    if source.is_dir():
        return _from_series(slices_of_series(source, series or ""))
    suffix = suffix_of(source)
    if suffix not in SUFFIXES:
        return _from_film(source)
    if suffix in TIFF:
        return read_tiff(source)
    if suffix in NUMPY:
        values, _ = _canonical(*_read(NumpyReader(), source))
        spacing = spacing_in(source.parent) if values.ndim == 3 else None
        return values, np.diag([*(spacing or (1.0, 1.0, 1.0)), 1.0])
    readers = {**dict.fromkeys(NIFTI, NibabelReader()), **dict.fromkeys(ITK, ITKReader())}
    return _canonical(*_read(readers.get(suffix, PILReader(converter=to_grey)), source))


def _read(reader: ImageReader, source: Path) -> tuple[np.ndarray, dict[str, Any]]:
    return reader.get_data(reader.read(source))


def _from_series(slices: list[Slice]) -> tuple[np.ndarray, np.ndarray]:
    """Read slices, given in order, with ITK, which applies the slope and intercept of each."""
    names = [str(item.path) for item in slices]
    try:
        array = itk.array_from_image(itk.imread(names, itk.F)).T
    except RuntimeError as error:
        raise UnusableImageError(_unreadable(slices, error)) from error
    return straighten(array, series_affine(slices))


def _unreadable(slices: list[Slice], error: RuntimeError) -> str:
    """Return why a series cannot be read: the first slice that ITK refuses and how it is compressed."""
    for item in slices:
        try:
            itk.imread(str(item.path), itk.F)
        except RuntimeError:
            return f"cannot be read: slice {item.path.name} is damaged or compressed in an unknown way ({item.syntax})"
    return f"cannot be read (RuntimeError: {first_line(error)})"


def _from_film(source: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read one DICOM film with ITK, which inverts MONOCHROME1."""
    array, meta = ITKReader().get_data(itk.imread(str(source), itk.F))
    return _canonical(array.reshape(array.shape[:2]), meta)


def _canonical(array: np.ndarray, meta: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return float32 values and a 4x4 affine; a 2D image keeps its pixel distances and gets the identity otherwise."""
    given = np.asarray(meta.get("affine", np.eye(4)), dtype=float)
    affine = np.eye(4)
    if array.ndim > 2 and given.shape == (4, 4):
        affine = given
    elif array.ndim == 2:
        affine[[0, 1], [0, 1]] = np.linalg.norm(given[:-1, :2], axis=0)
    return np.array(array, dtype=np.float32), affine


def _meta_tensor(values: np.ndarray, affine: np.ndarray) -> MetaTensor:
    return MetaTensor(torch.from_numpy(values)[None], affine=torch.from_numpy(affine))


def _finite(values: np.ndarray, source: Path) -> np.ndarray:
    """Replace NaN and infinite voxels by the smallest finite value; refuse mostly broken and constant images."""
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        finite = np.isfinite(values)
        share = 1 - finite.mean()
        if share > MAX_NOT_FINITE:
            raise UnusableImageError(f"has NaN or infinite values in {share:.0%} of its voxels")
        low, high = float(values[finite].min()), float(values[finite].max())
        logger.warning(f"{source}: {share:.2%} of the voxels are NaN or infinite and were set to {low:g}.")
        values = np.where(finite, values, np.float32(low))
    if low == high:
        raise UnusableImageError(f"has the same value {low:g} in every voxel")
    return values


def _is_whole(values: np.ndarray) -> bool:
    """Return whether all values are whole numbers, looked at in pieces in the order of memory."""
    line = values.ravel(order="K")
    pieces = (line[start : start + PIECE] for start in range(0, line.size, PIECE))
    return all(np.array_equal(piece, np.rint(piece)) for piece in pieces)


def _resample(values: np.ndarray, affine: np.ndarray, spacing: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Resample to ``spacing`` with MONAI's ``Spacing`` (linear, edge values repeated)."""
    num_axes = values.ndim
    if len(spacing) != num_axes:
        raise ValueError(f"spacing is {tuple(spacing)}, but the image has {num_axes} axes; give {num_axes} numbers.")
    kept = [*range(num_axes), 3]
    image = _meta_tensor(values, affine[np.ix_(kept, kept)])
    resampled = cast(MetaTensor, Spacing(pixdim=tuple(spacing), mode="bilinear", padding_mode="border")(image))
    affine = affine.copy()
    affine[np.ix_(kept, kept)] = np.asarray(resampled.affine)
    return np.asarray(resampled[0]), affine


def quantise(values: np.ndarray, whole: bool) -> tuple[np.ndarray, float, float]:
    """Choose the stored type of an image.

    Whole numbers are kept exactly: uint8 up to 255, else int16, else uint16. Values that look like HU (down to -500 or
    below, within int16) are rounded to int16 even when they are not whole, so that a resampled CT stays in HU. All
    else is spread over uint16: ``value = stored * scale + offset``.

    Args:
        values: 2D or 3D float32 array.
        whole: whether the image as read held whole numbers only.

    Returns:
        the stored array, scale and offset.
    """
    low, high = float(values.min()), float(values.max())
    like_hu = low <= HU_AIR and high - low > 2 * abs(HU_AIR)
    if whole or like_hu:
        for dtype in (np.uint8, np.int16, np.uint16):
            if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
                return np.ascontiguousarray(np.rint(values).astype(dtype)), 1.0, 0.0
    scale = (high - low) / UINT16_MAX
    stored = np.rint((values.astype(np.float64) - low) / scale).clip(0, UINT16_MAX)
    return np.ascontiguousarray(stored.astype(np.uint16)), scale, low
