from __future__ import annotations

import json
import math
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from ignite.engine import Engine
from ignite.exceptions import NotComputableError

from monai_sg.metrics.overlap import (
    MEASURES,
    MeasureOverlapd,
    Overlap,
    overlap_counts,
    overlap_measures,
    soft_dice_loss,
)
from tests.ranks import run_ranks


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
    for predicted in (torch.zeros(3), torch.tensor([0.0, 0.9, 1.0])):
        nothing = overlap_measures(overlap_counts(predicted, torch.zeros(3)))
        assert set(nothing) == set(MEASURES)
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


def case(name: str, probability: list[Any], label: list[Any]) -> dict[str, Any]:
    """Measure a case; rows of several structures, or the voxels of one."""
    p, g = (torch.atleast_2d(torch.tensor(values)) for values in (probability, label))
    measured = MeasureOverlapd()({"pred": p, "label": g, "id": name})
    assert measured["case"] == name
    return measured


ONE, TWO = case("one", [0.9, 0.1], [1, 0]), case("two", [0.9, 0.9, 0.9, 0.9], [1, 0, 0, 0])
EMPTY = case("empty", [0.0, 0.0], [0, 0])
FALSE = case("false", [0.9, 0.0], [0, 0])


def computed(metric: Overlap, *batches: list[dict[str, Any]]) -> dict[str, float]:
    engine = Engine(lambda engine, batch: batch)
    metric.attach(engine, "overlap")
    return engine.run(batches).metrics


def test_one_metric_gives_all_measures_per_case_and_pooled() -> None:
    found = computed(Overlap(["liver"]), [ONE], [TWO, EMPTY])
    assert set(found) == {"loss", *MEASURES, *(f"{name}_pooled" for name in MEASURES)}
    assert found["dice@0.5"] == pytest.approx((1 + 2 / 5) / 2)
    assert found["dice@0.5_pooled"] == pytest.approx(4 / 7)
    assert found["iou_fg@0.5"] == pytest.approx((1 + 1 / 4) / 2)
    assert found["iou_fg@0.5_pooled"] == pytest.approx(2 / 5)
    assert found["loss"] == pytest.approx(((1 - 2.8 / 3) + (1 - 2.8 / 5.6) + 0) / 3)


def test_what_is_found_where_there_is_nothing_counts_in_the_pooled_measures_only() -> None:
    found = computed(Overlap(), [ONE, FALSE])
    assert found["dice@0.5"] == 1
    assert found["dice@0.5_pooled"] == pytest.approx(2 / 3)


def test_several_structures_have_their_own_values_and_the_mean_of_those_that_are_defined() -> None:
    both = case("both", [[0.9, 0.1], [0.9, 0.9]], [[1, 0], [1, 0]])
    half = case("half", [[0.9, 0.1], [0.1, 0.1]], [[0, 1], [0, 0]])
    found = computed(Overlap(["head", "tail"]), [both, half])
    assert found["dice@0.5_head"] == pytest.approx((1 + 0) / 2)
    assert found["dice@0.5_tail"] == pytest.approx(2 / 3), "in the second case there is none to find"
    assert found["dice@0.5"] == pytest.approx(((1 + 2 / 3) / 2 + 0) / 2)
    assert found["dice@0.5_head_pooled"] == pytest.approx(2 / 4)
    assert found["dice@0.5_pooled"] == pytest.approx((2 / 4 + 2 / 3) / 2)
    assert found["loss"] == pytest.approx(mean([1 - 2.8 / 3, 1 - 2.8 / 3.8, 1 - 1.2 / 3, 1 - 1 / 1.2]), abs=1e-6)


def test_structures_and_names_have_to_agree() -> None:
    with pytest.raises(ValueError, match=r"1 structures were predicted, but 2 are named"):
        computed(Overlap(["head", "tail"]), [ONE])
    with pytest.raises(ValueError, match=r"\(2, 2\) cannot be compared with a label of shape \(1, 2\)"):
        case("a", [[0.1, 0.2], [0.3, 0.4]], [0, 1])


def test_a_case_that_is_seen_twice_counts_once() -> None:
    assert computed(Overlap(), [ONE], [TWO], [ONE]) == computed(Overlap(), [TWO, ONE])


def test_without_cases_there_is_no_value_and_where_none_is_defined_it_is_nan() -> None:
    with pytest.raises(NotComputableError):
        Overlap().compute()
    found = computed(Overlap(), [EMPTY])
    assert math.isnan(found["dice@0.5"])
    assert math.isnan(found["dice@0.5_pooled"])
    assert found["loss"] == 0


def _of_rank(rank: int, world: int, path: str, cases: list[dict[str, Any]]) -> None:
    dist.init_process_group("gloo", rank=rank, world_size=world, init_method=f"file://{path}/meet")
    found = computed(Overlap(), cases[rank::world])
    Path(path, f"rank_{rank}.json").write_text(json.dumps(found))
    dist.destroy_process_group()


@pytest.mark.dist
def test_ranks_give_what_one_process_gives(tmp_path: Path) -> None:
    cases = [ONE, TWO, case("three", [0.7, 0.2, 0.96], [1, 1, 0])]
    run_ranks(_of_rank, 2, str(tmp_path), cases)
    for rank in range(2):
        assert json.loads((tmp_path / f"rank_{rank}.json").read_text()) == computed(Overlap(), cases)
