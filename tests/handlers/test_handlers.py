from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events

from monai_sg.handlers.early_stop import EarlyStop
from monai_sg.handlers.history import History, read_history
from monai_sg.handlers.non_finite_loss import NonFiniteLoss
from monai_sg.handlers.progress import Progress

STEPS = 3


def trainer(*, losses: Callable[[int], float] = float) -> Engine:
    """Make a trainer that has, in step n, the loss ``losses(n)``."""
    engine = Engine(lambda engine, batch: {"loss": torch.tensor(losses(engine.state.iteration))})
    engine.optimizer = SimpleNamespace(param_groups=[{"lr": 0.1}])
    return engine


def validator(engine: Engine, metrics: list[float | None]) -> SimpleNamespace:
    """Make a validator whose loss after epoch n is ``metrics[n - 1]``; there is no validation where it is None."""
    state = SimpleNamespace(epoch=0, metrics={}, best_metric=float("inf"), best_metric_epoch=-1)

    def validate(engine: Engine) -> None:
        value = metrics[engine.state.epoch - 1]
        if value is not None:
            state.epoch, state.metrics = engine.state.epoch, {"loss": value}
            if value < state.best_metric:
                state.best_metric, state.best_metric_epoch = value, engine.state.epoch

    engine.add_event_handler(Events.EPOCH_COMPLETED, validate)
    return SimpleNamespace(state=state)


def batches(ids: bool = True) -> list[dict[str, Any]]:
    return [{"id": [f"scan_{step}"]} if ids else {} for step in range(STEPS)]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_no_number_stops_with_the_ids(value: float) -> None:
    engine = trainer(losses=lambda step: value if step == 5 else 1.0)
    NonFiniteLoss(interval=2).attach(engine)
    with pytest.raises(FloatingPointError, match=r"step 5 .*\['scan_1'\]"):
        engine.run(batches(), max_epochs=3)
    assert engine.state.iteration == 6, "losses are looked at every second step"


def test_the_last_steps_of_an_epoch_are_looked_at_before_later_handlers() -> None:
    engine = trainer(losses=lambda step: float("nan") if step == STEPS else 1.0)
    NonFiniteLoss(interval=100).attach(engine)
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda: pytest.fail("weights of a broken epoch are saved"))
    with pytest.raises(FloatingPointError, match=r"step 3 .*\[\]"):
        engine.run(batches(ids=False), max_epochs=1)


def test_finite_losses_go_on() -> None:
    engine = trainer()
    NonFiniteLoss(interval=STEPS).attach(engine)
    assert engine.run(batches(), max_epochs=3).iteration == 3 * STEPS


@pytest.mark.parametrize(
    ("metrics", "last"),
    [
        ([5.0, 4.0, 3.0, 2.0, 1.0, 0.5], 6),
        ([5.0, 4.0, 4.5, 4.1, 3.0, 2.0], 4),
        ([5.0, 4.0, 4.5, 3.9, 4.2, 4.0], 6),
        ([5.0, 5.0, 5.0, 4.0, 3.0, 2.0], 3),
        ([5.0, None, 6.0, None, 7.0, None], 3),
        ([5.0, None, None, 6.0, 7.0, 8.0], 4),
    ],
)
def test_training_stops_after_patience_epochs_without_a_better_loss(metrics: list[float | None], last: int) -> None:
    engine = trainer()
    EarlyStop(validator(engine, metrics), patience=2).attach(engine)
    completed: list[int] = []
    engine.add_event_handler(Events.COMPLETED, lambda engine: completed.append(engine.state.epoch))
    assert engine.run(batches(), max_epochs=6).epoch == last
    assert completed == [last], "a stopped run has ended, not failed"


def test_patience_survives_an_interruption() -> None:
    metrics: list[float | None] = [4.0, 5.0, 5.0, 3.0]
    second = trainer()
    restored = validator(second, metrics)
    restored.state.best_metric, restored.state.best_metric_epoch = 4.0, 1
    EarlyStop(restored, patience=2).attach(second)
    second.state.max_epochs, second.state.epoch, second.state.iteration = 4, 2, 2 * STEPS
    second.state.epoch_length = STEPS
    assert second.run(batches()).epoch == 3


def history(path: Path, metrics: list[float | None], epochs: int, start: int = 0) -> list[dict[str, float]]:
    engine = trainer()
    observed = validator(engine, metrics)
    engine.add_event_handler(
        Events.EPOCH_COMPLETED, lambda engine: engine.state.metrics.update(loss=10.0 * engine.state.epoch)
    )
    History(path, observed).attach(engine)
    if start:
        engine.state.epoch, engine.state.iteration = start, start * STEPS
        engine.state.epoch_length, engine.state.max_epochs = STEPS, epochs
        engine.run(batches())
    else:
        engine.run(batches(), max_epochs=epochs)
    return read_history(path)


def test_history_has_a_row_per_epoch(tmp_path: Path) -> None:
    rows = history(tmp_path / "a" / "metrics.csv", [0.5, 0.25], epochs=2)
    assert rows == [
        {"epoch": 1, "learning_rate": 0.1, "loss": 10, "validation_loss": 0.5},
        {"epoch": 2, "learning_rate": 0.1, "loss": 20, "validation_loss": 0.25},
    ]
    header = (tmp_path / "a" / "metrics.csv").read_text().splitlines()[0]
    assert header == "epoch,learning_rate,loss,validation_loss"
    assert read_history(tmp_path / "absent.csv") == []


def test_an_epoch_is_one_line_of_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="monai_sg.handlers.history"):
        history(tmp_path / "metrics.csv", [0.5, None, 0.75], epochs=3)
    assert [record.getMessage() for record in caplog.records if record.name == "monai_sg.handlers.history"] == [
        "Epoch 1 of 3: training loss 10.0000; validation loss 0.5000; best so far.",
        "Epoch 2 of 3: training loss 20.0000.",
        "Epoch 3 of 3: training loss 30.0000; validation loss 0.7500.",
    ]


def test_epochs_without_validation_have_no_validation_loss(tmp_path: Path) -> None:
    rows = history(tmp_path / "metrics.csv", [None, 0.5, None], epochs=3)
    assert [row.get("validation_loss") for row in rows] == [None, 0.5, None]


def test_a_resumed_run_continues_its_history_and_a_new_one_starts_it(tmp_path: Path) -> None:
    metrics: list[float | None] = [0.9, 0.5, None, 0.1]
    straight = history(tmp_path / "a.csv", metrics, epochs=4)
    history(tmp_path / "b.csv", metrics, epochs=3)
    assert history(tmp_path / "b.csv", metrics, epochs=3, start=2) == straight[:3]
    assert history(tmp_path / "b.csv", metrics, epochs=4, start=2) == straight
    assert len(history(tmp_path / "b.csv", metrics, epochs=1)) == 1


class Bar(list[Any]):
    """Stand in for tqdm: a list of what was done to it."""

    def __init__(self, total: int, initial: int, **style: Any) -> None:
        super().__init__([("open", initial, total)])
        self.total = total

    def update(self) -> None:
        self.append("step")

    def set_postfix(self, **values: str) -> None:
        self.append(values)

    def close(self) -> None:
        self.append("close")


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> list[Bar]:
    made: list[Bar] = []

    def make(**arguments: Any) -> Bar:
        made.append(Bar(**arguments))
        return made[-1]

    monkeypatch.setattr("monai_sg.handlers.progress.Bar", make)
    return made


def test_progress_counts_all_steps_and_shows_the_loss_now_and_then(
    bars: list[Bar], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monai_sg.handlers.progress.WORTH_SAYING", -1.0)
    engine = trainer()
    Progress("train", interval=4).attach(engine)
    with caplog.at_level(logging.INFO, logger="monai_sg.handlers.progress"):
        engine.run(batches(), max_epochs=2)
    shown = {"epoch": "2/2", "loss": "4.0000", "refresh": False}
    assert bars == [[("open", 0, 6), *["step"] * 4, shown, *["step"] * 2, "close"]]
    (sentence,) = (line.getMessage() for line in caplog.records if line.name == "monai_sg.handlers.progress")
    assert sentence.startswith("train: about 0 s left")


def test_progress_of_a_resumed_run_starts_where_it_was(bars: list[Bar]) -> None:
    engine = trainer()
    engine.state.epoch, engine.state.iteration, engine.state.epoch_length, engine.state.max_epochs = 1, 3, STEPS, 2
    Progress("train").attach(engine)
    engine.run(batches())
    assert bars == [[("open", 3, 6), *["step"] * 3, "close"]]


def test_progress_closes_its_bar_and_lets_an_error_through(bars: list[Bar]) -> None:
    engine = trainer(losses=lambda step: 1.0 if step < 3 else float("nan"))
    Progress("train").attach(engine)
    NonFiniteLoss(interval=1).attach(engine)
    with pytest.raises(FloatingPointError):
        engine.run(batches(), max_epochs=2)
    assert bars[0][-1] == "close"
