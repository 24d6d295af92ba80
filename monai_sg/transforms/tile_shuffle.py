"""Index maps that permute the voxels within the tiles of a random grid, by permutations read from a table."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .block_shuffle import enumerate_cells, shuffled_by_segment
from .corruption import bernoulli, parts_in_cache, strides_of

MOST_PERMUTATIONS = 16
"""Of each shape of tile, drawn anew every time; more would take longer to draw than to read."""


class Cuts(NamedTuple):
    """An axis of each crop in intervals: number, first voxel and length of that of each voxel, ``(crops, n)``."""

    number: Tensor
    start: Tensor
    length: Tensor

    def of_crops(self, part: slice) -> Cuts:
        """Take those of a few crops."""
        return Cuts(*(value[part] for value in self))

    def per_interval(self, value: Tensor) -> Tensor:
        """Turn values of voxels, equal within an interval, into values of intervals ``(crops, most intervals)``."""
        most = int(self.number.max()) + 1
        return value.new_zeros((len(value), most)).scatter_(1, self.number, value)


def random_tiles(
    crops: int, spatial: Sequence[int], longest: Sequence[int], blocks: int, generator: torch.Generator
) -> Tensor:
    """Draw where each voxel comes from when the tiles of a random grid are permuted.

    A tile is permuted with the probability 1 - (1 - p)^blocks that `overlapping_blocks` would cover one of its
    voxels, chosen at random. Its permutation is one of a few that are drawn for its shape, turned by a random number of
    voxels: all permutations are equally likely, and also within a batch each voxel comes from anywhere in its tile
    alike, whatever the other tiles drew.

    Args:
        crops: number of independent crops.
        spatial: voxels along each axis.
        longest: longest tile edge along each axis.
        blocks: number of random blocks whose coverage is to be met.
        generator: source of all random numbers.

    Returns:
        source voxel ``(crops, N)`` of each voxel of the flattened crop, int32.
    """
    device = generator.device
    cuts = [random_intervals(crops, size, edge, generator) for size, edge in zip(spatial, longest, strict=True)]
    shape, volume, single = describe_tiles(cuts, longest, generator)
    cells = math.prod(edge * (edge + 1) // 2 for edge in longest)  # of one tile of each shape
    rows = max(1, min(MOST_PERMUTATIONS, crops * math.prod(spatial) // (4 * cells)))
    table, first = permutation_table(longest, strides_of(spatial), rows, generator)
    uniform, drawn = torch.rand((2, *shape.shape), generator=generator, device=device)
    threshold = -torch.expm1(torch.log1p(-uniform) / blocks)  # single > threshold <=> uniform < 1 - (1 - single)^blocks
    row = drawn.mul_(rows).int()
    turn = (drawn - row).mul_(volume).int()
    permuted = torch.where(single > threshold, turn.add_(row.add_(1), alpha=2 * cells), 0)  # row 0 keeps the order
    entry = first.index_select(0, shape.flatten()).view_as(shape).add_(permuted)
    parts = parts_in_cache(crops, math.prod(spatial), device)
    return torch.cat([read_tiles(table, entry[part], [cut.of_crops(part) for cut in cuts]) for part in parts])


def describe_tiles(
    cuts: Sequence[Cuts], longest: Sequence[int], generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Describe the tiles that the axes of each crop are cut into.

    Args:
        cuts: of each axis.
        longest: longest tile edge along each axis.
        generator: source of the chosen voxels.

    Returns:
        number of the shape of each tile, its voxels, both int32, and the probability that a random block covers a
        voxel of it chosen at random, each ``(crops, *tiles)``; crops of fewer tiles are filled up with single voxels.
    """
    device, axes = generator.device, len(cuts)
    shape, single = torch.zeros((), dtype=torch.int32, device=device), torch.ones((), device=device)
    volume = torch.ones_like(shape)
    for axis, (cut, edge) in enumerate(zip(cuts, longest, strict=True)):
        within = torch.rand(cut.length.shape, generator=generator, device=device).gather(1, cut.number) * cut.length
        covered = cover_probability(cut.length.shape[1], edge, device)[cut.start + within.int()]
        single = single * along(axis, axes, cut.per_interval(covered))
        length = along(axis, axes, cut.per_interval(cut.length).clamp_(min=1))
        volume, shape = volume * length, shape * edge + length - 1
    return shape, volume, single


def along(axis: int, axes: int, value: Tensor) -> Tensor:
    """View values ``(crops, n)`` of an axis as ``(crops, 1, ..., n, ..., 1)``."""
    return value.view(len(value), *[-1 if other == axis else 1 for other in range(axes)])


def permutation_table(
    longest: Sequence[int], strides: Sequence[int], rows: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw uniformly random permutations for tiles of each shape.

    Args:
        longest: longest tile edge along each axis.
        strides: step in the flattened crop along each axis.
        rows: permutations of each shape.
        generator: source of the permutations.

    Returns:
        the table of ``1 + rows`` rows, one after the other, int32: the voxels of one tile of each shape, counted in the
        crop from its first voxel and written down twice, so that they can be read from any voxel on; in order in the
        first row, permuted in the others; and the place of each shape in a row, shapes being ordered by their edges,
        the last axis fastest.
    """
    device = generator.device
    edge = torch.tensor(list(itertools.product(*(range(1, most + 1) for most in longest))), device=device)
    shape, cell = enumerate_cells(torch.zeros_like(edge[:, 0]), edge, strides)
    segment = torch.arange(0, rows * len(edge), len(edge), dtype=torch.int32, device=device)[:, None] + shape
    order = shuffled_by_segment(segment.flatten(), rows * len(edge), generator).remainder_(len(cell))
    once = torch.cat([cell, cell.index_select(0, order)]).view(1 + rows, -1)
    volume = edge.prod(1)
    table = torch.cat([tile.repeat(1, 2) for tile in once.split(volume.tolist(), dim=1)], dim=1)
    return table.flatten(), (2 * (volume.cumsum(0) - volume)).int()


def read_tiles(table: Tensor, entry: Tensor, cuts: Sequence[Cuts]) -> Tensor:
    """Look up the source of each voxel.

    Args:
        table: voxels of tiles, counted in the crop from the first voxel of the tile.
        entry: where the voxels of each tile begin in the table, ``(crops, *tiles)``, int32.
        cuts: of each axis.

    Returns:
        source voxel ``(crops, N)`` of each voxel of the flattened crop, int32.
    """
    crops, axes = len(entry), len(cuts)
    spatial = [cut.start.shape[1] for cut in cuts]
    corner, after = entry.new_zeros(()), entry.new_ones(())
    for axis in reversed(range(axes)):  # from tiles to voxels, axis by axis: the last copies the longest lines
        number, start, length = cuts[axis]
        tiles, voxel = entry.shape[axis + 1], torch.arange(spatial[axis], dtype=torch.int32, device=entry.device)
        line = torch.arange(crops * math.prod(entry.shape[1 : axis + 1]), device=entry.device).view(crops, -1, 1)
        line = (line * tiles + number[:, None]).flatten()
        shape = (*entry.shape[: axis + 1], spatial[axis], *spatial[axis + 1 :])
        entry = entry.reshape(-1, math.prod(spatial[axis + 1 :])).index_select(0, line).view(shape)
        entry = entry.addcmul_(along(axis, axes, voxel - start), after)
        after = after * along(axis, axes, length) if axis else after
        corner = corner + along(axis, axes, start * strides_of(spatial)[axis])
    return table.index_select(0, entry.flatten()).view(entry.shape).add_(corner).view(crops, -1)


def random_intervals(crops: int, size: int, longest: int, generator: torch.Generator) -> Cuts:
    """Cut an axis into intervals of random length, from a random end on.

    Lengths 1 ... ``longest`` are drawn in proportion to 1 / (size - length + 1), the rate at which uniformly placed
    blocks of that length begin at a voxel; the last interval is what is left.

    Args:
        crops: number of independent cuts.
        size: voxels along the axis.
        longest: longest interval.
        generator: source of the lengths.

    Returns:
        the cuts; numbers int64, the rest int32.
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
    return Cuts(number, start.int(), length.int())


def cover_probability(size: int, longest: int, device: torch.device) -> Tensor:
    """Compute the probability ``(size,)`` that one block of random edge and place covers a voxel of an axis."""
    voxel = torch.arange(size, device=device)
    edge = torch.arange(1, longest + 1, device=device)[:, None]
    places = torch.minimum(voxel, size - edge) - (voxel - edge + 1).clamp(min=0) + 1  # corners that reach the voxel
    return (places / (size - edge + 1)).mean(0)
