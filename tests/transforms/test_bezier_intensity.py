from __future__ import annotations

import pytest
import torch

from monai_sg.transforms.bezier_intensity import BezierIntensity, bezier_table

STRAIGHT = [[1 / 3, 1 / 3], [2 / 3, 2 / 3]]


def table_of(control: list[list[float]], inverted: bool, points: int = 1000) -> torch.Tensor:
    return bezier_table(torch.tensor([control]), torch.tensor([inverted]), points)[0]


def test_points_on_the_diagonal_give_the_identity() -> None:
    grid = torch.linspace(0, 1, 1000)
    torch.testing.assert_close(table_of(STRAIGHT, False), grid, atol=1e-6, rtol=0)
    torch.testing.assert_close(table_of(STRAIGHT, True), 1 - grid, atol=1e-6, rtol=0)


def test_values_by_hand() -> None:
    # Control points (1/3, 0) and (2/3, 0): x(t) = t, y(t) = t^3, so g(x) = x^3 and h(x) = (1 - x)^3.
    control = [[1 / 3, 0.0], [2 / 3, 0.0]]
    grid = torch.linspace(0, 1, 1001)
    torch.testing.assert_close(table_of(control, False, 1001), grid**3, atol=1e-5, rtol=0)
    torch.testing.assert_close(table_of(control, True, 1001), (1 - grid) ** 3, atol=1e-5, rtol=0)
    assert (table_of(control, True, 1001) - (1 - table_of(control, False, 1001))).abs().max() > 0.3  # h is not 1 - g


EXTREMES = [[[1, 0], [0, 1]], [[1, 0], [1, 0]], [[0, 1], [0, 1]], [[0, 0], [1, 1]], [[1, 1], [1, 1]]]


@pytest.mark.parametrize("extreme", EXTREMES)
@pytest.mark.parametrize("inverted", [False, True])
def test_extreme_curves_are_monotone_with_exact_ends(extreme: list[list[float]], inverted: bool) -> None:
    table = table_of([[float(v) for v in row] for row in extreme], inverted)
    steps = table.diff()
    assert (steps <= 1e-6).all() if inverted else (steps >= -1e-6).all()
    assert (table[0], table[-1]) == ((1, 0) if inverted else (0, 1))
    assert 0 <= table.min() <= table.max() <= 1


def test_random_maps_are_monotone_and_half_of_them_decrease() -> None:
    table = BezierIntensity().sample((1000, 1, 4, 4), torch.Generator().manual_seed(0))["table"]
    decreasing = table[:, 0] == 1
    rise = torch.where(decreasing[:, None], -table.diff(), table.diff())
    assert rise.min() >= -1e-6
    assert decreasing.float().mean() == pytest.approx(0.5, abs=0.05)  # 3 standard errors
    between = table[~decreasing, 500]
    assert between.std() > 0.1  # the curves differ


@pytest.mark.parametrize("shape", [(64, 1, 9, 7), (64, 2, 5, 4, 3)])
def test_ends_of_the_range_map_to_ends(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    corruption = BezierIntensity(prob=1.0)
    params = corruption.sample(shape, generator)
    low, high = corruption.apply(torch.zeros(shape), params), corruption.apply(torch.ones(shape), params)
    inverted = low.flatten(1)[:, 0] == 1
    assert 10 < inverted.sum() < 54
    assert torch.equal(low, torch.zeros(shape) + inverted.view(-1, *[1] * (len(shape) - 1)))
    assert torch.equal(high, 1 - low)
    assert torch.equal(corruption.apply(torch.full(shape, -0.5), params), low)
    assert torch.equal(corruption.apply(torch.full(shape, 1.5), params), high)


def test_intensities_between_table_entries_are_interpolated() -> None:
    params = {"active": torch.tensor([True]), "table": torch.tensor([[0.0, 0.5, 1.0, 0.0]])}
    x = torch.tensor([0.0, 1 / 6, 1 / 3, 0.5, 5 / 6, 1.0]).view(1, 1, 2, 3)
    expected = torch.tensor([0.0, 0.25, 0.5, 0.75, 0.5, 0.0]).view(1, 1, 2, 3)
    torch.testing.assert_close(BezierIntensity().apply(x, params), expected, atol=1e-6, rtol=0)


def test_crops_left_out_come_back_bit_for_bit() -> None:
    x = torch.rand(400, 1, 4, 4) * 3 - 1
    corruption = BezierIntensity(prob=0.9)
    params = corruption.sample(x.shape, torch.Generator().manual_seed(0))
    same = (corruption.apply(x, params) == x).flatten(1).all(1)
    assert torch.equal(same, ~params["active"])
    assert 0.06 < same.float().mean() < 0.14


def test_gradient_is_the_slope_of_the_curve() -> None:
    x = torch.rand(1, 1, 8, 8, requires_grad=True)
    params = {"active": torch.tensor([True]), "table": torch.tensor([[0.0, 0.25, 1.0]])}
    BezierIntensity().apply(x, params).sum().backward()
    torch.testing.assert_close(x.grad, torch.where(x < 0.5, 0.5, 1.5))


def test_one_point_is_refused() -> None:
    with pytest.raises(ValueError, match="points is 1"):
        BezierIntensity(points=1)
