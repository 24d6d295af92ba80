"""Statistics of many boxes of one volume at once, from summed-volume tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data.cache.anatomy import body_mask, shows_ct
from ..data.cache.index import CacheEntry
from ..data.cache.volume_cache import VolumeCache
from ..data.intensity import IntensityRange
from .summed_volume import box_sums, summed_volume

_COARSE_EDGE = 128


@dataclass(frozen=True)
class BoxStatistics:
    """Summed tables of a volume, sampled on every ``strides``-th voxel.

    Attributes:
        strides: voxels between two samples, per axis.
        inside: table of the filled body mask.
        value: table of the intensities, scaled to [0, 1].
        square: table of their squares.
    """

    strides: NDArray[np.int64]
    inside: NDArray[np.float64]
    value: NDArray[np.float64]
    square: NDArray[np.float64]

    def measure(self, boxes: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return, for boxes (M, d, 2) in voxels, the share inside the body and the standard deviation, (M) each.

        What lies outside the volume counts as outside the body.
        """
        boxes = np.asarray(boxes)
        last = np.asarray(self.inside.shape) - 1
        low = np.clip(-(-boxes[..., 0] // self.strides), 0, last - 1)
        high = np.clip(-(-boxes[..., 1] // self.strides), low + 1, last)
        samples = (high - low).prod(axis=-1)
        clipped = np.clip(boxes, 0, (last * self.strides)[:, None])
        covered = np.diff(clipped).prod(axis=(-2, -1)) / np.diff(boxes).prod(axis=(-2, -1))
        mean = box_sums(self.value, low, high) / samples
        variance = box_sums(self.square, low, high) / samples - mean**2
        share = np.minimum(covered, 1) * box_sums(self.inside, low, high) / samples
        return share, np.sqrt(np.maximum(variance, 0))


def box_statistics(cache: VolumeCache, name: str, intensity_range: IntensityRange | None = None) -> BoxStatistics:
    """Read one cached volume once, its first channel on a coarse lattice, and make its tables.

    The body is what is denser than -300 HU, without the table, with everything it encloses in the axial plane, so that
    lungs are inside; in an image that is no CT, it is the body box.

    Args:
        cache: the cached images.
        name: id of the volume.
        intensity_range: physical values of 0 and 1, or a window per image; ``None`` is the range of this volume.
    """
    entry, channel = cache.entry(name), cache.channel(name)
    strides = np.asarray([-(-length // _COARSE_EDGE) for length in entry.shape], dtype=np.int64)
    stored = channel.stored[tuple(slice(None, None, step) for step in strides)]
    values = stored.astype(np.float64) * channel.scale + channel.offset
    low, high = float(values.min()), float(values.max())
    if intensity_range is not None:
        low, high = cache.windows(name, intensity_range)[0]
    scaled = np.clip((values - low) / max(high - low, np.finfo(np.float64).tiny), 0, 1)
    body = _body_mask(entry, values, strides)
    return BoxStatistics(strides, *(summed_volume(of) for of in (body, scaled, scaled**2)))


def _body_mask(entry: CacheEntry, values: NDArray[np.float64], strides: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return the body on the coarse lattice."""
    if shows_ct(values):
        return np.asarray(body_mask(values), dtype=bool)
    body = np.zeros(values.shape, dtype=bool)
    ranges = zip(entry.body_box, strides, strict=True)
    body[tuple(slice(-(-start // step), -(-stop // step)) for (start, stop), step in ranges)] = True
    return body
