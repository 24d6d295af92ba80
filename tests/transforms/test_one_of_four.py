from __future__ import annotations

import pytest
import torch

from monai_sg.transforms.one_of_four import OneOfFour

SHAPES = [(24, 1, 40, 24), (24, 2, 20, 16, 12)]

both_shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_exactly_one_each_a_quarter_of_the_time() -> None:
    params = OneOfFour(shuffle_blocks=50).sample((1500, 1, 20, 20), seeded())
    choice, mask = params["choice"], params["mask"].flatten(1)
    shares = torch.bincount(choice, minlength=4) / 1500
    assert (shares - 0.25).abs().max() < 0.034  # 3 standard errors
    assert torch.equal((params["index"] != torch.arange(400)).any(1), choice == 0)
    assert torch.equal(params["active"], choice == 1)
    assert torch.equal(mask.any(1), choice >= 2)
    assert torch.equal(mask[:, 0], choice == 3)  # the corner is painted by out-painting only
    assert params["warped"].all()


def test_one_box_and_one_window_of_the_published_sizes() -> None:
    params = OneOfFour().sample((400, 1, 32, 32, 16), seeded())
    for choice, low, high, painted in ((2, (5, 5, 2), (10, 10, 5), True), (3, (14, 14, 7), (19, 19, 10), False)):
        found = params["mask"][params["choice"] == choice, 0] == painted
        for axis, others in enumerate(((2, 3), (1, 3), (1, 2))):
            line = found.any(others[1]).any(others[0])
            edge = line.sum(1)
            assert (line.int().diff().abs().sum(1) == 2).all()  # one run, away from the borders
            assert (int(edge.min()), int(edge.max())) == (low[axis], high[axis])
        volume = found.any(3).any(2).sum(1) * found.any(3).any(1).sum(1) * found.any(2).any(1).sum(1)
        assert torch.equal(found.flatten(1).sum(1), volume)  # a box altogether


@both_shapes
def test_chosen_crops_alone_and_all_crops_at_once_are_the_same(shape: tuple[int, ...]) -> None:
    corruption = OneOfFour(0.7, 40, "exact", 5, 0.9)
    x = torch.rand(shape, generator=seeded(1))
    params = corruption.sample(shape, seeded())
    assert len(params["choice"].unique()) == 4
    assert torch.equal(corruption.apply(x, params), corruption._apply_to_all(x, params))


@both_shapes
def test_the_warp_comes_first(shape: tuple[int, ...]) -> None:
    corruption = OneOfFour(shuffle_blocks=40)
    x = torch.rand(shape, generator=seeded(1))
    params = corruption.sample(shape, seeded())
    out, warped = corruption.apply(x, params), corruption.warp.apply(x, params)
    shuffled, mapped = corruption.shuffle.apply(warped, params), corruption.intensity.apply(warped, params)
    painted = torch.where(params["mask"], params["noise"], warped)
    for choice, expected in enumerate((shuffled, mapped, painted, painted)):
        chosen = params["choice"] == choice
        assert torch.equal(out[chosen], expected[chosen])
        assert not torch.equal(out[chosen], warped[chosen])


def test_without_the_warp_kept_voxels_are_those_of_the_crop() -> None:
    x = torch.rand((32, 1, 20, 20), generator=seeded(1))
    corruption = OneOfFour(warp_prob=0.0)
    params = corruption.sample(x.shape, seeded())
    out, kept = corruption.apply(x, params), params["choice"] >= 2
    assert torch.equal((out != x)[kept], params["mask"][kept])
    for crop in (params["choice"] == 0).nonzero()[:, 0]:
        assert torch.isin(out[crop], x[crop]).all()
