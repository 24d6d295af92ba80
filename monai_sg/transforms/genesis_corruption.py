"""The corruption of Models Genesis: local shuffling, then a non-linear intensity map, then painting."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from monai.config import KeysCollection
from torch import Tensor

from .bezier_intensity import BezierIntensity
from .corruption import Corruption, Params, bernoulli, check_probability, split_shape
from .in_paint import InPaint
from .local_shuffle import LocalShuffle
from .out_paint import OutPaint
from .painting import Boxes, inside, uniform_noise
from .rand_corruption import RandCorruption, RandCorruptiond

VOXELS_AT_ONCE = 2**19


class GenesisCorruption(Corruption):
    """Compose the corruptions of Models Genesis, each crop on its own.

    Zhou et al., Models Genesis, Medical Image Analysis 67 (2021), section 2.2 and figure 3. Painting comes last, so its
    noise is not remapped. A crop is in-painted or out-painted, never both: with the defaults in-painted with
    0.9 x 0.2 = 0.18, out-painted with 0.9 x 0.8 = 0.72. Crops are never flipped, because the pseudo labels of Semantic
    Genesis are bound to positions.

    Args:
        shuffle_prob: probability of `LocalShuffle`.
        intensity_prob: probability of `BezierIntensity`.
        paint_prob: probability of painting.
        out_paint_prob: probability of `OutPaint`, rather than `InPaint`, given painting.
        shuffle_mode: mode of `LocalShuffle`.

    Raises:
        ValueError: when a probability is outside [0, 1], or the mode is unknown; from `sample`, when an axis is shorter
            than 4 voxels.

    Example:
        >>> corruption = GenesisCorruption()
        >>> corruption(torch.rand(2, 1, 16, 16, 8), torch.Generator().manual_seed(0)).shape
        torch.Size([2, 1, 16, 16, 8])
    """

    def __init__(
        self,
        shuffle_prob: float = 0.5,
        intensity_prob: float = 0.9,
        paint_prob: float = 0.9,
        out_paint_prob: float = 0.8,
        shuffle_mode: str = "tiled",
    ) -> None:
        self.shuffle = LocalShuffle(shuffle_prob, mode=shuffle_mode)
        self.intensity = BezierIntensity(intensity_prob)
        self.paint_prob = check_probability("paint_prob", paint_prob)
        self.out_paint_prob = check_probability("out_paint_prob", out_paint_prob)
        self.in_paint, self.out_paint = InPaint(), OutPaint()

    def sample(self, shape: Sequence[int], generator: torch.Generator) -> Params:
        """Draw the parameters of `LocalShuffle`, `BezierIntensity` and `Painting` together."""
        shuffle = self.shuffle.sample(shape, generator)
        intensity = self.intensity.sample(shape, generator)
        paint = {"mask": self._paint_mask(shape, generator), "noise": uniform_noise(shape, generator)}
        return shuffle | intensity | paint

    def apply(self, x: Tensor, params: Params) -> Tensor:
        """Shuffle, map the intensities, paint; on a CPU a few crops at a time, so that they stay in its cache."""
        at_once = len(x)
        if x.device.type == "cpu" and not torch.compiler.is_compiling():
            at_once = max(1, VOXELS_AT_ONCE // math.prod(x.shape[1:]))
        if at_once >= len(x):
            return self._apply_at_once(x, params)
        parts = (slice(start, start + at_once) for start in range(0, len(x), at_once))
        return torch.cat([self._apply_at_once(x[part], {k: v[part] for k, v in params.items()}) for part in parts])

    def _apply_at_once(self, x: Tensor, params: Params) -> Tensor:
        return self.out_paint.apply(self.intensity.apply(self.shuffle.apply(x, params), params), params)

    def _paint_mask(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        batch, _, spatial = split_shape(shape)
        painted = bernoulli(batch, self.paint_prob, generator)
        outside = bernoulli(batch, self.out_paint_prob, generator) & painted
        boxes, windows = self.in_paint.sample_boxes(shape, generator), self.out_paint.sample_boxes(shape, generator)
        start, edge = (torch.where(outside[:, None, None], b, a) for a, b in zip(boxes, windows, strict=True))
        mask = inside(Boxes(start, edge * painted[:, None, None]), spatial)
        return mask ^ outside.view(-1, *[1] * (len(spatial) + 1))


class RandGenesisCorruption(RandCorruption):
    """`GenesisCorruption` of one channel-first image."""

    def __init__(
        self,
        shuffle_prob: float = 0.5,
        intensity_prob: float = 0.9,
        paint_prob: float = 0.9,
        out_paint_prob: float = 0.8,
        shuffle_mode: str = "tiled",
    ) -> None:
        super().__init__(GenesisCorruption(shuffle_prob, intensity_prob, paint_prob, out_paint_prob, shuffle_mode))


class RandGenesisCorruptiond(RandCorruptiond):
    """Dictionary version of `RandGenesisCorruption`."""

    def __init__(
        self,
        keys: KeysCollection,
        shuffle_prob: float = 0.5,
        intensity_prob: float = 0.9,
        paint_prob: float = 0.9,
        out_paint_prob: float = 0.8,
        shuffle_mode: str = "tiled",
        allow_missing_keys: bool = False,
    ) -> None:
        corruption = GenesisCorruption(shuffle_prob, intensity_prob, paint_prob, out_paint_prob, shuffle_mode)
        super().__init__(keys, corruption, allow_missing_keys=allow_missing_keys)
