"""Intensities scaled to [0, 1], by the same rule for cached crops and for whole images."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Protocol

import torch
from monai.config import KeysCollection
from monai.data.meta_tensor import MetaTensor
from monai.transforms import InvertibleTransform, MapTransform
from monai.utils.enums import TraceKeys
from torch import Tensor

from .intensity import IntensityRange, Window, checked_range, foreground_quantiles, intensity_window, scaled
from .window_fit import check_fit

QUANTILES = "quantiles"
"""In the metadata of an image that was scaled: the window, and the `foreground_quantiles` of each channel."""


class Windows(Protocol):
    """What knows the windows of each image, such as a `VolumeCache`."""

    @property
    def quantiles(self) -> Mapping[str, Sequence[Sequence[float]]]:
        """`foreground_quantiles` of each channel, by name."""

    def windows(self, name: str, intensity_range: IntensityRange) -> list[Window]:
        """Return the intensities of each channel of the image ``name`` that become 0 and 1."""


class WindowIntensityd(MapTransform):
    """Scale an image ``(C, *spatial)`` to [0, 1], clipped.

    Args:
        keys: what is scaled.
        intensity_range: physical values that become 0 and 1 (HU for CT), or ``percentile`` or ``zscore`` for a window
            per image and channel, see `intensity_window`.
        cache: where the window of the image ``id`` is looked up, so that all crops of an image share it; ``None``
            takes it from the image given, which must be a whole one. Two numbers have to fit the images, see
            `check_fit`: those of the cache at once; of an image given the metadata keeps ``quantiles``.

    Raises:
        UserError: two numbers do not fit most images of the cache.
        ValueError: ``intensity_range`` is neither two numbers nor one of the two names.
    """

    def __init__(self, keys: KeysCollection, intensity_range: IntensityRange, cache: Windows | None = None) -> None:
        super().__init__(keys)
        self.intensity_range = checked_range(intensity_range)
        self.cache = cache
        if cache is not None and not isinstance(self.intensity_range, str):
            check_fit(cache.quantiles, self.intensity_range)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the record with its images scaled."""
        record = dict(data)
        for key in self.key_iterator(record):
            image = record[key]
            record[key] = self._scale(image, self._windows(image, record))
            if self.cache is None and isinstance(record[key], MetaTensor) and not isinstance(self.intensity_range, str):
                found = [foreground_quantiles(channel.cpu().numpy()) for channel in image.as_tensor()]
                record[key].meta[QUANTILES] = {"window": list(self.intensity_range), "channels": found}
        return record

    def _scale(self, image: Tensor, windows: list[Window]) -> Tensor:
        return scaled(image, per_channel(windows, image))

    def _windows(self, image: Tensor, record: Mapping[Hashable, Any]) -> list[Window]:
        """Return the window of each channel, or one for all."""
        if not isinstance(self.intensity_range, str):
            return [self.intensity_range]
        if self.cache is not None:
            return self.cache.windows(record["id"], self.intensity_range)
        return [intensity_window(channel.cpu().numpy(), self.intensity_range) for channel in image]


class InvertibleWindowIntensityd(WindowIntensityd, InvertibleTransform):
    """As `WindowIntensityd`, with an inverse: ``Invertd`` gives a restored image ``(C, *spatial)`` its own units back.

    A label map or a probability has none, so what is predicted from a `WindowIntensityd` is left as it is.
    """

    def _scale(self, image: Tensor, windows: list[Window]) -> Tensor:
        result = super()._scale(image, windows)
        if isinstance(result, MetaTensor):
            self.push_transform(result, extra_info={"windows": [list(window) for window in windows]})
        return result

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the record with [0, 1] mapped back to the windows."""
        record = dict(data)
        for key in self.key_iterator(record):
            image = record[key]
            low, high = per_channel(self.pop_transform(image)[TraceKeys.EXTRA_INFO]["windows"], image)
            record[key] = image * (high - low) + low
        return record


def per_channel(windows: Sequence[Sequence[float]], image: Tensor) -> tuple[Tensor, Tensor]:
    """Return the lower and the upper values, each ``(C, 1, ...)``, of an image ``(C, *spatial)``."""
    values = torch.tensor(windows, dtype=torch.float32, device=image.device)
    low, high = values.reshape(-1, 2, *[1] * (image.ndim - 1)).unbind(1)
    return low, high
