"""Change of the grid of an image by linear interpolation that averages where the grid gets coarser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..utils.errors import UserError

TIE = 1e-9
"""Voxels; centres between two labels take the further one, whatever they were rounded to."""


class AxisGrid(NamedTuple):
    """Where voxels of a new grid lie on an axis: voxel k at ``offset + k * step``, in voxels of the old grid."""

    size: int
    step: float
    offset: float

    @property
    def places(self) -> np.ndarray:
        """Place of each voxel, ``(size,)`` float64."""
        return self.offset + self.step * np.arange(self.size)

    def reversed(self, size: int) -> AxisGrid:
        """Return where ``size`` voxels of the old grid lie on the new one."""
        return AxisGrid(size, 1 / self.step, -self.offset / self.step)


def grid_of_size(shape: Sequence[int], size: Sequence[int]) -> list[AxisGrid]:
    """Return the grid of ``size`` voxels that keeps the outer faces of an image of ``shape`` where they are.

    Raises:
        ValueError: when a number per axis is missing, or one is below 1.
    """
    if len(size) != len(shape) or min(size) < 1:
        raise UserError(f"The size {tuple(size)} does not fit an image of shape {tuple(shape)}; give one per axis.")
    steps = [old / new for old, new in zip(shape, size, strict=True)]
    return [AxisGrid(int(new), step, (step - 1) / 2) for new, step in zip(size, steps, strict=True)]


def grid_of_spacing(shape: Sequence[int], old: Sequence[float], new: Sequence[float]) -> list[AxisGrid]:
    """Return the grid of another spacing that begins at the centre of the first voxel, as in MONAI's ``Spacing``.

    Args:
        shape: voxels along each axis.
        old: spacing of the image, in mm.
        new: spacing wanted, in mm.

    Raises:
        ValueError: when a number per axis is missing, or one is not positive.
    """
    if len(new) != len(shape) or min(new) <= 0:
        raise UserError(f"spacing is {tuple(new)}, but the image has {len(shape)} axes; give mm above 0 for each.")
    steps = [wanted / own for own, wanted in zip(old, new, strict=True)]
    return [AxisGrid(round((n - 1) / step + 1), step, 0.0) for n, step in zip(shape, steps, strict=True)]


def resize(image: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Resample an image to ``size`` voxels between the same outer faces (`resample`)."""
    return resample(image, grid_of_size(image.shape, size))


def resample(image: np.ndarray, grid: Sequence[AxisGrid], nearest: bool = False) -> np.ndarray:
    """Resample an image to a grid along the same axes.

    Linear interpolation along each axis between voxel centres, with the edge value repeated outside. Along an axis that
    gets coarser, the triangle is widened to the new distance of voxels (the filter of Pillow and of ``antialias=True``
    in PyTorch), so that every voxel counts, nothing aliases and noise falls as it does in thicker slices.

    Args:
        image: array of any type; leading axes beyond those of the grid are channels.
        grid: of each of the last axes.
        nearest: take the nearest voxel instead, for labels.

    Returns:
        array of the new shape, float32, or of the image's own type where ``nearest``.
    """
    for axis, line in enumerate(grid, start=image.ndim - len(grid)):
        if nearest:
            nearby = np.floor(line.places + 0.5 + TIE).astype(np.int64).clip(0, image.shape[axis] - 1)
            image = image.take(nearby, axis)
        elif line != (image.shape[axis], 1.0, 0.0):
            image = _resample_axis(image, axis, line)
    return image if nearest else image.astype(np.float32)


def _resample_axis(image: np.ndarray, axis: int, line: AxisGrid) -> np.ndarray:
    """Add up the voxels below the triangle around each new voxel, from the first one to the last one."""
    index, weight = _triangles(image.shape[axis], line)
    columns = [-1 if other == axis else 1 for other in range(image.ndim)]
    shape = [line.size if other == axis else length for other, length in enumerate(image.shape)]
    out = np.zeros(shape, np.float32)
    for nearby, share in zip(index, weight, strict=True):
        part = image.take(nearby, axis).astype(np.float32, copy=False)
        part *= share.reshape(columns)
        out += part
    return out


def _triangles(length: int, line: AxisGrid) -> tuple[np.ndarray, np.ndarray]:
    """Return the voxels below each triangle and their shares, ``(most, size)``; a voxel outside counts nothing."""
    centre = line.places.clip(0, length - 1)
    width = max(1.0, line.step)
    index = np.ceil(centre - width).astype(np.int64) + np.arange(int(2 * width) + 1)[:, None]
    share = (1 - np.abs(index - centre) / width).clip(0)
    share[(index < 0) | (index >= length)] = 0
    return index.clip(0, length - 1), (share / share.sum(0)).astype(np.float32)
