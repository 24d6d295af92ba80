"""Corruptions of batches as a MONAI transform of single images."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.config.type_definitions import NdarrayOrTensor
from monai.data import get_track_meta
from monai.transforms import MapTransform, RandomizableTransform
from monai.utils import TransformBackends, convert_to_dst_type, convert_to_tensor

from .corruption import Corruption


class RandCorruptiond(RandomizableTransform, MapTransform):
    """Corrupt the images of a dictionary with MONAI's random state; all keys get the same corruption.

    Args:
        keys: images ``(C, *spatial)`` of one shape, floating point, in [0, 1].
        corruption: what to do to them, with its own probabilities.
        allow_missing_keys: do not raise when a key is missing.

    Raises:
        TypeError: from a call, when an image is not floating point.

    Example:
        >>> from monai_sg.transforms.bezier_intensity import BezierIntensity
        >>> transform = RandCorruptiond("image", BezierIntensity()).set_random_state(seed=0)
        >>> transform({"image": torch.rand(1, 32, 32)})["image"].shape
        torch.Size([1, 32, 32])
    """

    backend = [TransformBackends.TORCH]  # noqa: RUF012 (MONAI declares it as an instance variable)

    def __init__(self, keys: KeysCollection, corruption: Corruption, allow_missing_keys: bool = False) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self)
        self.corruption = corruption
        self._seed = 0

    def randomize(self, data: Any = None) -> None:
        """Draw the seed from which the parameters follow."""
        self._seed = int(self.R.randint(2**32, dtype=np.uint32))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the dictionary with new images of the same types, leaving the one given as it is."""
        self.randomize()
        out = dict(data)
        for key in self.key_iterator(out):
            out[key] = self._corrupted(out[key])
        return out

    def _corrupted(self, img: NdarrayOrTensor) -> NdarrayOrTensor:
        img = convert_to_tensor(img, track_meta=get_track_meta())
        plain: torch.Tensor = convert_to_tensor(img, track_meta=False)
        if not plain.is_floating_point():
            raise TypeError(
                f"The image has type {plain.dtype}; scale it to floating point in [0, 1] before corrupting."
            )
        generator = torch.Generator(device=plain.device).manual_seed(self._seed)
        return convert_to_dst_type(self.corruption(plain[None], generator)[0], dst=img)[0]
