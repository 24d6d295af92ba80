from __future__ import annotations

import pytest

from monai_sg.commands.demo_steps import _check, _check_liver
from monai_sg.studies.comparison import PRETRAINED, Comparison
from tests.studies.test_comparison import row
from tests.studies.test_evaluation import evaluation


@pytest.mark.parametrize(("network", "accuracy", "words"), [(0.05, 0.9, "restoration error"), (0.01, 0.4, "by chance")])
def test_a_demo_that_learnt_nothing_fails(network: float, accuracy: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        _check(evaluation(network, 0.05, 0.06, accuracy))


def test_a_network_no_better_than_a_threshold_fails_the_demo() -> None:
    def comparison(dice: float) -> Comparison:
        return Comparison([row(PRETRAINED, 0, 10, dice), row("best threshold", 0, 0, 0.3)], {})

    _check_liver(comparison(0.31), 10)
    with pytest.raises(ValueError, match=r"Dice of 0\.200, the best single intensity threshold 0\.300"):
        _check_liver(comparison(0.2), 10)
