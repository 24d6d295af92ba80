"""Places chosen in some images and carried to all others by one frame or another; what is read there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ...data.cache.label_maps import labels_on_image
from ...data.cache.volume_cache import VolumeCache
from ...data.intensity import IntensityRange
from ...discovery.coordinates import choose_anchors
from ...discovery.frames import Frames
from ...discovery.rules import CoordinateRules


@dataclass(frozen=True)
class Places:
    """Centres of boxes.

    Attributes:
        references: row of the image that each was chosen in (C).
        centres: (C, d), voxels of that image.
    """

    references: NDArray[np.int64]
    centres: NDArray[np.float64]

    def anchors(self, frames: Frames) -> NDArray[np.float64]:
        """Return the places as coordinates of a frame (C, d)."""
        return np.asarray((self.centres - frames.starts[self.references]) / frames.lengths[self.references])

    def boxes(self, frames: Frames) -> NDArray[np.int64]:
        """Return the boxes (C, N, d, 2) at the same coordinates in all images of a frame."""
        return frames.boxes(self.anchors(frames), np.arange(len(frames.ids)))[0]


def draw_places(
    cache: VolumeCache,
    frames: Frames,
    count: int,
    references: int,
    generator: torch.Generator,
    rules: CoordinateRules,
) -> Places:
    """Choose places as the discovery does, in images drawn at random.

    Args:
        cache: the images.
        frames: the places lie inside the frame of their image.
        count: number of places; fewer if not so many fit.
        references: number of images that they are chosen in.
        generator: draws.
        rules: what a place must fulfil.
    """
    rows = torch.randperm(len(frames.ids), generator=generator)[:references].tolist()
    chosen, anchors = choose_anchors(cache, frames, rows, count, generator, rules)
    return Places(chosen, frames.starts[chosen] + anchors * frames.lengths[chosen])


def read_crops(
    cache: VolumeCache,
    ids: Sequence[str],
    boxes: Mapping[str, NDArray[np.int64]],
    size: Sequence[int],
    intensity_range: IntensityRange,
    labels: Mapping[str, Path],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Read the boxes of several frames, image by image.

    Args:
        cache: the images.
        ids: the images (N).
        boxes: per frame (C, N, d, 2), voxels.
        size: voxels that each box is resized to.
        intensity_range: physical values that become 0 and 1, or a window per image.
        labels: label map of each image that has one; read by nearest neighbour.

    Returns:
        per frame intensities in [0, 1], (C, N, *size), and labels of the same shape, 0 where there is no map.
    """
    shapes = {frame: (*own.shape[:2], *size) for frame, own in boxes.items()}
    crops = {frame: torch.empty(shape) for frame, shape in shapes.items()}
    organs = {frame: torch.zeros(shape, dtype=torch.int32) for frame, shape in shapes.items()}
    for row, name in enumerate(ids):
        volume = labels_on_image(labels[name], cache.entry(name)) if name in labels else None
        for frame, own in boxes.items():
            for place, box in enumerate(own[:, row].tolist()):
                crops[frame][place, row] = cache.scaled(
                    name, torch.from_numpy(cache.read_box(name, box, size)), intensity_range
                )
                if volume is not None:
                    organs[frame][place, row] = torch.from_numpy(label_crop(volume, box, size))
    return crops, organs


def label_crop(labels: NDArray[np.int32], box: Sequence[Sequence[int]], size: Sequence[int]) -> NDArray[np.int32]:
    """Return a box of a label map at ``size`` voxels, each the label at its centre; 0 outside the map."""
    places = [
        start + ((np.arange(length) + 0.5) * (stop - start) / length).astype(np.int64)
        for (start, stop), length in zip(box, size, strict=True)
    ]
    inside = [(place >= 0) & (place < length) for place, length in zip(places, labels.shape, strict=True)]
    crop = np.zeros(tuple(size), dtype=np.int32)
    crop[np.ix_(*inside)] = labels[np.ix_(*(place[kept] for place, kept in zip(places, inside, strict=True)))]
    return crop


def box_around(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the half-open bounding box (d, 2) of a mask that is not empty."""
    found = np.argwhere(mask)
    return np.stack([found.min(axis=0), found.max(axis=0) + 1], axis=1)


def box_overlap(one: ArrayLike, other: ArrayLike) -> float:
    """Return the intersection over union of two boxes (d, 2)."""
    first, second = np.asarray(one), np.asarray(other)
    shared = np.clip(np.minimum(first[:, 1], second[:, 1]) - np.maximum(first[:, 0], second[:, 0]), 0, None).prod()
    return float(shared / (np.diff(first).prod() + np.diff(second).prod() - shared))


def displacement(
    anchors: NDArray[np.float64], one: ArrayLike, other: ArrayLike, spacing: Sequence[float]
) -> NDArray[np.float64]:
    """Return by how many mm along each axis (C, d) coordinates (C, d) move when they count from another box (d, 2)."""
    first, second = (np.asarray(box, dtype=np.float64) for box in (one, other))
    moved = [box[:, 0] + anchors * (box[:, 1] - box[:, 0]) for box in (first, second)]
    return np.asarray((moved[1] - moved[0]) * np.asarray(spacing))
