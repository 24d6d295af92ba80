"""Crops from the cache: at the boxes of a pattern table, or at random boxes."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.transforms import MapTransform, RandomizableTransform

from ..cache.volume_cache import VolumeCache
from ..records import SPLITS, Datalist, PatternTable
from .geometry import crop_shapes, fit_boxes, grid_spacing, stack_geometry

logger = logging.getLogger(__name__)


def pattern_records(table: PatternTable, split: str = "training") -> list[dict[str, Any]]:
    """Return the records ``{"id", "label", "scale", "box"}`` of one split, for `ReadPatternd`.

    Where no patient is left for validation the exact training boxes are validated on, and the log says so.

    Raises:
        ValueError: for an unknown split, or one without boxes.
    """
    records = [dict(record) for record in getattr(table, _split(split))]
    if split == "validation" and not records:
        logger.warning(
            "No validation box was found, so the training boxes are validated on: the losses say nothing about other "
            "patients, and early stopping cannot see over-fitting."
        )
        records = [dict(record) for record in table.training if record["scale"] == 1]
    if not records:
        raise ValueError(
            f"The pattern table has no {split} boxes; give the data list {split} images and discover again."
        )
    return records


def random_box_records(
    cache: VolumeCache, datalist: Datalist, split: str = "training", per_image: int = 1
) -> list[dict[str, Any]]:
    """Return ``{"id"}`` of every cached image of one split, ``per_image`` times, for `RandBoxd`.

    Raises:
        ValueError: for an unknown split, or one without cached images.
    """
    cached = set(cache.ids)
    records = [{"id": record["id"]} for record in getattr(datalist, _split(split)) if record["id"] in cached]
    if not records:
        raise ValueError(f"None of the {split} images of the data list is in the cache, which skipped {cache.skipped}.")
    return [dict(record) for record in records for _ in range(per_image)]


class ReadPatternd(MapTransform):
    """Read the crop of a pattern record from the cache, resampled to ``crop_size``, in physical units.

    ``{"id", "label", "scale", "box"}`` becomes ``{"image": float32 (1, *crop_size), "label": int64 scalar, "id",
    "scale"}``.

    Args:
        cache: the cached images.
        crop_size: voxels of the crop.
        keys: where the crop is put.
    """

    def __init__(self, cache: VolumeCache, crop_size: Sequence[int], keys: str = "image") -> None:
        super().__init__(keys)
        self.cache = cache
        self.crop_size = tuple(crop_size)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the record with its crop."""
        crop = torch.from_numpy(self.cache.read_box(data["id"], data["box"], self.crop_size))[None]
        label = torch.tensor(data["label"], dtype=torch.int64)
        return {**dict.fromkeys(self.keys, crop), "label": label, "id": data["id"], "scale": data["scale"]}


class RandBoxd(RandomizableTransform, MapTransform):
    """Read a crop at a random place of the body, for pre-training without patterns.

    ``{"id"}`` becomes ``{"image": float32 (1, *crop_size), "id", "box"}``. The box covers as many mm as the crops of
    a pattern table; it is drawn uniformly inside the body box, and centred on it along an axis where it is longer.

    Args:
        cache: the cached images.
        crop_size: voxels of the crop.
        spacing: spacing of the crops in mm; ``None`` is the median of the cached images.
        keys: where the crop is put.
    """

    def __init__(
        self, cache: VolumeCache, crop_size: Sequence[int], spacing: Sequence[float] | None = None, keys: str = "image"
    ) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob=1.0)
        self.cache = cache
        self.crop_size = tuple(crop_size)
        if spacing is None:
            spacing = grid_spacing([cache.entry(name).spacing for name in cache.ids]).tolist()
        self.spacing = tuple(spacing)

    def randomize(self, data: str) -> None:
        """Draw the box in the image of this id."""
        super().randomize(None)
        entry = self.cache.entry(data)
        shapes, spacings = stack_geometry([entry], len(self.crop_size))
        sizes = crop_shapes(self.crop_size, self.spacing, spacings)[0]
        body = np.asarray(entry.body_box)
        room = np.maximum(body[:, 1] - body[:, 0] - sizes, 0)
        centre = body.mean(axis=1) + (self.R.random_sample(len(sizes)) - 0.5) * room
        self.box: list[list[int]] = fit_boxes(centre, sizes, shapes[0])[0].tolist()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the record with its crop."""
        self.randomize(data["id"])
        crop = torch.from_numpy(self.cache.read_box(data["id"], self.box, self.crop_size))[None]
        return {**data, **dict.fromkeys(self.keys, crop), "box": self.box}


def _split(name: str) -> str:
    if name not in SPLITS:
        raise ValueError(f"split = {name!r} is unknown; use one of {SPLITS}.")
    return name
