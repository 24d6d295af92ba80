"""The corruption of Models Genesis: local shuffling, then a non-linear intensity map, then painting."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .bezier_intensity import BezierIntensity
from .corruption import Corruption, Params, apply_in_parts, bernoulli, check_probability, split_shape
from .in_paint import InPaint
from .local_shuffle import LocalShuffle
from .out_paint import OutPaint
from .painting import inside_or_outside, uniform_noise


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
        shuffle_blocks: number of blocks of `LocalShuffle`.

    Raises:
        ValueError: when a probability is outside [0, 1], the mode is unknown, or there is no block; from `sample`, when
            an axis is shorter than 4 voxels.

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
        shuffle_blocks: int = 10_000,
    ) -> None:
        self.shuffle = LocalShuffle(shuffle_prob, shuffle_blocks, mode=shuffle_mode)
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
        return apply_in_parts(self._apply_at_once, x, params)

    def _apply_at_once(self, x: Tensor, params: Params) -> Tensor:
        return self.out_paint.apply(self.intensity.apply(self.shuffle.apply(x, params), params), params)

    def _paint_mask(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        batch, _, spatial = split_shape(shape)
        painted = bernoulli(batch, self.paint_prob, generator)
        outside = bernoulli(batch, self.out_paint_prob, generator) & painted
        boxes, windows = self.in_paint.sample_boxes(shape, generator), self.out_paint.sample_boxes(shape, generator)
        return inside_or_outside(boxes, windows, painted, outside, spatial)
