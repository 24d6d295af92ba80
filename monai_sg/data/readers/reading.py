"""One image as it is stored, on its own axes, whatever its format."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .dicom import is_dicom, open_film
from .files import check_image, check_place, open_file
from .formats import DICOM, SUFFIXES, UnusableImageError, suffix_of, unreadable
from .opened import MIN_SLICES, ImageHeader, OpenImage
from .series import open_series
from .stacks import is_pattern, open_stack

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StoredImage:
    """``values`` of shape ``(*spatial)``, or ``(*spatial, channels)`` where there are several, in a real type.

    ``affine`` is 4x4, voxel to RAS mm; ``num_axes`` is the number of spatial axes; for the rest see `OpenImage`.
    """

    values: np.ndarray
    affine: np.ndarray
    num_axes: int
    unoriented: str = ""
    codes: tuple[int, int] = (1, 1)
    sheared: tuple[tuple[int, ...], np.ndarray] | None = None


def open_source(source: Path, series: str | None = None, is_label: bool = False) -> OpenImage:
    """Read the headers of one image, by which it is counted and by which it is read.

    Args:
        source: an image file, or a folder of DICOM files or pictures.
        series: which one in the folder: a SeriesInstanceUID, or the pattern of a stack such as ``slice_*.png``. A
            folder with one DICOM series needs none.
        is_label: whether the values name things, so that none is replaced and palette pictures keep their indices.

    Raises:
        UnusableImageError: the image cannot be used, with the reason.
    """
    try:
        if source.is_dir():
            return open_stack(source, series or "", is_label) if is_pattern(series) else open_series(source, series)
        if suffix_of(source) in SUFFIXES:
            return open_file(source, is_label)
        if suffix_of(source) in DICOM or is_dicom(source):
            return open_film(source)
    except UnusableImageError:
        raise
    except Exception as error:  # as in `open_file`
        raise unreadable(error) from error
    raise UnusableImageError(f"is of no known format, which are DICOM and {', '.join(SUFFIXES)}")


def header_of(source: Path, series: str | None = None, unoriented: bool = False) -> ImageHeader:
    """Return shape and spacing of an image of grey values, from headers only; see `open_source` and `check_image`."""
    return check_image(open_source(source, series), unoriented).header


def read_image(
    source: Path, series: str | None = None, is_label: bool = False, unoriented: bool = False
) -> StoredImage:
    """Read one image as `read_volume` does, before it is turned and stored.

    Args:
        source: see `open_source`.
        series: see `open_source`.
        is_label: see `open_source`; a label may lack an orientation, which is told when it is laid on its image.
        unoriented: take the axes of an image without orientation as they are stored.

    Raises:
        UnusableImageError: the image has a single value, hardly any that is finite, a shape that is neither 2D nor 3D,
            or no orientation.
    """
    image = open_source(source, series, is_label)
    if not is_label:
        check_place(image, unoriented)
    try:
        values = image.read()
    except UnusableImageError:
        raise
    except Exception as error:  # as in `open_file`
        raise unreadable(error) from error
    values = values if is_label else _finite(values, source)
    return StoredImage(values, image.affine, len(image.shape), image.unoriented, image.codes, image.sheared)


def _finite(values: np.ndarray, source: Path) -> np.ndarray:
    """Replace NaN and infinite voxels by the smallest finite value; refuse hardly any finite ones and constant images.

    Where nothing was measured many programs write NaN, outside the brain for example, so their share does not count.
    """
    low, high = values.min(), values.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        finite = np.isfinite(values)
        number = int(finite.sum())
        if number < MIN_SLICES**values.ndim:
            raise UnusableImageError(f"has only {number} voxels of {values.size} that are not NaN or infinite")
        low, high = values[finite].min(), values[finite].max()
        logger.warning(f"{source}: {1 - number / values.size:.2%} of the voxels are NaN or infinite; set to {low:g}.")
        values = np.where(finite, values, low)
    if low == high:
        raise UnusableImageError(f"has the same value {low:g} in every voxel")
    return values
