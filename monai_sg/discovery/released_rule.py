"""Where the released code of Semantic Genesis allows a crop: away from the borders and mostly in air or lung."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..data.cache.volume_cache import VolumeCache
from .summed_volume import box_sums, summed_volume

LOOK_AHEAD = 3
"""Slices that are kept free beyond a crop, so that the tissue rule can look at the next ones."""


def corner_range(
    shape: NDArray[np.int64], size: NDArray[np.int64], border: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the lowest and highest corner (d) of a crop that keeps ``border`` voxels from every side.

    The highest is ``shape - border - size - 1``, less three slices along the last of three axes; it is below the
    lowest along an axis on which the image is too short.

    Args:
        shape: voxels of the image (d).
        size: voxels of the crop (d).
        border: voxels to each side (d).
    """
    ahead = np.asarray([0, 0, LOOK_AHEAD])[: len(shape)]
    return np.asarray(border, dtype=np.int64), shape - np.asarray(border) - size - 1 - ahead


def tissue_share(cache: VolumeCache, name: str, boxes: NDArray[np.int64], threshold: float) -> NDArray[np.float64]:
    """Return the share (M) of soft tissue in boxes (M, d, 2) of one volume, which is read once.

    A voxel that reaches the threshold counts 1, one whose neighbour in the next slice does 1/2, all others 0; the mean
    over the box is the share. In two dimensions there is no next slice.

    Args:
        cache: the cached images.
        name: id of the volume.
        boxes: half-open, in voxels; what lies outside the volume is no tissue.
        threshold: physical value from which a voxel is soft tissue, -150 HU in the released code.
    """
    channel = cache.channel(name)
    inside = np.clip(boxes, 0, np.asarray(channel.stored.shape)[:, None])
    low, stop = inside[..., 0].min(0), inside[..., 1].max(0)
    last = np.minimum(stop + [0, 0, 1][: len(stop)], channel.stored.shape)
    region = channel.stored[tuple(slice(*ends) for ends in zip(low, last, strict=True))]
    dense = region >= (threshold - channel.offset) / channel.scale
    score = 2 * dense.astype(np.uint8)
    if dense.ndim == 3:
        score[..., :-1] |= dense[..., 1:] & ~dense[..., :-1]
    sums = box_sums(summed_volume(score), inside[..., 0] - low, inside[..., 1] - low)
    return np.asarray(sums / 2 / np.diff(boxes)[..., 0].prod(-1))
