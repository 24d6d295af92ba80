from __future__ import annotations

from pathlib import Path

import pytest

from monai_sg.runs.chain import Chain
from monai_sg.studies.evaluation import Evaluation, evaluate
from tests.bundles.families.semantic_genesis import BUNDLE, overrides


def evaluation(network: float, mean: float, median: float, accuracy: float) -> Evaluation:
    answers = {"network": network, "mean": mean, "median": median}
    metrics = {f"mse_{name}_{region}": v for name, v in answers.items() for region in ("all", "inside", "outside")}
    return Evaluation("test", 8, 2, 10, {**metrics, "balanced_accuracy_clean": accuracy}, {"guess": 0.1})


def test_ratio_is_to_the_better_trivial_answer_and_accuracy_in_multiples_of_chance() -> None:
    result = evaluation(0.02, 0.04, 0.10, 0.7)
    assert result.restoration_ratio == pytest.approx(0.5)
    assert result.times_chance == pytest.approx(7.0)
    text = "\n".join(result.lines())
    assert "0.50" in text
    assert "guess" in text


def test_evaluation_of_a_finished_run(finished_run: Path, phantom_cohort: Path) -> None:
    chain = Chain(BUNDLE, overrides(phantom_cohort, finished_run))
    result = evaluate(chain)
    assert result.split == "test"
    assert result.num_classes == 4
    assert 0 < result.restoration_ratio < 10
    assert set(result.baselines) == {
        "logistic regression, intensity histogram",
        "logistic regression, random network",
    }
    assert all(0 <= value <= 1 for value in result.baselines.values())
