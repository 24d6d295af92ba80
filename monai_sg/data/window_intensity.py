"""Intensities scaled to [0, 1], by the same rule for cached crops and for whole images."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.data.meta_tensor import MetaTensor
from monai.transforms import InvertibleTransform, MapTransform
from monai.utils.enums import TraceKeys

from .cache import VolumeCache
from .intensity import IntensityRange, checked_range, intensity_window, scaled


class WindowIntensityd(MapTransform, InvertibleTransform):
    """Scale an image ``(1, *spatial)`` to [0, 1], clipped; the inverse, for ``Invertd``, gives the image's own units.

    Args:
        keys: what is scaled.
        intensity_range: physical values that become 0 and 1 (HU for CT), or ``percentile`` or ``zscore`` for a window
            per image, see `intensity_window`.
        cache: where the window of the image ``id`` is looked up, so that all crops of an image share it; ``None``
            takes it from the image given, which must be a whole one.

    Raises:
        ValueError: ``intensity_range`` is neither two numbers nor one of the two names.
    """

    def __init__(self, keys: KeysCollection, intensity_range: IntensityRange, cache: VolumeCache | None = None) -> None:
        super().__init__(keys)
        self.intensity_range = checked_range(intensity_range)
        self.cache = cache

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the record with its images scaled."""
        record = dict(data)
        for key in self.key_iterator(record):
            image = record[key]
            if not isinstance(self.intensity_range, str):
                window = self.intensity_range
            elif self.cache is None:
                window = intensity_window(image[0].cpu().numpy(), self.intensity_range)
            else:
                window = self.cache.window(record["id"], self.intensity_range)
            record[key] = scaled(image, window)
            if isinstance(image, MetaTensor):
                self.push_transform(record[key], extra_info={"window": list(window)})
        return record

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the record with [0, 1] mapped back to the window."""
        record = dict(data)
        for key in self.key_iterator(record):
            low, high = self.pop_transform(record[key])[TraceKeys.EXTRA_INFO]["window"]
            record[key] = record[key] * (high - low) + low
        return record
