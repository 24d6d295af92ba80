from __future__ import annotations

import pytest
import torch

from monai_sg.transforms.in_paint import InPaint
from monai_sg.transforms.out_paint import OutPaint
from monai_sg.transforms.painting import Boxes, Painting, inside, uniform_noise

BOTH = pytest.mark.parametrize("kind", [InPaint, OutPaint])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_mask_by_hand() -> None:
    boxes = Boxes(torch.tensor([[[0, 1], [2, 0], [0, 0]]]), torch.tensor([[[2, 2], [1, 1], [0, 0]]]))
    mask = inside(boxes, (3, 4))
    assert mask.int().tolist() == [[[[0, 1, 1, 0], [0, 1, 1, 0], [1, 0, 0, 0]]]]


def test_mask_of_a_volume_is_the_union_of_its_boxes() -> None:
    boxes = InPaint().sample_boxes((4, 1, 20, 16, 12), seeded())
    expected = torch.zeros(4, 1, 20, 16, 12, dtype=torch.bool)
    for crop in range(4):
        for (x, y, z), (a, b, c) in zip(boxes.start[crop].tolist(), boxes.edge[crop].tolist(), strict=True):
            expected[crop, 0, x : x + a, y : y + b, z : z + c] = True
    assert torch.equal(inside(boxes, (20, 16, 12)), expected)


@BOTH
@pytest.mark.parametrize("size", [(64, 64, 32), (224, 224)])
def test_edges_and_places_of_boxes_are_uniform_up_to_both_ends(kind: type[Painting], size: tuple[int, ...]) -> None:
    boxes = kind(more_prob=1.0).sample_boxes((4000, 1, *size), seeded())
    for axis, length in enumerate(size):
        edge, start = boxes.edge[..., axis].flatten(), boxes.start[..., axis].flatten()
        values = int(edge.max() - edge.min() + 1)
        shares = torch.bincount(edge - edge.min()) * values / len(edge)
        assert (shares - 1).abs().max() < 4 * (values / len(edge)) ** 0.5  # standard errors
        places = length - edge - 5
        expected, error = float((1 / places).mean()), float((1 / places).mean() / len(edge)) ** 0.5
        for end in (start == 3, start + edge == length - 3):
            assert end.float().mean() == pytest.approx(expected, abs=4 * error)


@BOTH
@pytest.mark.parametrize("size", [(4, 4), (5, 9), (8, 8, 8), (64, 64, 8), (16, 16, 16), (7, 6, 4)])
def test_boxes_fit_into_small_crops(kind: type[Painting], size: tuple[int, ...]) -> None:
    boxes = kind(more_prob=1.0).sample_boxes((200, 1, *size), seeded())
    assert boxes.edge.min() >= 1
    assert boxes.start.min() >= 0
    assert (boxes.start + boxes.edge <= torch.tensor(size)).all()
    assert (boxes.edge < torch.tensor(size)).all()


@BOTH
def test_noise_stands_where_the_mask_is_and_nowhere_else(kind: type[Painting]) -> None:
    x = torch.full((5, 2, 32, 32), 2.0)
    corruption = kind(more_prob=1.0)
    params = corruption.sample(x.shape, seeded())
    out = corruption.apply(x, params)
    assert torch.equal(out != 2, params["mask"].expand_as(x))
    painted = out[out != 2]
    assert painted.unique().numel() > 0.9 * painted.numel()  # one number per voxel and channel
    assert painted.mean() == pytest.approx(0.5, abs=0.02)


@BOTH
def test_probability_of_painting(kind: type[Painting]) -> None:
    mask = kind(prob=0.3, more_prob=1.0).sample((1000, 1, 8, 8), seeded())["mask"]
    assert mask.flatten(1).any(1).float().mean() == pytest.approx(0.3, abs=0.05)


@BOTH
def test_axes_below_four_voxels_are_refused(kind: type[Painting]) -> None:
    with pytest.raises(ValueError, match=r"\(16, 16, 3\) voxels cannot be painted"):
        kind().sample((1, 1, 16, 16, 3), seeded())


@BOTH
@pytest.mark.parametrize("boxes", [0, 9])
def test_numbers_of_boxes_that_are_refused(kind: type[Painting], boxes: int) -> None:
    with pytest.raises(ValueError, match=f"boxes is {boxes}"):
        kind(boxes=boxes)


def test_all_eight_boxes_are_marked() -> None:
    start = torch.stack([torch.arange(8), torch.zeros(8, dtype=torch.int64)], 1)[None]
    assert inside(Boxes(start, torch.ones_like(start)), (8, 4)).int().sum((2, 3)).tolist() == [[8]]


@pytest.mark.parametrize("shape", [(1, 1, 101, 99), (64, 1, 32, 32)])
def test_noise_is_uniform_and_independent(shape: tuple[int, ...]) -> None:
    noise = uniform_noise(shape, seeded())
    assert noise.shape == shape
    assert 0 <= noise.min() < 0.001
    assert 0.999 < noise.max() < 1
    flat = noise.flatten()
    quartiles = torch.histc(flat, 4, 0, 1) / flat.numel()
    assert (quartiles - 0.25).abs().max() < 0.02
    for lag in range(1, 5):  # four numbers come from one draw
        assert torch.corrcoef(torch.stack([flat[lag:], flat[:-lag]]))[0, 1].abs() < 0.03
