"""Boxes of equal physical size in images of different spacing: their shape in voxels and their place in the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...utils.errors import UserError
from ..cache.index import CacheEntry


def stack_geometry(entries: Sequence[CacheEntry], ndim: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the shapes (N, d) in voxels and the spacings (N, d) in mm of cached images.

    Raises:
        ValueError: if an image has other than ``ndim`` axes; names it.
    """
    for entry in entries:
        if len(entry.shape) != ndim:
            raise UserError(
                f"{entry.id} has {len(entry.shape)} axes {tuple(entry.shape)}, the crop has {ndim}; give a crop_size "
                "with one number per axis of the images and keep 2D and 3D images in separate folders."
            )
    shapes = np.asarray([entry.shape for entry in entries], dtype=np.int64).reshape(-1, ndim)
    return shapes, np.asarray([entry.spacing for entry in entries], dtype=np.float64).reshape(-1, ndim)


def grid_spacing(spacings: ArrayLike) -> NDArray[np.float64]:
    """Return the spacing of the crops in mm: the median (N, d) -> (d) of the cohort, to six significant digits."""
    median = np.median(np.asarray(spacings, dtype=np.float64), axis=0)
    return np.asarray([float(f"{value:.6g}") for value in median])


def crop_shapes(crop_size: Sequence[int], grid: ArrayLike, spacings: ArrayLike) -> NDArray[np.int64]:
    """Return the voxels (N, d) that cover ``crop_size * grid`` mm in images of ``spacings`` (N, d), at least one."""
    voxels = np.asarray(crop_size) * np.asarray(grid) / np.asarray(spacings, dtype=np.float64)
    return np.maximum(np.floor(voxels + 0.5).astype(np.int64), 1)


def fit_boxes(centres: ArrayLike, sizes: ArrayLike, shapes: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Lay boxes around ``centres`` and shift them into the images.

    On an axis where the image is shorter than the box no shift makes it fit: the box then takes the nearest place at
    which it covers the image, and is marked as padded.

    Args:
        centres: centres in voxels, (..., d).
        sizes: shapes of the boxes in voxels, broadcast against ``centres``.
        shapes: shapes of the images in voxels, broadcast against ``centres``.

    Returns:
        the boxes ``[[start, stop], ...]``, half-open, (..., d, 2); and whether a box is padded, (...).

    Example:
        >>> boxes, padded = fit_boxes([[2.0, 8.0]], [8, 8], [16, 6])
        >>> boxes.tolist(), padded.tolist()
        ([[[0, 8], [-2, 6]]], [True])
    """
    edges = np.asarray(sizes, dtype=np.int64)
    room = np.asarray(shapes, dtype=np.int64) - edges
    corners = np.floor(np.asarray(centres, dtype=np.float64) - edges / 2 + 0.5).astype(np.int64)
    corners = np.clip(corners, np.minimum(room, 0), np.maximum(room, 0))
    padded = np.asarray(np.any(np.broadcast_to(room < 0, corners.shape), axis=-1))
    return np.stack([corners, corners + edges], axis=-1), padded
