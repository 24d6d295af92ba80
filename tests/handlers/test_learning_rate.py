from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine, Events
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau, StepLR

from monai_sg.handlers.learning_rate import LearningRate


def rates(scheduler: type[LRScheduler | ReduceLROnPlateau], losses: dict[int, float], **more: float) -> list[float]:
    """Return the learning rate of each of twelve epochs; a validation in the epochs of ``losses`` gives that loss."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    validator = SimpleNamespace(state=SimpleNamespace(metrics={}))
    engine = Engine(lambda engine, batch: optimizer.step())
    found: list[float] = []

    def validate(engine: Engine) -> None:
        found.append(optimizer.param_groups[0]["lr"])
        if engine.state.epoch in losses:
            validator.state.metrics = {"loss": losses[engine.state.epoch]}

    engine.add_event_handler(Events.EPOCH_COMPLETED, validate)
    LearningRate(scheduler(optimizer, **more), validator).attach(engine)
    engine.run([0], max_epochs=12)
    return found


@pytest.mark.parametrize("interval", [1, 2, 4])
def test_patience_of_a_plateau_counts_epochs_whatever_the_interval_of_validation(interval: int) -> None:
    losses = dict.fromkeys(range(interval, 13, interval), 1.0)
    found = rates(ReduceLROnPlateau, losses, factor=0.5, patience=3)
    # The first validation is the best; the rate falls after the fourth epoch without a better one.
    fall = interval + 4
    assert found == [1.0] * fall + [0.5] * min(4, 12 - fall) + [0.25] * max(0, 8 - fall)


def test_other_schedules_step_every_epoch() -> None:
    assert rates(StepLR, {}, step_size=4, gamma=0.1) == pytest.approx([1.0] * 4 + [0.1] * 4 + [0.01] * 4)
