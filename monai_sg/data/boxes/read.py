"""The one reader of boxes: crops, whole images, slices, with their label maps."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.transforms import Transform
from torch import Tensor

from ...utils.errors import UserError
from ..cache.volume_cache import VolumeCache
from .box import Box, BoxSource, Extent

KEPT = ("id", "group", "scale")


class ReadBoxd(Transform):
    """Read the part of an image that a `Box` names, resized to ``size``, in physical units (HU for CT).

    ``{"id", "box"}`` becomes ``{"image": float32 (C, *size), "id"}``, with ``label`` (int64), ``group`` and ``scale``
    where the box has them. The whole image is read where ``box`` is ``None``. A box of one voxel along one axis is read
    as a slice where ``size`` has an axis less. What lies outside the image has the background value.

    Args:
        cache: what is read from.
        size: voxels per axis; ``None`` reads boxes at their own.
        label_map: key that the same part of the label map of the image gets, int32 ``(1, *size)``, nearest; ``label``
            takes the place of the number of a class. ``None`` reads none. It needs a `VolumeCache` that was opened with
            label maps.
    """

    def __init__(self, cache: BoxSource, size: Sequence[int] | None = None, label_map: str | None = None) -> None:
        self.cache = cache
        self.size = None if size is None else tuple(size)
        self.label_map = label_map

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the crop with what is known of it."""
        item: dict[Hashable, Any] = {"image": self.image(data)}  # type: ignore[arg-type]
        if "label" in data:
            item["label"] = torch.tensor(data["label"], dtype=torch.int64)
        if self.label_map is not None:
            item[self.label_map] = self._labels(data)  # type: ignore[arg-type]
        return {**item, **{key: data[key] for key in KEPT if key in data}}

    def image(self, box: Box) -> Tensor:
        """Return what a box shows, float32 ``(C, *size)``.

        Raises:
            AbsentError: the array of the image was deleted meanwhile.
            UserError: the array is damaged, or the box does not fit image and size.
        """
        name, extent = box["id"], box["box"]
        if extent is None and self.size is not None:
            return _with_channels(self.cache.overview(name, self.size), len(self.size))
        extent = self._whole(name) if extent is None else extent
        values = self.cache.read_box(name, extent, self._full_size(extent))
        return _with_channels(self._flat(values, extent), len(self.size or extent))

    def _labels(self, box: Box) -> Tensor:
        extent = box["box"] or self._whole(box["id"])
        labels = self._volumes.read_label_box(box["id"], extent, self._full_size(extent))
        return torch.from_numpy(self._flat(labels, extent))[None]

    @property
    def _volumes(self) -> VolumeCache:
        if not isinstance(self.cache, VolumeCache):
            raise TypeError(f"{type(self.cache).__name__} holds crops alone; give size, and label_map None.")
        return self.cache

    def _whole(self, name: str) -> Extent:
        return [[0, length] for length in self._volumes.entry(name).shape]

    def _full_size(self, extent: Extent) -> tuple[int, ...] | None:
        """Return the size with an axis for each of the box."""
        if self.size is None or len(self.size) == len(extent):
            return self.size
        axis = _thin_axis(extent)
        if len(self.size) != len(extent) - 1 or axis is None:
            raise UserError(
                f"The box {extent} does not fit the size {list(self.size)}: give one number per axis, or one less for "
                "a slice, one voxel along one axis."
            )
        return (*self.size[:axis], 1, *self.size[axis:])

    def _flat(self, values: np.ndarray, extent: Extent) -> np.ndarray:
        """Return values without the axis of a slice."""
        if self.size is None or len(self.size) == len(extent):
            return values
        axis = _thin_axis(extent)
        return values if axis is None else values.squeeze(axis - len(extent))


def _thin_axis(extent: Extent) -> int | None:
    """Return the only axis along which a box has one voxel."""
    thin = [axis for axis, (start, stop) in enumerate(extent) if stop - start == 1]
    return thin[0] if len(thin) == 1 else None


def _with_channels(values: np.ndarray, num_axes: int) -> Tensor:
    image = torch.from_numpy(values)
    return image[None] if image.ndim == num_axes else image
