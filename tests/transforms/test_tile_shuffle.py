from __future__ import annotations

import pytest
import torch

from monai_sg.transforms.tile_shuffle import (
    Cuts,
    cover_probability,
    permutation_table,
    random_intervals,
    random_tiles,
    read_tiles,
)

CPU = torch.device("cpu")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_intervals_tile_the_axis() -> None:
    number, start, length = random_intervals(50, 23, 5, seeded())
    voxel = torch.arange(23)
    assert ((start <= voxel) & (voxel < start + length)).all()
    assert length.max() == 5
    assert torch.equal(number[:, 1:] - number[:, :-1], (start[:, 1:] != start[:, :-1]).int())
    assert (number[:, 0] == 0).all()


def cuts(start: list[int], length: list[int], number: list[int]) -> Cuts:
    return Cuts(torch.tensor([number]), *(torch.tensor([value], dtype=torch.int32) for value in (start, length)))


def test_values_of_intervals_by_hand() -> None:
    cut = cuts([0, 1, 1, 3], [1, 2, 2, 1], [0, 1, 1, 2])
    assert cut.per_interval(torch.tensor([[5, 7, 7, 9]])).tolist() == [[5, 7, 9]]


def test_table_holds_the_shapes_twice_in_order_and_then_permuted() -> None:
    # Shapes 1x1, 1x2, 2x1, 2x2 in a crop of five columns: voxels 0 | 0 1 | 0 5 | 0 1 5 6.
    table, first = permutation_table((2, 2), (5, 1), 3, seeded())
    assert first.tolist() == [0, 2, 6, 10]
    assert table[:18].tolist() == [0, 0, 0, 1, 0, 1, 0, 5, 0, 5, 0, 1, 5, 6, 0, 1, 5, 6]
    for row in table.view(4, 18):
        for shape, voxels in zip((0, 2, 6, 10), ([0], [0, 1], [0, 5], [0, 1, 5, 6]), strict=True):
            one, again = row[shape : shape + 2 * len(voxels)].chunk(2)
            assert sorted(one.tolist()) == voxels
            assert torch.equal(one, again)


def test_permutations_of_the_table_are_uniform() -> None:
    table, _ = permutation_table((1, 3), (5, 1), 6000, seeded())
    _, counts = table.view(6001, 12)[1:, 6:9].unique(dim=0, return_counts=True)  # the shape 1x3
    assert len(counts) == 6
    assert (counts / 6000 - 1 / 6).abs().max() < 0.02


def test_sources_by_hand() -> None:
    # A 3 x 3 image cut after row 1 and after column 2: tiles 1x2 (swapped), 1x1, 2x2 (turned), 2x1 (kept).
    table = torch.tensor([1, 0, 0, 3, 0, 4, 1, 0, 3], dtype=torch.int32)
    entry = torch.tensor([[[0, 2], [3, 7]]], dtype=torch.int32)
    rows, columns = cuts([0, 1, 1], [1, 2, 2], [0, 1, 1]), cuts([0, 0, 2], [2, 2, 1], [0, 0, 1])
    assert read_tiles(table, entry, [rows, columns]).tolist() == [[1, 0, 2, 6, 3, 5, 7, 4, 8]]


@pytest.mark.parametrize(("spatial", "longest"), [((40, 30), (4, 3)), ((30, 20, 20), (3, 2, 2))])
def test_a_voxel_comes_from_anywhere_in_its_tile_alike(spatial: tuple[int, ...], longest: tuple[int, ...]) -> None:
    # Of n voxels that are permuted, one stays on average: one per tile, where all tiles are permuted.
    index = random_tiles(60, spatial, longest, 10**9, seeded())
    stay = (index == torch.arange(index.shape[1])).sum()
    generator, tiles = seeded(), torch.ones(60)
    for size, edge in zip(spatial, longest, strict=True):  # the cuts are drawn first
        tiles = tiles * (random_intervals(60, size, edge, generator).number.amax(1) + 1)
    assert stay == pytest.approx(float(tiles.sum()), rel=0.02)


def test_crops_and_batches_differ() -> None:
    generator = seeded()
    first, second = (random_tiles(2, (40, 40), (4, 4), 10**6, generator) for _ in range(2))
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first, second)
    assert torch.equal(first, random_tiles(2, (40, 40), (4, 4), 10**6, seeded()))


def test_cover_probability_by_hand() -> None:
    # Three voxels; an edge of 1 covers each with 1/3, an edge of 2 (places 0 and 1) with 1/2, 1, 1/2.
    torch.testing.assert_close(cover_probability(3, 2, CPU), torch.tensor([5 / 12, 2 / 3, 5 / 12]))
