"""One image brought to canonical form: RAS axes, finite values, stored as small integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.data.meta_tensor import MetaTensor

from ...transforms.resampling import grid_of_spacing, resample
from ..intensity import HU_AIR
from .channels import read_on_one_grid, split_channels
from .formats import UnusableImageError

UINT16_MAX = 65535
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


def read_volume(
    source: Path, series: str | None = None, spacing: Sequence[float] | None = None, unoriented: bool = False
) -> Volume:
    """Read one image and bring it to canonical form.

    Volumes are turned (axes permuted and flipped) to RAS; only slices of a tilted gantry are interpolated, within
    their plane. ``.npy`` arrays have no header and are taken as they are. Pictures have the axes (x, y), y downwards,
    at 1 mm; stacks of them are axial slices as they are shown. The spacing of arrays and stacks is 1 mm, or that in
    ``spacing.txt`` beside them. DICOM values are in the units of their rescale slope and intercept (HU for CT); films
    are as their header shows them, see `as_shown`.

    Args:
        source: an image file, or a folder of DICOM files or pictures.
        series: see `read_image`.
        spacing: mm per axis to resample to (linear); native spacing if ``None``.
        unoriented: see `read_image`.

    Raises:
        UnusableImageError: the image has a single value (at that spacing), mostly NaN, several channels, or a shape
            that is neither 2D nor 3D.
    """
    channels = read_channels([source], series, spacing, unoriented)
    if len(channels) > 1:
        raise UnusableImageError(f"has {len(channels)} channels; store each as an image of its own")
    return channels[0]


def read_channels(
    sources: Sequence[Path],
    series: str | None = None,
    spacing: Sequence[float] | None = None,
    unoriented: bool = False,
) -> list[Volume]:
    """Read an image of one or more channels and bring each to canonical form, see `read_volume`.

    Args:
        sources: one file or folder with all channels, or several that hold the channels in this order.
        series: see `read_image`; for a single source.
        spacing: see `read_volume`.
        unoriented: see `read_image`.

    Returns:
        a volume per channel, all on the same grid.

    Raises:
        UnusableImageError: as `read_volume`, or the sources are not on one grid.
    """
    images = read_on_one_grid(sources, series, unoriented=unoriented)
    return [_canonical(values, image.affine, spacing) for image in images for values in split_channels(image)]


def _canonical(values: np.ndarray, affine: np.ndarray, spacing: Sequence[float] | None) -> Volume:
    """Turn, resample and store one channel."""
    whole = _is_whole(values)
    if values.ndim == 3:
        turn = nib.io_orientation(affine)
        affine = affine @ nib.orientations.inv_ornt_aff(turn, values.shape)
        values = nib.apply_orientation(values, turn)
    if spacing is not None:
        values, affine = _resample(values, affine, spacing)
        _check_contrast(np.rint(values) if whole else values, spacing)
    array, scale, offset = quantise(values, whole)
    distances = np.linalg.norm(affine[:3, :3], axis=0)[: values.ndim]
    return Volume(array, affine, tuple(round(float(value), 6) for value in distances), scale, offset)


def _meta_tensor(values: np.ndarray, affine: np.ndarray) -> MetaTensor:
    return MetaTensor(torch.from_numpy(np.array(values, dtype=np.float32))[None], affine=torch.from_numpy(affine))


def _is_whole(values: np.ndarray) -> bool:
    """Return whether all values are whole numbers, looked at in pieces in the order of memory."""
    if values.dtype.kind in "iu":
        return True
    line = values.ravel(order="K")
    pieces = (line[start : start + PIECE] for start in range(0, line.size, PIECE))
    return all(np.array_equal(piece, np.rint(piece)) for piece in pieces)


def _resample(values: np.ndarray, affine: np.ndarray, spacing: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Resample to ``spacing``; the centre of the first voxel stays, so that the directions are all that changes."""
    own = np.linalg.norm(affine[:3, :3], axis=0)[: values.ndim]
    grid = grid_of_spacing(values.shape, own.tolist(), spacing)
    affine = affine.copy()
    affine[:3, : values.ndim] *= [line.step for line in grid]
    return resample(values, grid), affine


def _check_contrast(values: np.ndarray, spacing: Sequence[float]) -> None:
    """Refuse an image that resampling has left with a single value."""
    if values.min() == values.max():
        raise UnusableImageError(
            f"has the same value {values.min():g} in every voxel once it is resampled to {tuple(spacing)} mm"
        )


def quantise(values: np.ndarray, whole: bool) -> tuple[np.ndarray, float, float]:
    """Choose the stored type of an image.

    Whole numbers are kept exactly: uint8 up to 255, else int16, else uint16. Values that look like HU (down to -500 or
    below) are rounded to whole numbers even when they are not, so that a resampled CT stays in HU; where metal leaves
    16 bits they are int32. All else is spread over uint16: ``value = stored * scale + offset``.

    Args:
        values: 2D or 3D array.
        whole: whether the image as read held whole numbers only.

    Returns:
        the stored array, scale and offset.
    """
    low, high = float(values.min()), float(values.max())
    like_hu = low <= HU_AIR and high - low > 2 * abs(HU_AIR)
    if whole or like_hu:
        for dtype in (np.uint8, np.int16, np.uint16, *((np.int32,) if like_hu else ())):
            if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
                return _stored(values, dtype, 1.0, 0.0), 1.0, 0.0
    scale = (high - low) / UINT16_MAX
    return _stored(values, np.uint16, scale, low), scale, low


def _stored(values: np.ndarray, dtype: type[np.integer[Any]], scale: float, offset: float) -> np.ndarray:
    """Return values as integers, in the order of C, made slab by slab so that little memory is used."""
    stored = np.empty(values.shape, dtype)
    limits = np.iinfo(dtype)
    for index, slab in enumerate(values):
        if slab.dtype.kind == "f" or scale != 1:
            slab = np.rint((slab.astype(np.float64) - offset) / scale).clip(limits.min, limits.max)
        stored[index] = slab
    return stored
