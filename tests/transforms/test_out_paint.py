from __future__ import annotations

import pytest
import torch

from monai_sg.transforms.out_paint import OutPaint

# size, smallest and largest window edge, from n - (3n // 7 ... 4n // 7)
CASES = [
    ((64, 64, 32), (28, 28, 14), (37, 37, 19)),
    ((224, 224), (96, 96), (128, 128)),
    ((32, 32, 16), (14, 14, 7), (19, 19, 10)),
]


@pytest.mark.parametrize(("size", "low", "high"), CASES)
def test_window_edges_and_corners(size: tuple[int, ...], low: tuple[int, ...], high: tuple[int, ...]) -> None:
    start, edge = OutPaint(more_prob=1.0).sample_boxes((4000, 1, *size), torch.Generator().manual_seed(0))
    assert edge.amin((0, 1)).tolist() == list(low)
    assert edge.amax((0, 1)).tolist() == list(high)
    assert start.min() == 3
    assert ((torch.tensor(size) - start - edge).amin((0, 1)) == 3).all()


def test_number_of_windows() -> None:
    edge = OutPaint().sample_boxes((20_000, 1, 16, 16), torch.Generator().manual_seed(0)).edge
    count = torch.bincount((edge[..., 0] > 0).sum(1), minlength=6) / 20_000
    expected = torch.tensor([0.0] + [0.05 * 0.95**k for k in range(4)] + [0.95**4])
    torch.testing.assert_close(count, expected, atol=0.01, rtol=0)


def test_borders_are_always_noise() -> None:
    mask = OutPaint().sample((50, 1, 24, 24, 24), torch.Generator().manual_seed(0))["mask"]
    for axis in (2, 3, 4):
        assert mask.narrow(axis, 0, 3).all()
        assert mask.narrow(axis, 21, 3).all()
    assert not mask.flatten(1).all(1).any()
