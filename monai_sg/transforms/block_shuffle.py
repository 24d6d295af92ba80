"""Index maps that permute the voxels within blocks at random places, which may overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .corruption import random_integers, strides_of


def overlapping_blocks(
    crops: int, spatial: Sequence[int], longest: Sequence[int], blocks: int, generator: torch.Generator
) -> Tensor:
    """Draw where each voxel comes from when blocks at random places are permuted one after the other.

    Each block holds a permutation of the voxels of the untouched crop; where blocks overlap, the last one stays.

    Args:
        crops: number of independent crops.
        spatial: voxels along each axis.
        longest: longest block edge along each axis; edges are uniform in 1 ... longest.
        blocks: blocks in each crop.
        generator: source of all random numbers.

    Returns:
        source voxel ``(crops, N)`` of each voxel of the flattened crop, int32.
    """
    device, voxels = generator.device, math.prod(spatial)
    sizes, strides = torch.tensor(spatial, device=device), torch.tensor(strides_of(spatial), device=device)
    limit = torch.tensor(longest, device=device).expand(crops, blocks, -1)
    edge = random_integers(torch.ones_like(limit), limit, generator)
    corner = (random_integers(torch.zeros_like(edge), sizes - edge, generator) * strides).sum(2)
    first = torch.arange(0, crops * voxels, voxels, dtype=torch.int32, device=device)[:, None]
    block, cell = enumerate_cells((corner + first).flatten(), edge.flatten(0, 1), strides_of(spatial))
    moved = cell.index_select(0, shuffled_by_segment(block, crops * blocks, generator))
    own = torch.arange(crops * voxels, dtype=torch.int32, device=device)
    rank = torch.arange(len(own), len(own) + len(cell), dtype=torch.int32, device=device)
    last = own.scatter_reduce(0, cell.long(), rank, "amax")  # ranks rise with the block, so the last block wins
    return torch.cat([own, moved]).index_select(0, last).view(crops, voxels).sub_(first)


def enumerate_cells(corner: Tensor, edge: Tensor, strides: Sequence[int]) -> tuple[Tensor, Tensor]:
    """List the voxels of all blocks, block after block.

    Blocks are opened axis by axis, first into slabs, then into rows, then into voxels.

    Args:
        corner: first voxel ``(K,)`` of each block, counted through all flattened crops.
        edge: block edges ``(K, D)`` in voxels.
        strides: step in the flattened crop along each axis.

    Returns:
        for each of the T voxels in all blocks its block number, rising, and its place in the flattened crops; int32.
    """
    cell, edge = corner.int(), edge.int()
    block = torch.arange(len(cell), dtype=torch.int32, device=cell.device)
    for axis, stride in enumerate(strides):
        length = edge[:, axis].index_select(0, block)
        end = length.cumsum(0, dtype=torch.int32)
        parent = torch.repeat_interleave(length)
        number = torch.arange(len(parent), dtype=torch.int32, device=cell.device)
        cell = (cell - stride * (end - length)).index_select(0, parent).add_(number.mul_(stride))
        block = block.index_select(0, parent)
    return block, cell


def shuffled_by_segment(segment: Tensor, segments: int, generator: torch.Generator) -> Tensor:
    """Order elements by segment, in uniformly random order within each segment.

    A random order of all elements, sorted stably by segment, is a random order within each segment.

    Args:
        segment: segment number ``(T,)`` of each element, from 0.
        segments: number of segments.
        generator: source of the random order.

    Returns:
        element numbers ``(T,)``, int32.
    """
    order = torch.randperm(len(segment), generator=generator, device=segment.device, dtype=torch.int32)
    keys = segment.to(torch.int16 if segments <= 2**15 else torch.int32).index_select(0, order)
    return order.index_select(0, keys.sort(stable=True).indices)
