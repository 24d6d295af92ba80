"""Corruptions of batches as MONAI transforms of single images."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.config.type_definitions import NdarrayOrTensor
from monai.data import get_track_meta
from monai.transforms import MapTransform, Randomizable, RandomizableTransform
from monai.utils import TransformBackends, convert_to_dst_type, convert_to_tensor

from .corruption import Corruption, Params


class RandCorruption(RandomizableTransform):
    """Apply a corruption to one channel-first image with MONAI's random state.

    Args:
        corruption: what to do to the image, seen as a batch of one.
        prob: probability of doing it, on top of the corruption's own probabilities.

    Example:
        >>> from monai_sg.transforms.bezier_intensity import BezierIntensity
        >>> transform = RandCorruption(BezierIntensity(prob=1.0), prob=0.9).set_random_state(seed=0)
        >>> transform(torch.rand(1, 32, 32)).shape
        torch.Size([1, 32, 32])
    """

    backend = [TransformBackends.TORCH]  # noqa: RUF012 (MONAI declares it as an instance variable)

    def __init__(self, corruption: Corruption, prob: float = 1.0) -> None:
        RandomizableTransform.__init__(self, prob)
        self.corruption = corruption
        self._params: Params = {}

    def randomize(self, data: torch.Tensor) -> None:
        """Draw whether and how to corrupt an image of the shape of ``data``."""
        super().randomize(None)
        if self._do_transform:
            seed = int(self.R.randint(2**32, dtype=np.uint32))
            generator = torch.Generator(device=data.device).manual_seed(seed)
            self._params = self.corruption.sample((1, *data.shape), generator)

    def __call__(self, img: NdarrayOrTensor, randomize: bool = True) -> NdarrayOrTensor:
        """Corrupt an image.

        Args:
            img: image ``(C, *spatial)``, floating point, in [0, 1].
            randomize: draw new parameters; otherwise the last ones are used again.

        Returns:
            a new image of the same type.

        Raises:
            TypeError: when the image is not floating point.
        """
        img = convert_to_tensor(img, track_meta=get_track_meta())
        plain: torch.Tensor = convert_to_tensor(img, track_meta=False)
        if not plain.is_floating_point():
            raise TypeError(
                f"The image has type {plain.dtype}; scale it to floating point in [0, 1] before corrupting."
            )
        if randomize:
            self.randomize(plain)
        if not self._do_transform:
            return img
        corrupted = self.corruption.apply(plain[None], self._params)[0]
        return convert_to_dst_type(corrupted, dst=img)[0]


class RandCorruptiond(Randomizable, MapTransform):
    """Dictionary version of `RandCorruption`; all keys, of equal shape, get the same corruption.

    Args:
        keys: images to corrupt.
        corruption: what to do to them.
        prob: probability of doing it, on top of the corruption's own probabilities.
        allow_missing_keys: do not raise when a key is missing.
    """

    backend = RandCorruption.backend

    def __init__(
        self, keys: KeysCollection, corruption: Corruption, prob: float = 1.0, allow_missing_keys: bool = False
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        self.transform = RandCorruption(corruption, prob)

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> RandCorruptiond:
        """Set the random state of the transform inside, which draws everything."""
        super().set_random_state(seed, state)
        self.transform.set_random_state(seed, state)
        return self

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Corrupt the images of a dictionary, leaving the dictionary given as it is."""
        out = dict(data)
        for number, key in enumerate(self.key_iterator(out)):
            out[key] = self.transform(out[key], randomize=number == 0)
        return out
