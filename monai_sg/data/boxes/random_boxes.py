"""Boxes at random places of the body, for pre-training without patterns."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from monai.transforms import RandomizableTransform

from ...utils.errors import UserError
from ..cache.volume_cache import VolumeCache
from ..records import Datalist, checked_split
from .box import Box
from .geometry import crop_shapes, fit_boxes, grid_spacing, stack_geometry


def random_boxes(cache: VolumeCache, datalist: Datalist, split: str = "training", per_image: int = 1) -> list[Box]:
    """Return a box without a place of every cached image of one split, ``per_image`` times, for `RandBodyBoxd`.

    Raises:
        UserError: for an unknown split, or one without cached images.
    """
    cached = set(cache.ids)
    names = [record["id"] for record in getattr(datalist, checked_split(split)) if record["id"] in cached]
    if not names:
        raise UserError(f"None of the {split} images of the data list is in the cache, which skipped {cache.skipped}.")
    return [Box(id=name, box=None) for name in names for _ in range(per_image)]


class RandBodyBoxd(RandomizableTransform):
    """Give a box a random place in the body; `ReadBoxd` comes next.

    It covers as many mm as the crops of a pattern table, is drawn uniformly inside the body box, and centred on it
    along an axis where it is longer.

    Args:
        cache: the cached images.
        size: voxels of the crop.
        spacing: spacing of the crops in mm; ``None`` is the median of the cached images.
    """

    def __init__(self, cache: VolumeCache, size: Sequence[int], spacing: Sequence[float] | None = None) -> None:
        super().__init__(prob=1.0)
        self.cache = cache
        self.size = tuple(size)
        self.spacing = tuple(grid_spacing(cache.spacings).tolist() if spacing is None else spacing)

    def randomize(self, data: str) -> None:
        """Draw the box in the image of this id."""
        super().randomize(None)
        entry = self.cache.entry(data)
        shapes, spacings = stack_geometry([entry], len(self.size))
        sizes = crop_shapes(self.size, self.spacing, spacings)[0]
        body = np.asarray(entry.body_box)
        room = np.maximum(body[:, 1] - body[:, 0] - sizes, 0)
        centre = body.mean(axis=1) + (self.R.random_sample(len(sizes)) - 0.5) * room
        self.box: list[list[int]] = fit_boxes(centre, sizes, shapes[0])[0].tolist()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the box with its place."""
        self.randomize(data["id"])
        return {**data, "box": self.box}
