"""Patch swapping of context restoration: small boxes change places, the histogram of the crop stays."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..utils.errors import UserError
from .block_shuffle import enumerate_cells
from .corruption import (
    Corruption,
    Params,
    bernoulli,
    check_probability,
    gather_voxels,
    random_integers,
    split_shape,
    strides_of,
)


class PatchSwap(Corruption):
    """Exchange the contents of two boxes of equal size that do not overlap, several times in turn.

    Chen et al., Self-supervised learning for medical image analysis using image context restoration, Medical Image
    Analysis 58 (2019). The size of the boxes is a choice made here: an edge along an axis of n voxels is uniform in
    (n // 6) // 2 ... (n // 3) // 2, half of an edge of `InPaint`, and at least one voxel. All pairs of places that do
    not overlap are equally likely. The channels of a crop are swapped alike.

    Args:
        prob: probability that a crop is changed.
        swaps: number of swaps; each works on what the one before has left.

    Raises:
        ValueError: when ``prob`` is outside [0, 1], or there is no swap; from `sample`, when a crop is a single voxel.

    Example:
        >>> x = torch.rand(1, 1, 32, 32)
        >>> out = PatchSwap()(x, torch.Generator().manual_seed(0))
        >>> torch.equal(out.flatten().sort().values, x.flatten().sort().values)
        True
    """

    def __init__(self, prob: float = 1.0, swaps: int = 10) -> None:
        if swaps < 1:
            raise UserError(f"swaps is {swaps}; at least 1 is needed.")
        self.prob = check_probability("prob", prob)
        self.swaps = swaps

    def sample(self, shape: Sequence[int], generator: torch.Generator) -> Params:
        """Draw ``index`` (B, N), int32: for each of the N voxels of a crop the voxel it is taken from."""
        batch, _, spatial = split_shape(shape)
        voxels, device = math.prod(spatial), generator.device
        first, second, edge = self.sample_pairs(shape, generator)
        edge = edge * bernoulli(batch, self.prob, generator)[:, None]
        strides = torch.tensor(strides_of(spatial), device=device)
        corner = (first * strides).sum(2) + torch.arange(0, batch * voxels, voxels, device=device)
        move = ((second - first) * strides).sum(2).flatten()
        block, cell = enumerate_cells(corner.flatten(), edge.flatten(0, 1), strides_of(spatial))
        partner = cell + move.index_select(0, block)
        index = torch.arange(voxels, dtype=torch.int32, device=device).repeat(batch)
        lengths = edge.prod(2).sum(1).tolist()  # voxels of each swap, in all crops
        for here, there in zip(cell.split(lengths), partner.split(lengths), strict=True):
            places = torch.cat([here.long(), there])
            index[places] = index[places.roll(len(here))]
        return {"index": index.view(batch, voxels)}

    def sample_pairs(self, shape: Sequence[int], generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Draw the first voxels of both boxes and their common edges, each ``(swaps, B, D)``.

        Raises:
            ValueError: when a crop is a single voxel.
        """
        batch, _, spatial = split_shape(shape)
        if math.prod(spatial) < 2:
            raise UserError(f"Crops of {spatial} voxels have nothing to swap; give at least 2 voxels.")
        sizes = torch.tensor(spatial, device=generator.device).expand(self.swaps, batch, -1)
        edge = random_integers((sizes // 6 // 2).clamp(min=1), (sizes // 3 // 2).clamp(min=1), generator)
        first, second, redraw = sizes, sizes, torch.ones_like(edge[..., :1], dtype=torch.bool)
        while redraw.any():
            first, second = (
                torch.where(redraw, random_integers(torch.zeros_like(edge), sizes - edge, generator), corner)
                for corner in (first, second)
            )
            redraw = ((first - second).abs() < edge).all(2, keepdim=True)
        return first, second, edge

    def apply(self, x: Tensor, params: Params) -> Tensor:
        """Gather the voxels."""
        return gather_voxels(x, params["index"])
