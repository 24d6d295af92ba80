from __future__ import annotations

import torch

from monai_sg.transforms.block_shuffle import enumerate_cells, shuffled_by_segment


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
