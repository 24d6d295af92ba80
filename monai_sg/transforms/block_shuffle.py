"""Index maps that permute voxels within blocks: overlapping blocks, or the tiles of a random grid."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .corruption import bernoulli, random_integers, strides_of


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


def random_tiles(
    crops: int, spatial: Sequence[int], longest: Sequence[int], blocks: int, generator: torch.Generator
) -> Tensor:
    """Draw where each voxel comes from when the tiles of a random grid are permuted.

    A tile is permuted with the probability 1 - (1 - p)^blocks that `overlapping_blocks` would cover one of its
    voxels, chosen at random.

    Args:
        crops: number of independent crops.
        spatial: voxels along each axis.
        longest: longest tile edge along each axis.
        blocks: number of random blocks whose coverage is to be met.
        generator: source of all random numbers.

    Returns:
        source voxel ``(crops, N)`` of each voxel of the flattened crop, int32.
    """
    device, axes, voxels = generator.device, len(spatial), math.prod(spatial)
    crop = torch.arange(crops, dtype=torch.int32, device=device).view(-1, *[1] * axes)
    tile, single = crop, torch.ones((), device=device)
    starts, lengths = [], []
    for axis, (size, edge) in enumerate(zip(spatial, longest, strict=True)):
        view = (crops, *[-1 if other == axis else 1 for other in range(axes)])
        number, start, length = random_intervals(crops, size, edge, generator)
        tile = tile * (int(number.max()) + 1) + number.view(view)
        within = torch.rand((crops, size), generator=generator, device=device).gather(1, number.long()) * length
        single = single * cover_probability(size, edge, device)[start + within.int()].view(view)
        starts.append(start.view(view))
        lengths.append(length.view(view))
    tile = tile.flatten()
    tiles = int(tile.max()) + 1
    uniform = torch.rand(tiles, generator=generator, device=device)
    threshold = -torch.expm1(torch.log1p(-uniform) / blocks)  # single > threshold <=> uniform < 1 - (1 - single)^blocks
    kept = single.flatten() > threshold.index_select(0, tile)
    order = shuffled_by_segment(tile, tiles, generator)
    rank = rank_in_tiles(crop * voxels, starts, lengths, spatial)
    own = torch.arange(crops * voxels, dtype=torch.int32, device=device)
    source = torch.where(kept, order.index_select(0, rank.flatten()), own)
    return source.view(crops, voxels).sub_(crop.view(-1, 1) * voxels)


def rank_in_tiles(first: Tensor, starts: Sequence[Tensor], lengths: Sequence[Tensor], spatial: Sequence[int]) -> Tensor:
    """Number the voxels of a crop tile after tile.

    Args:
        first: number of the first voxel of each crop ``(crops, 1, ..., 1)``.
        starts: for each axis the first voxel of each voxel's interval, broadcastable to ``(crops, *spatial)``.
        lengths: for each axis the length of that interval.
        spatial: voxels along each axis.

    Returns:
        rank ``(crops, *spatial)``: ``first``, plus voxels in earlier tiles, plus earlier voxels of the same tile.
    """
    before, after, local = torch.ones_like(first), torch.ones_like(first), torch.zeros_like(first)
    rank = first
    for start, length, stride in zip(starts, lengths, strides_of(spatial), strict=True):
        rank = torch.addcmul(rank, before, start * stride)
        before = before * length
    for axis in reversed(range(len(spatial))):
        voxel = torch.arange(spatial[axis], dtype=torch.int32, device=first.device)
        local = torch.addcmul(local, voxel.view(-1, *[1] * (len(spatial) - axis - 1)) - starts[axis], after)
        after = after * lengths[axis] if axis else after
    return rank.add_(local)


def random_intervals(crops: int, size: int, longest: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Cut an axis into intervals of random length, from a random end on.

    Lengths 1 ... ``longest`` are drawn in proportion to 1 / (size - length + 1), the rate at which uniformly placed
    blocks of that length begin at a voxel; the last interval is what is left.

    Args:
        crops: number of independent cuts.
        size: voxels along the axis.
        longest: longest interval.
        generator: source of the lengths.

    Returns:
        number, start and length of the interval each voxel lies in, ``(crops, size)``, int32.
    """
    device = generator.device
    weights = 1 / (size + 1 - torch.arange(1.0, longest + 1, device=device))
    length = 1 + torch.multinomial(weights, crops * size, replacement=True, generator=generator).view(crops, size)
    end = length.cumsum(1)
    voxel = torch.arange(size, device=device).expand(crops, -1)
    mirrored = bernoulli((crops, 1), 0.5, generator)
    number = torch.searchsorted(end, torch.where(mirrored, size - 1 - voxel, voxel).contiguous(), right=True)
    stop = end.gather(1, number)
    start = stop - length.gather(1, number)
    stop = stop.clamp(max=size)
    start, length = torch.where(mirrored, size - stop, start), stop - start
    number = torch.where(mirrored, number[:, :1] - number, number)
    return number.int(), start.int(), length.int()


def cover_probability(size: int, longest: int, device: torch.device) -> Tensor:
    """Compute the probability ``(size,)`` that one block of random edge and place covers a voxel of an axis."""
    voxel = torch.arange(size, device=device)
    edge = torch.arange(1, longest + 1, device=device)[:, None]
    places = torch.minimum(voxel, size - edge) - (voxel - edge + 1).clamp(min=0) + 1  # corners that reach the voxel
    return (places / (size - edge + 1)).mean(0)
