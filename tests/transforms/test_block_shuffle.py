from __future__ import annotations

import torch

from monai_sg.transforms.block_shuffle import (
    cover_probability,
    enumerate_cells,
    random_intervals,
    rank_in_tiles,
    shuffled_by_segment,
)

CPU = torch.device("cpu")


def test_cells_of_two_blocks_by_hand() -> None:
    # Two blocks of a 4 x 5 image: rows 1-2 and columns 2-3, then the single pixel (3, 4).
    block, cell = enumerate_cells(torch.tensor([7, 19]), torch.tensor([[2, 2], [1, 1]]), (5, 1))
    assert block.tolist() == [0, 0, 0, 0, 1]
    assert cell.tolist() == [7, 8, 12, 13, 19]


def test_cells_of_a_box() -> None:
    number = torch.arange(3 * 4 * 5).view(3, 4, 5)
    _, cell = enumerate_cells(torch.tensor([number[1, 1, 2]]), torch.tensor([[2, 3, 2]]), (20, 5, 1))
    assert torch.equal(cell.long(), number[1:3, 1:4, 2:4].flatten())


def test_order_by_segment_is_uniform_within_segments() -> None:
    segment = torch.tensor([0, 0, 0, 1, 2, 2]).repeat(6000) + 3 * torch.arange(6000).repeat_interleave(6)
    order = shuffled_by_segment(segment, 18_000, torch.Generator().manual_seed(0))
    assert torch.equal(segment[order], segment)
    _, counts = (order.view(6000, 6)[:, :3] % 6).unique(dim=0, return_counts=True)
    assert len(counts) == 6  # all permutations of three
    assert (counts / 6000 - 1 / 6).abs().max() < 0.02


def test_intervals_tile_the_axis() -> None:
    number, start, length = random_intervals(50, 23, 5, torch.Generator().manual_seed(0))
    voxel = torch.arange(23)
    assert ((start <= voxel) & (voxel < start + length)).all()
    assert length.max() == 5
    assert torch.equal(number[:, 1:] - number[:, :-1], (start[:, 1:] != start[:, :-1]).int())
    assert (number[:, 0] == 0).all()


def test_rank_by_hand() -> None:
    # A 3 x 3 image cut after row 1 and after column 2 (tiles 1x2, 1x1, 2x2, 2x1).
    starts = [
        torch.tensor([0, 1, 1], dtype=torch.int32).view(1, 3, 1),
        torch.tensor([0, 0, 2], dtype=torch.int32).view(1, 1, 3),
    ]
    lengths = [
        torch.tensor([1, 2, 2], dtype=torch.int32).view(1, 3, 1),
        torch.tensor([2, 2, 1], dtype=torch.int32).view(1, 1, 3),
    ]
    rank = rank_in_tiles(torch.zeros(1, 1, 1, dtype=torch.int32), starts, lengths, (3, 3))
    assert rank.tolist() == [[[0, 1, 2], [3, 4, 7], [5, 6, 8]]]


def test_cover_probability_by_hand() -> None:
    # Three voxels; an edge of 1 covers each with 1/3, an edge of 2 (places 0 and 1) with 1/2, 1, 1/2.
    torch.testing.assert_close(cover_probability(3, 2, CPU), torch.tensor([5 / 12, 2 / 3, 5 / 12]))
