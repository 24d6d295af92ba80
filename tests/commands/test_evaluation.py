from __future__ import annotations

from pathlib import Path

import pytest

from monai_sg.commands.chain import Chain
from monai_sg.commands.demo import _check
from monai_sg.commands.evaluation import Evaluation, evaluate
from monai_sg.commands.pictures import draw_all
from tests.bundles.small_run import BUNDLE, overrides


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


@pytest.mark.parametrize(("network", "accuracy", "words"), [(0.05, 0.9, "restoration error"), (0.01, 0.4, "by chance")])
def test_a_demo_that_learnt_nothing_fails(network: float, accuracy: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        _check(evaluation(network, 0.05, 0.06, accuracy))


def test_evaluation_and_pictures_of_a_finished_run(finished_run: Path, phantom_cohort: Path, tmp_path: Path) -> None:
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
    for path in draw_all(chain, tmp_path):
        assert path.read_bytes().startswith(b"\x89PNG")
