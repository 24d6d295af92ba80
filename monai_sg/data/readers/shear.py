"""Volumes whose slices are shifted evenly in their plane, as a tilted gantry gives, on a straight grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import affine_transform

PERPENDICULAR = float(np.sin(np.radians(1.0)))
"""Axes with a smaller cosine count as perpendicular."""


def sheared_axis(affine: np.ndarray) -> int | None:
    """Return the axis along which slices are stacked aslant, or ``None`` where all axes are perpendicular.

    It is the one without which the others are perpendicular; of several the one of the largest voxels, then the most
    upright one, so that the order of the axes in a file does not matter.

    Args:
        affine: 4x4, voxel to mm.
    """
    columns = np.asarray(affine[:3, :3], dtype=float)
    lengths = np.linalg.norm(columns, axis=0)
    cosines = np.abs((columns / lengths).T @ (columns / lengths) - np.eye(3))
    if cosines.max() <= PERPENDICULAR:
        return None
    rest = [
        cosines[[other for other in range(3) if other != axis]][:, [o for o in range(3) if o != axis]].max()
        for axis in range(3)
    ]
    fitting = [axis for axis in range(3) if rest[axis] <= PERPENDICULAR] or [int(np.argmin(rest))]
    return max(fitting, key=lambda axis: (round(lengths[axis], 4), abs(columns[2, axis]) / lengths[axis]))


@dataclass(frozen=True)
class _Plan:
    """Axes with the sheared one last, pixels that each slice is shifted by, where the grid begins, size and affine."""

    order: list[int]
    shifts: np.ndarray
    low: np.ndarray
    size: tuple[int, ...]
    affine: np.ndarray


def _plan(shape: Sequence[int], affine: np.ndarray) -> _Plan:
    """Lay out the straight grid; the slice lowest along RAS stays, so that it is the same whichever way axes run."""
    last = sheared_axis(affine)
    order = [0, 1, 2] if last is None else [*(axis for axis in range(3) if axis != last), last]
    columns = affine[:3, order]
    axes = columns[:, :2] / np.linalg.norm(columns[:, :2], axis=0) ** 2
    drift = columns[:, 2] @ axes  # pixels that the next slice lies further along the first two axes
    number = shape[order[2]]
    first = 0 if columns[np.argmax(np.abs(columns[:, 2])), 2] > 0 else number - 1
    shifts = (np.arange(number) - first)[:, None] * drift
    low = high = np.zeros(2)
    if np.abs(shifts).max() < 1:
        shifts = np.zeros_like(shifts)
    else:
        low, high = np.floor(np.minimum(shifts.min(axis=0), 0)), np.ceil(np.maximum(shifts.max(axis=0), 0))
    straight = np.array(affine, dtype=float)
    straight[:3, order[2]] -= columns[:, :2] @ drift
    straight[:3, 3] += columns[:, :2] @ (low + first * drift)
    size = tuple(int(shape[axis] + extra) for axis, extra in zip(order, (*(high - low), 0), strict=True))
    return _Plan(order, shifts, low, size, straight)


def straight_grid(shape: Sequence[int], affine: np.ndarray) -> tuple[tuple[int, ...], np.ndarray]:
    """Return shape and affine of what `straighten` makes of a volume."""
    plan = _plan(shape, affine)
    return tuple(plan.size[plan.order.index(axis)] for axis in range(3)), plan.affine


def straighten(values: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Shift each slice in its plane (linear interpolation) so that its axis is perpendicular to the others.

    The slices stay where they are in space; only the grid along which they are stacked changes, to `straight_grid`. It
    grows so that nothing is cut off, and what is added has the smallest value. Slices that move by less than a pixel
    between the first and the last are not interpolated.

    Args:
        values: array of three axes.
        affine: 4x4, voxel to mm.

    Returns:
        float32 array; ``values`` themselves where nothing is shifted by a pixel.
    """
    plan = _plan(values.shape, affine)
    if not plan.shifts.any():
        return values
    turned = values.transpose(plan.order)
    straight = np.empty(plan.size, dtype=np.float32)
    background = float(values.min())
    for index, shift in enumerate(plan.shifts):
        straight[..., index] = affine_transform(
            turned[..., index].astype(np.float32), [1, 1], plan.low - shift, plan.size[:2], order=1, cval=background
        )
    return straight.transpose(np.argsort(plan.order))
