"""Volumes whose slices are shifted evenly in their plane, as a tilted gantry gives, on a straight grid."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import affine_transform


def straighten(values: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shift each slice in its plane (linear interpolation) so that the third axis is perpendicular to the others.

    The slices stay where they are in space; only the grid along which they are stacked changes. The grid grows so that
    nothing is cut off, and what is added has the smallest value. Slices that move by less than a pixel between the
    first and the last are not interpolated.

    Args:
        values: float32 array (x, y, slices).
        affine: 4x4, voxel to mm; the first two axes are perpendicular.

    Returns:
        the array and its affine, without shear.
    """
    columns = affine[:3, :3]
    axes = columns[:, :2] / np.linalg.norm(columns[:, :2], axis=0) ** 2
    drift = columns[:, 2] @ axes  # pixels that the next slice lies further along x and y
    affine = affine.copy()
    affine[:3, 2] -= columns[:, :2] @ drift
    total = drift * (values.shape[2] - 1)
    if np.abs(total).max() < 1:
        return values, affine
    low, high = np.floor(np.minimum(total, 0)), np.ceil(np.maximum(total, 0))
    shape = tuple(int(length) for length in values.shape[:2] + high - low)
    straight = np.empty((*shape, values.shape[2]), dtype=np.float32)
    background = float(values.min())
    for index in range(values.shape[2]):
        straight[..., index] = affine_transform(
            values[..., index], [1, 1], low - drift * index, shape, order=1, cval=background
        )
    affine[:3, 3] += columns[:, :2] @ low
    return straight, affine
