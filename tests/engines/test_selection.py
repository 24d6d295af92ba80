from __future__ import annotations

import math

import pytest
import torch
from monai.data import DataLoader

from monai_sg.engines.supervised import SupervisedEvaluator
from monai_sg.metrics.overlap import Overlap

NAN = math.nan


class Given(Overlap):
    """Gives the values it is told, one mapping per validation."""

    def __init__(self, values: list[dict[str, float]]) -> None:
        self.values = list(values)
        super().__init__()

    def update(self, output: object) -> None:
        """Look at nothing."""

    def compute(self) -> dict[str, float]:
        return self.values.pop(0)


def best_epochs(values: list[float], larger: bool, name: str = "dice@0.5") -> list[tuple[int, float]]:
    """Return the best epoch and its value after each validation."""
    evaluator = SupervisedEvaluator(
        device="cpu",
        val_data_loader=DataLoader([{"image": torch.zeros(1, 2), "label": torch.zeros(1, 2)}]),
        network=torch.nn.Linear(2, 2),
        key_val_metric={"overlap": Given([{"loss": 0.0, "dice@0.5": value} for value in values])},
        select_by=name,
        larger_is_better=larger,
    )
    found = []
    for epoch in range(1, len(values) + 1):
        evaluator.run(epoch)
        found.append((evaluator.state.best_metric_epoch, evaluator.state.best_metric))
    assert evaluator.state.key_metric_name == name
    return found


@pytest.mark.parametrize(
    ("values", "larger", "epochs"),
    [
        ([0.2, 0.5, 0.5, 0.4, 0.6], True, [1, 2, 2, 2, 5]),
        ([0.2, 0.5, 0.1, 0.1], False, [1, 1, 3, 3]),
        ([NAN, 0.0, NAN, 0.3], True, [-1, 2, 2, 4]),
        ([NAN, 5.0, NAN, 0.3], False, [-1, 2, 2, 4]),
        ([NAN, NAN], True, [-1, -1]),
    ],
)
def test_best_is_what_one_of_many_metrics_says_and_never_not_a_number(
    values: list[float], larger: bool, epochs: list[int]
) -> None:
    found = best_epochs(values, larger)
    assert [epoch for epoch, _ in found] == epochs
    assert all(value == values[epoch - 1] for epoch, value in found if epoch > 0)


def test_an_unknown_metric_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"no metric 'dice' .* one of loss, dice@0\.5"):
        best_epochs([0.5], True, "dice")
