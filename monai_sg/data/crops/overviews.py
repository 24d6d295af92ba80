"""Whole images at a small size, for the auto-encoder that finds similar patients."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.transforms import Transform

from ..cache.volume_cache import VolumeCache
from ..records import SPLITS, Datalist

logger = logging.getLogger(__name__)


def overview_records(datalist: Datalist, cache: VolumeCache, split: str) -> list[dict[str, str]]:
    """Return ``{"id"}`` of each image of a split that the cache could read.

    Where no patient is left for validation the training images are validated on, and the log says so.

    Raises:
        ValueError: ``split`` is none of training, validation and test.
    """
    if split not in SPLITS:
        raise ValueError(f"Split {split!r} is unknown; take one of {SPLITS}.")
    readable = set(cache.ids)
    records = [{"id": record["id"]} for record in getattr(datalist, split) if record["id"] in readable]
    if split == "validation" and not records:
        logger.warning("No validation image can be used, so the training images are validated on.")
        return overview_records(datalist, cache, "training")
    return records


class ReadOverviewd(Transform):
    """Add the whole image, resized, to a record with an ``id``.

    ``image`` becomes float32 ``(1, *size)`` in physical units (HU for CT).

    Args:
        cache: the images.
        size: voxels per axis.
    """

    def __init__(self, cache: VolumeCache, size: Sequence[int]) -> None:
        self.cache = cache
        self.size = tuple(size)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the record with its ``image``."""
        image = torch.from_numpy(self.cache.overview(data["id"], self.size))
        return {**data, "image": image[None]}
