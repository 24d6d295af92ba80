"""Local pixel shuffling of Models Genesis: voxels of many small blocks change places within their block."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from monai.utils import look_up_option
from torch import Tensor

from ..utils.errors import UserError
from .block_shuffle import overlapping_blocks
from .corruption import Corruption, Params, bernoulli, check_probability, gather_voxels, split_shape
from .tile_shuffle import random_tiles

EDGE_SHARE = 10
"""Voxels of an axis for each voxel of the longest block edge."""

CELLS_AT_ONCE = {"cpu": 2**17, "cuda": 2**24}
"""Voxels of overlapping blocks drawn at once; a CPU is twice as fast while they fit its cache."""


class LocalShuffle(Corruption):
    """Permute the voxels within small blocks; the histogram of a block stays, its texture goes.

    Zhou et al., Models Genesis, Medical Image Analysis 67 (2021), section 2.2, "local pixel shuffling". The block edge
    along an axis of n voxels is uniform in 1 ... max(1, n // 10). A permutation serves all channels.

    ``mode="exact"`` is the published procedure: ``blocks`` blocks at uniform places, each filled with a permutation of
    the voxels of the *unshuffled* crop, later blocks over earlier ones. Where blocks overlap, voxels are doubled or
    lost.

    ``mode="tiled"`` is a deviation made for speed. The crop is cut along each axis into intervals whose lengths follow
    the same distribution, and a tile of this grid is permuted with the probability that ``blocks`` random blocks cover
    it. Tiles do not overlap, so each voxel is kept exactly once; tiles of one crop share their cuts along an axis, and
    tiles of one shape some of their permutations, which are read from a table drawn anew for each batch. The expected
    share of voxels moved and the histogram of displacements along each axis (total variation) are within 2 % of
    ``exact``; ``tests/benchmarks/corruption.py`` measures both.

    Args:
        prob: probability that a crop is shuffled.
        blocks: number of blocks; 10,000 cover 82 % of 64 x 64 x 32 voxels.
        mode: ``"tiled"`` or ``"exact"``.

    Raises:
        ValueError: when ``prob`` is outside [0, 1], there is no block, or the mode is unknown.

    Example:
        >>> corruption = LocalShuffle(prob=1.0)
        >>> x = torch.rand(1, 1, 32, 32)
        >>> out = corruption(x, torch.Generator().manual_seed(0))
        >>> torch.equal(out.flatten().sort().values, x.flatten().sort().values)
        True
    """

    def __init__(self, prob: float = 0.5, blocks: int = 10_000, mode: str = "tiled") -> None:
        if blocks < 1:
            raise UserError(f"blocks is {blocks}; at least 1 is needed.")
        self.prob = check_probability("prob", prob)
        self.blocks = blocks
        self.mode = look_up_option(mode, ("tiled", "exact"))

    def sample(self, shape: Sequence[int], generator: torch.Generator) -> Params:
        """Draw ``index`` (B, N), int32: for each of the N voxels of a crop the voxel it is taken from."""
        return {"index": self.sample_index(shape, bernoulli(shape[0], self.prob, generator), generator)}

    def sample_index(self, shape: Sequence[int], shuffled: Tensor, generator: torch.Generator) -> Tensor:
        """Draw the index of a batch in which the crops marked in ``shuffled`` (B,) are shuffled."""
        batch, _, spatial = split_shape(shape)
        voxels, device = math.prod(spatial), generator.device
        longest = [max(1, size // EDGE_SHARE) for size in spatial]
        index = torch.arange(voxels, dtype=torch.int32, device=device).repeat(batch, 1)
        chosen = shuffled.nonzero()[:, 0]
        if self.mode == "tiled" and len(chosen):
            index[chosen] = random_tiles(len(chosen), spatial, longest, self.blocks, generator)
        elif len(chosen):
            for crops in chosen.split(self._crops_at_once(voxels, longest, device)):
                index[crops] = overlapping_blocks(len(crops), spatial, longest, self.blocks, generator)
        return index

    def apply(self, x: Tensor, params: Params) -> Tensor:
        """Gather the voxels."""
        return gather_voxels(x, params["index"])

    def _crops_at_once(self, voxels: int, longest: Sequence[int], device: torch.device) -> int:
        cells = max(voxels // 4, self.blocks * math.prod((edge + 1) // 2 for edge in longest))
        return max(1, CELLS_AT_ONCE.get(device.type, CELLS_AT_ONCE["cuda"]) // cells)
