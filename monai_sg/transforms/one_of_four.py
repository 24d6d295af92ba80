"""The corruption of the released code of Semantic Genesis: an elastic warp, then one of four others."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .bezier_intensity import BezierIntensity
from .corruption import Corruption, Params, apply_in_parts, split_shape
from .elastic_warp import ElasticWarp
from .in_paint import InPaint
from .local_shuffle import LocalShuffle
from .out_paint import OutPaint
from .painting import inside_or_outside, uniform_noise


class OneOfFour(Corruption):
    """Warp a crop and then shuffle it, map its intensities, in-paint it or out-paint it: one of these, 0.25 each.

    The released code of Semantic Genesis (Haghighi et al., MICCAI 2020) works so, with one box or window and five
    blocks, which cover 0.1 % of a crop; the paper itself cites Models Genesis, which is `GenesisCorruption`. The crop
    to be restored is the one before the warp, which therefore has to be undone as well.

    Args:
        warp_prob: probability of `ElasticWarp`.
        shuffle_blocks: number of blocks of `LocalShuffle`.
        shuffle_mode: mode of `LocalShuffle`.
        boxes: largest number of boxes of `InPaint` and windows of `OutPaint`, 1 to 8.
        more_prob: probability that one more box or window follows.

    Raises:
        ValueError: when a probability is outside [0, 1], the mode is unknown, there is no block, or the number of boxes
            is outside 1 to 8; from `sample`, when an axis is shorter than 4 voxels.

    Example:
        >>> corruption = OneOfFour()
        >>> corruption(torch.rand(2, 1, 16, 16, 8), torch.Generator().manual_seed(0)).shape
        torch.Size([2, 1, 16, 16, 8])
    """

    def __init__(
        self,
        warp_prob: float = 1.0,
        shuffle_blocks: int = 5,
        shuffle_mode: str = "exact",
        boxes: int = 1,
        more_prob: float = 1.0,
    ) -> None:
        self.warp = ElasticWarp(warp_prob)
        self.shuffle = LocalShuffle(1.0, shuffle_blocks, mode=shuffle_mode)
        self.intensity = BezierIntensity(1.0)
        self.in_paint = InPaint(1.0, boxes, more_prob)
        self.out_paint = OutPaint(1.0, boxes, more_prob)

    def sample(self, shape: Sequence[int], generator: torch.Generator) -> Params:
        """Draw ``choice`` (B,), 0 to 3 in the order above, and the parameters of all, idle where not chosen."""
        batch, _, spatial = split_shape(shape)
        choice = torch.randint(4, (batch,), generator=generator, device=generator.device)
        boxes, windows = (paint.sample_boxes(shape, generator) for paint in (self.in_paint, self.out_paint))
        return {
            "choice": choice,
            **self.warp.sample(shape, generator),
            "index": self.shuffle.sample_index(shape, choice == 0, generator),
            "table": self.intensity.sample(shape, generator)["table"],
            "active": choice == 1,
            "mask": inside_or_outside(boxes, windows, choice >= 2, choice == 3, spatial),
            "noise": uniform_noise(shape, generator),
        }

    def apply(self, x: Tensor, params: Params) -> Tensor:
        """Warp, then apply the chosen one; on a CPU to the crops that drew it, elsewhere all four to all crops."""
        chosen_only = x.device.type == "cpu" and not torch.compiler.is_compiling()
        return apply_in_parts(self._apply_to_chosen if chosen_only else self._apply_to_all, x, params)

    def _apply_to_all(self, x: Tensor, params: Params) -> Tensor:
        x = self.shuffle.apply(self.warp.apply(x, params), params)
        return self.out_paint.apply(self.intensity.apply(x, params), params)

    def _apply_to_chosen(self, x: Tensor, params: Params) -> Tensor:
        out, choice = self.warp.apply(x, params), params["choice"].to(x.device)
        for corruption, chosen, names in (
            (self.shuffle, choice == 0, ("index",)),
            (self.intensity, choice == 1, ("active", "table")),
            (self.out_paint, choice >= 2, ("mask", "noise")),  # the mask tells boxes from windows
        ):
            if chosen.any():
                own = {name: params[name].to(x.device)[chosen] for name in names}
                out[chosen] = corruption.apply(out[chosen], own)
        return out
