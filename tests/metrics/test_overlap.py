from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from ignite.exceptions import NotComputableError

from monai_sg.metrics.overlap import (
    MEASURES,
    MeasureOverlapd,
    Overlap,
    overlap_counts,
    overlap_measures,
    soft_dice_loss,
)


def reference(probability: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """Work the measures out voxel by voxel and threshold by threshold."""
    truth = label.astype(bool)

    def iou(one: np.ndarray, other: np.ndarray) -> float:
        return (one & other).sum() / (one | other).sum()

    half = probability >= np.float32(0.5)
    both = []
    for step in range(10):
        above = probability >= np.float32(0.5 + 0.05 * step)
        both.append((iou(above, truth) + iou(~above, ~truth)) / 2)
    dice = 2 * (half & truth).sum() / (half.sum() + truth.sum())
    return dict(zip(MEASURES, (iou(half, truth), dice, np.mean(both)), strict=True))


@pytest.mark.parametrize("shape", [(1, 9, 8, 7), (1, 30, 20)])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_measures_equal_those_worked_out_with_numpy(shape: tuple[int, ...], share: float) -> None:
    generator = np.random.default_rng(0)
    label = generator.random(shape) < share
    probability = np.clip(generator.random(shape) * 0.6 + label * 0.4, 0, 1).astype(np.float32)
    probability.flat[:20] = np.float32([0.5 + 0.05 * (step % 10) for step in range(20)])
    found = overlap_measures(overlap_counts(torch.from_numpy(probability), torch.from_numpy(label)))
    for name, value in reference(probability, label).items():
        assert found[name] == pytest.approx(value, abs=1e-12), name


def test_counts_by_hand() -> None:
    probability = torch.tensor([0.2, 0.5, 0.6, 0.97, 0.99, 0.4])
    label = torch.tensor([0, 0, 1, 1, 0, 1])
    counts = overlap_counts(probability, label)
    assert counts.tolist() == [[1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1], [1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]]
    measures = overlap_measures(counts)
    assert measures["iou_fg@0.5"] == pytest.approx(2 / 5)
    assert measures["dice@0.5"] == pytest.approx(4 / 7)


def test_perfect_and_empty_answers() -> None:
    label = torch.tensor([0.0, 1.0, 1.0])
    assert overlap_measures(overlap_counts(label, label)) == dict.fromkeys(MEASURES, 1.0)
    nothing = overlap_measures(overlap_counts(torch.zeros(3), torch.zeros(3)))
    assert all(math.isnan(value) for value in nothing.values())
    missed = overlap_measures(overlap_counts(torch.zeros(3), label))
    assert missed["dice@0.5"] == 0
    assert missed["mean_iou_bg_multithr"] == pytest.approx(1 / 6)


def test_counts_of_cases_add_up_to_those_of_all_voxels() -> None:
    probability, label = torch.rand(2, 1, 5, 6), torch.rand(2, 1, 5, 6) > 0.5
    parts = [overlap_counts(p, g) for p, g in zip(probability, label, strict=True)]
    assert torch.equal(parts[0] + parts[1], overlap_counts(probability, label))


def test_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 4\) cannot be compared with a label of shape \(1, 5\)"):
        overlap_counts(torch.rand(1, 4), torch.ones(1, 5))


def test_soft_dice_loss_by_hand() -> None:
    assert float(soft_dice_loss(torch.tensor([0.5, 1.0, 0.25]), torch.tensor([1, 1, 0]))) == pytest.approx(1 - 4 / 4.75)
    assert float(soft_dice_loss(torch.zeros(4), torch.zeros(4))) == 0


def case(probability: list[float], label: list[int]) -> dict[str, torch.Tensor]:
    measured = MeasureOverlapd()({"pred": torch.tensor([probability]), "label": torch.tensor([label]), "id": "a"})
    assert measured["id"] == "a"
    return measured


ONE, TWO, EMPTY = case([0.9, 0.1], [1, 0]), case([0.9, 0.9, 0.9, 0.9], [1, 0, 0, 0]), case([0.0, 0.0], [0, 0])


@pytest.mark.parametrize(
    ("measure", "reduction", "value"),
    [
        ("dice@0.5", "case", (1 + 2 / 5) / 2),
        ("dice@0.5", "pooled", 4 / 7),
        ("iou_fg@0.5", "case", (1 + 1 / 4) / 2),
        ("iou_fg@0.5", "pooled", 2 / 5),
        ("loss", "case", ((1 - 2.8 / 3) + (1 - 2.8 / 5.6) + 0) / 3),
    ],
)
def test_metric_per_case_and_pooled(measure: str, reduction: str, value: float) -> None:
    metric = Overlap(measure, reduction)
    metric.update([ONE])
    metric.update([TWO, EMPTY])
    assert metric.compute() == pytest.approx(value)


def test_a_metric_without_cases_and_an_unknown_one_are_refused() -> None:
    for reduction in ("case", "pooled"):
        with pytest.raises(NotComputableError):
            Overlap("dice@0.5", reduction).compute()
    for measure, reduction in [("dice", "case"), ("dice@0.5", "sum"), ("loss", "pooled")]:
        with pytest.raises(ValueError, match="There is no"):
            Overlap(measure, reduction)


@pytest.mark.parametrize("reduction", ["case", "pooled"])
def test_a_metric_that_is_defined_for_none_of_the_cases_is_nan(reduction: str) -> None:
    undefined = Overlap("dice@0.5", reduction)
    undefined.update([EMPTY])
    assert math.isnan(undefined.compute())
