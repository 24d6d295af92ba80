from __future__ import annotations

import pytest
import torch

from monai_sg.transforms.in_paint import InPaint

# size, smallest and largest edge, from n // 6 and n // 3
CASES = [
    ((64, 64, 32), (10, 10, 5), (21, 21, 10)),
    ((224, 224), (37, 37), (74, 74)),
    ((32, 32, 16), (5, 5, 2), (10, 10, 5)),
]


@pytest.mark.parametrize(("size", "low", "high"), CASES)
def test_box_edges_and_corners(size: tuple[int, ...], low: tuple[int, ...], high: tuple[int, ...]) -> None:
    start, edge = InPaint(more_prob=1.0).sample_boxes((2000, 1, *size), torch.Generator().manual_seed(0))
    assert edge.amin((0, 1)).tolist() == list(low)
    assert edge.amax((0, 1)).tolist() == list(high)
    assert start.min() == 3
    assert ((torch.tensor(size) - start - edge).amin((0, 1)) == 3).all()


def test_number_of_boxes() -> None:
    edge = InPaint().sample_boxes((20_000, 1, 16, 16), torch.Generator().manual_seed(0)).edge
    count = torch.bincount((edge[..., 0] > 0).sum(1), minlength=6) / 20_000
    expected = torch.tensor([0.05 * 0.95**k for k in range(5)] + [0.95**5])
    torch.testing.assert_close(count, expected, atol=0.01, rtol=0)
