"""Whole images as boxes, for the auto-encoder that finds similar patients."""

from __future__ import annotations

import logging

from ..cache.volume_cache import VolumeCache
from ..records import Datalist, checked_split
from .box import Box

logger = logging.getLogger(__name__)


def whole_images(datalist: Datalist, cache: VolumeCache, split: str) -> list[Box]:
    """Return each image of a split that the cache could read, for `ReadBoxd`.

    Where no patient is left for validation the training images are validated on, and the log says so.

    Raises:
        UserError: ``split`` is none of training, validation and test.
    """
    readable = set(cache.ids)
    names = [record["id"] for record in getattr(datalist, checked_split(split)) if record["id"] in readable]
    if split == "validation" and not names:
        logger.warning("No validation image can be used, so the training images are validated on.")
        return whole_images(datalist, cache, "training")
    return [Box(id=name, box=None) for name in names]
