"""Change of size: of an image by linear interpolation that averages where it shrinks, of labels by the nearest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.functional import interpolate

SLAB = 32


def resize(image: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Resize an image so that its outer faces stay where they are.

    Linear interpolation along each axis between voxel centres, with the edge value repeated outside. Along an axis that
    shrinks, the triangle is widened by the shrink factor (the filter of Pillow and of ``antialias=True`` in PyTorch),
    so that every voxel counts and nothing aliases. PyTorch offers this filter in two dimensions; as it is separable, a
    volume is treated slab by slab in its last two axes and then in the first one.

    Args:
        image: 2D or 3D array.
        size: number of voxels per axis of the result.

    Returns:
        float32 array of shape ``size``.
    """
    if len(size) != image.ndim or min(size) < 1:
        raise ValueError(f"The size {tuple(size)} does not fit an image of shape {image.shape}; give one per axis.")
    if image.ndim == 2:
        return _resize_planes(torch.from_numpy(image.astype(np.float32))[None], size)[0].numpy()
    slabs = [
        _resize_planes(torch.from_numpy(image[start : start + SLAB].astype(np.float32)), size[1:])
        for start in range(0, image.shape[0], SLAB)
    ]
    planes = torch.cat(slabs)
    columns = planes.reshape(1, image.shape[0], -1)
    return _resize_planes(columns, (size[0], columns.shape[-1])).reshape(*size).numpy()


def nearest(labels: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Resize a label map so that its outer faces stay where they are, by the voxel in which each new centre lies.

    Args:
        labels: 2D or 3D array.
        size: number of voxels per axis of the result.
    """
    if len(size) != labels.ndim or min(size) < 1:
        raise ValueError(f"The size {tuple(size)} does not fit labels of shape {labels.shape}; give one per axis.")
    places = [((2 * np.arange(new) + 1) * old) // (2 * new) for new, old in zip(size, labels.shape, strict=True)]
    return labels[np.ix_(*places)]


def _resize_planes(planes: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Resize each plane of a stack (N, H, W) to ``size``."""
    if tuple(planes.shape[1:]) == tuple(size):
        return planes
    if planes.shape[2] == size[1] == 1:  # PyTorch 2.13 repeats the first value along such a column
        return _resize_planes(planes.transpose(1, 2).contiguous(), (1, size[0])).transpose(1, 2)
    return interpolate(planes[None], size=tuple(size), mode="bilinear", align_corners=False, antialias=True)[0]
