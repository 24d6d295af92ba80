"""One image as it is stored: float values on its own axes, whatever its format."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import itk
import numpy as np
from monai.data.image_reader import ImageReader, ITKReader, NibabelReader, NumpyReader, PILReader
from PIL import Image

from .dicom import Slice, is_dicom, series_affine, slices_of_series
from .formats import (
    NIFTI,
    NUMPY,
    PICTURES,
    SUFFIXES,
    TIFF,
    UnusableImageError,
    check_shape,
    first_line,
    is_grey,
    spacing_in,
    suffix_of,
)
from .shear import straighten
from .stacks import is_pattern, read_stack, read_tiff, to_grey

logger = logging.getLogger(__name__)

MAX_NOT_FINITE = 0.5


@dataclass(frozen=True)
class StoredImage:
    """Float32 ``values`` of shape ``(*spatial)``, or ``(*spatial, channels)`` where there are several.

    ``affine`` is 4x4, voxel to RAS mm; ``num_axes`` is the number of spatial axes.
    """

    values: np.ndarray
    affine: np.ndarray
    num_axes: int


def read_image(source: Path, series: str | None = None, is_label: bool = False) -> StoredImage:
    """Read one image as `read_volume` does, before it is turned and stored.

    Args:
        source: an image file, or a folder of DICOM files or pictures.
        series: which one in the folder: a SeriesInstanceUID, or the pattern of a stack such as ``slice_*.png``. A
            folder with one DICOM series needs none.
        is_label: whether the values name things, so that none is replaced and palette pictures keep their indices.

    Raises:
        UnusableImageError: the image has a single value, mostly NaN, or a shape that is neither 2D nor 3D.
    """
    values, affine, has_channels = _load(source, series, is_label)
    *shape, channels = values.shape if has_channels else (*values.shape, 1)
    spatial = check_shape(shape)
    values = values.reshape(*spatial, channels) if channels > 1 else values.reshape(spatial)
    return StoredImage(values if is_label else _finite(values, source), affine, len(spatial))


def _load(source: Path, series: str | None, is_label: bool) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return the image as float32, its 4x4 affine, voxel to RAS mm, and whether the last axis holds channels."""
    suffix = suffix_of(source)
    if source.is_dir() and is_pattern(series):
        return *read_stack(source, series or "", is_label), False
    if source.is_dir():
        return *_from_series(slices_of_series(source, series or "")), False
    if suffix in TIFF:
        return *read_tiff(source, is_label), False
    if suffix in NUMPY:
        values, _, _ = _read(NumpyReader(), source)
        spacing = spacing_in(source.parent) if values.ndim == 3 else None
        return values, np.diag([*(spacing or (1.0, 1.0, 1.0)), 1.0]), False
    if suffix in PICTURES:
        return _read(PILReader(converter=partial(_flat, is_label=is_label)), source)
    if suffix in SUFFIXES:
        return _read(NibabelReader() if suffix in NIFTI else ITKReader(), source)
    return *_from_film(source), False


def _read(reader: ImageReader, source: Path) -> tuple[np.ndarray, np.ndarray, bool]:
    array, meta = reader.get_data(reader.read(source))
    return *_canonical(array, meta), array.ndim > len(meta["spatial_shape"])


def _flat(picture: Image.Image, is_label: bool) -> Image.Image:
    """Return a picture in grey, or in colour where it has some; see `to_grey`."""
    flat = (is_label and picture.mode == "P") or is_grey(picture)
    return to_grey(picture, is_label) if flat else picture.convert("RGB")


def _from_series(slices: list[Slice]) -> tuple[np.ndarray, np.ndarray]:
    """Read slices, given in order, with ITK, which applies the slope and intercept of each."""
    names = [item.file for item in slices]
    try:
        array = itk.array_from_image(itk.imread(names, itk.F)).T
    except RuntimeError as error:
        raise UnusableImageError(_unreadable(slices, error)) from error
    return straighten(array, series_affine(slices))


def _unreadable(slices: list[Slice], error: RuntimeError) -> str:
    """Return why a series cannot be read: the first slice that ITK refuses and how it is compressed."""
    for item in slices:
        try:
            itk.imread(item.file, itk.F)
        except RuntimeError:
            return f"cannot be read: slice {item.path.name} is damaged or compressed in an unknown way ({item.syntax})"
    return f"cannot be read (RuntimeError: {first_line(error)})"


def _from_film(source: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read one DICOM film with ITK, which inverts MONOCHROME1."""
    if not is_dicom(source):
        raise UnusableImageError(f"is of no known format, which are DICOM and {', '.join(SUFFIXES)}")
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
