from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events

from monai_sg.handlers.resume import Resume
from monai_sg.runs.record import RunRecord

EPOCHS = 4


def trainer(folder: Path, interval: float = 0.0, scaler: torch.amp.GradScaler | None = None) -> Engine:
    """Make a trainer of one number, ``weight``, by Adam; ``epochs`` are those that it has run."""
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.Adam([weight], lr=0.1)

    def step(engine: Engine, batch: float) -> None:
        optimizer.zero_grad()
        (weight * batch).sum().backward()
        optimizer.step()

    engine = Engine(step)
    engine.weight, engine.optimizer, engine.scaler, engine.epochs = weight, optimizer, scaler, []
    engine.state.device, engine.state.best_metric, engine.state.best_metric_epoch = torch.device("cpu"), -1, -1
    validator = SimpleNamespace(state=SimpleNamespace(best_metric=0.0, best_metric_epoch=-1))
    engine.validator = validator
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda engine: validate(validator, engine))
    Resume(
        folder / "train" / "state.pt",
        {"network": torch.nn.ParameterList([weight]), "optimizer": optimizer},
        validator,
        RunRecord(folder / "run.json", "train", {"seed": 0}),
        interval,
    ).attach(engine)
    engine.add_event_handler(Events.EPOCH_STARTED, lambda engine: engine.epochs.append(engine.state.epoch))
    return engine


def validate(validator: Any, engine: Engine) -> None:
    """Be best in the second epoch."""
    if engine.state.epoch == 2:
        validator.state.best_metric, validator.state.best_metric_epoch = 0.5, 2


def run(engine: Engine, steps: int = 6, kill_in: int | None = None) -> Engine:
    """Run epochs of ``steps`` steps; be killed after the first step of an epoch."""

    def stop(engine: Engine) -> None:
        if engine.state.epoch == kill_in:
            raise KeyboardInterrupt

    engine.add_event_handler(Events.ITERATION_COMPLETED, stop)
    data = [float(step) for step in range(steps)]
    if kill_in is None:
        engine.run(data, max_epochs=EPOCHS)
    else:
        with pytest.raises(KeyboardInterrupt):
            engine.run(data, max_epochs=EPOCHS)
    return engine


def record(folder: Path) -> RunRecord:
    return RunRecord(folder / "run.json", "train", {"seed": 0})


def test_a_killed_run_goes_on_after_its_last_epoch_and_ends_like_one_that_was_not(tmp_path: Path) -> None:
    straight = run(trainer(tmp_path / "straight"))
    run(trainer(tmp_path), kill_in=3)
    assert (tmp_path / "train/state.pt").is_file()
    assert not record(tmp_path).is_finished
    again = run(trainer(tmp_path))
    assert again.epochs == [3, 4]
    assert torch.equal(again.weight, straight.weight)
    assert again.validator.state.best_metric_epoch == 2
    assert (again.validator.state.best_metric, again.state.iteration) == (0.5, 24)
    assert record(tmp_path).is_finished
    assert not (tmp_path / "train/state.pt").exists()


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1)])
def test_another_number_of_processes_goes_on_from_the_same_epoch_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, before: int, after: int
) -> None:
    monkeypatch.setattr("monai_sg.handlers.resume.world_size", lambda: before)
    run(trainer(tmp_path), 6 // before, kill_in=3)
    monkeypatch.setattr("monai_sg.handlers.resume.world_size", lambda: after)
    again = run(trainer(tmp_path), 6 // after)
    assert again.epochs == [3, 4]
    assert again.state.iteration == 4 * 6 // after
    assert f"began with {before} processes and goes on with {after}" in caplog.text
    assert record(tmp_path).is_finished


def test_the_state_is_read_on_the_cpu_where_the_count_of_steps_stays(tmp_path: Path) -> None:
    run(trainer(tmp_path), kill_in=3)
    again = trainer(tmp_path)
    again.state.device = torch.device("meta")
    run(again)
    steps = [state["step"] for state in again.optimizer.state.values()]
    assert [(step.device.type, step.item()) for step in steps] == [("cpu", 24.0)]


def test_a_state_is_saved_when_the_last_one_is_old_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr("monai_sg.handlers.resume.monotonic", lambda: clock.now)
    engine = trainer(tmp_path, interval=30.0)
    saved = []
    moments = {1: 129.0, 2: 131.0, 3: 160.0, 4: 161.0}
    engine.add_event_handler(Events.EPOCH_STARTED, lambda: setattr(clock, "now", moments[engine.state.epoch]))

    def note(engine: Engine) -> None:
        if (tmp_path / "train/state.pt").is_file():
            saved.append(torch.load(tmp_path / "train/state.pt", weights_only=True)["trainer"]["epoch"])

    engine.add_event_handler(Events.EPOCH_COMPLETED, note)
    run(engine)
    assert saved == [2, 2, 4]


def test_a_run_killed_before_its_first_state_starts_anew(tmp_path: Path) -> None:
    straight = run(trainer(tmp_path / "straight"))
    run(trainer(tmp_path, interval=1000.0), kill_in=3)
    again = run(trainer(tmp_path, interval=1000.0))
    assert again.epochs == [1, 2, 3, 4]
    assert torch.equal(again.weight, straight.weight)


def test_a_state_left_by_a_run_that_has_ended_is_removed(tmp_path: Path) -> None:
    run(trainer(tmp_path), kill_in=3)
    record(tmp_path).write(finished=True)
    assert run(trainer(tmp_path)).epochs == [1, 2, 3, 4]


def test_only_rank_zero_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monai_sg.handlers.resume.rank", lambda: 1)
    run(trainer(tmp_path), kill_in=3)
    assert not list(tmp_path.iterdir())


def test_a_gradient_scaler_keeps_its_scale_and_starts_anew_where_there_was_none(tmp_path: Path) -> None:
    run(trainer(tmp_path / "scaled", scaler=torch.amp.GradScaler("cpu", init_scale=8.0)), kill_in=3)
    run(trainer(tmp_path / "plain", scaler=torch.amp.GradScaler("cpu", enabled=False)), kill_in=3)
    for folder, scale in (("scaled", 8.0), ("plain", 2.0)):
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
        run(trainer(tmp_path / folder, scaler=scaler))
        assert scaler.get_scale() == scale


def test_a_folder_of_another_run_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    RunRecord(tmp_path / "run.json", "train", {"seed": 1}).write(finished=False)
    with caplog.at_level(logging.CRITICAL), pytest.raises(ValueError, match="seed was 1, is 0"):
        run(trainer(tmp_path))
