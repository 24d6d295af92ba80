from __future__ import annotations

import pytest

from monai_sg.commands.demo_steps import PRETRAINED, _check, _check_liver
from monai_sg.studies.comparison import Comparison
from monai_sg.studies.voxel_baselines import THRESHOLD
from tests.studies.test_evaluation import evaluation


@pytest.mark.parametrize(("network", "accuracy", "words"), [(0.05, 0.9, "restoration error"), (0.01, 0.4, "by chance")])
def test_a_demo_that_learnt_nothing_fails(network: float, accuracy: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        _check(evaluation(network, 0.05, 0.06, accuracy))


def test_a_network_no_better_than_a_threshold_fails_the_demo() -> None:
    def comparison(dice: float) -> Comparison:
        rows = [(PRETRAINED, 10, dice), (THRESHOLD, 0, 0.3)]
        return Comparison([{"arm": arm, "seed": 0, "epochs": e, "dice@0.5_pooled": value} for arm, e, value in rows])

    _check_liver(comparison(0.31), 10)
    with pytest.raises(ValueError, match=r"Dice of 0\.200, the best single intensity threshold 0\.300"):
        _check_liver(comparison(0.2), 10)
