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


def trainer(
    folder: Path, interval: float = 0.0, scaler: torch.amp.GradScaler | None = None, restart: bool = False
) -> Engine:
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
    state = SimpleNamespace(best_metric=0.0, best_metric_epoch=-1, metrics={}, key_metric_name="dice@0.5")
    validator = SimpleNamespace(state=state)
    engine.validator = validator
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda engine: validate(validator, engine))
    Resume(
        folder / "train" / "state.pt",
        {"network": torch.nn.ParameterList([weight]), "optimizer": optimizer},
        validator,
        RunRecord(folder / "run.json", "train", {"seed": 0}, restart=restart),
        interval,
    ).attach(engine)
    engine.add_event_handler(Events.EPOCH_STARTED, lambda engine: engine.epochs.append(engine.state.epoch))
    return engine


def validate(validator: Any, engine: Engine) -> None:
    """Be best in the second epoch."""
    if engine.state.epoch == 2:
        validator.state.best_metric, validator.state.best_metric_epoch = 0.5, 2
        validator.state.metrics = {"loss": 0.25}


def run(engine: Engine, steps: int = 6, kill_in: int | None = None, epochs: int = EPOCHS) -> Engine:
    """Run epochs of ``steps`` steps; be killed after the first step of an epoch."""

    def stop(engine: Engine) -> None:
        if engine.state.epoch == kill_in:
            raise KeyboardInterrupt

    engine.add_event_handler(Events.ITERATION_COMPLETED, stop)
    data = [float(step) for step in range(steps)]
    if kill_in is None:
        engine.run(data, max_epochs=epochs)
    else:
        with pytest.raises(KeyboardInterrupt):
            engine.run(data, max_epochs=epochs)
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
    assert again.validator.state.metrics == {"loss": 0.25}, "a plateau is looked for in them"
    entry = record(tmp_path).entry
    assert entry["finished"]
    facts = {"epochs": 4, "max_epochs": 4, "selected_epoch": 2, "selected_by": "dice@0.5", "selected_value": 0.5}
    assert entry | facts | {"learning_rate": 0.1} == entry


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
    moments = {1: 129.0, 2: 131.0, 3: 160.0, 4: 160.5}
    engine.add_event_handler(Events.EPOCH_STARTED, lambda: setattr(clock, "now", moments[engine.state.epoch]))

    def note(engine: Engine) -> None:
        if (tmp_path / "train/state.pt").is_file():
            saved.append(torch.load(tmp_path / "train/state.pt", weights_only=True)["trainer"]["epoch"])

    engine.add_event_handler(Events.EPOCH_COMPLETED, note)
    run(engine)
    assert saved == [2, 2, 2]
    state = torch.load(tmp_path / "train/state.pt", weights_only=True)
    assert state["trainer"]["epoch"] == 4, "the end is always saved"


def test_a_run_killed_before_its_first_state_starts_anew(tmp_path: Path) -> None:
    straight = run(trainer(tmp_path / "straight"))
    run(trainer(tmp_path, interval=1000.0), kill_in=3)
    again = run(trainer(tmp_path, interval=1000.0))
    assert again.epochs == [1, 2, 3, 4]
    assert torch.equal(again.weight, straight.weight)


def test_a_run_that_has_ended_is_repeated_on_request_and_continued_by_more_epochs(tmp_path: Path) -> None:
    run(trainer(tmp_path))
    with pytest.raises(ValueError, match=r"train has finished in .* after 4 epochs"):
        run(trainer(tmp_path))
    assert run(trainer(tmp_path), epochs=6).epochs == [5, 6]
    straight = run(trainer(tmp_path / "straight"), epochs=6)
    assert run(trainer(tmp_path, restart=True)).epochs == [1, 2, 3, 4]
    assert torch.equal(run(trainer(tmp_path), epochs=6).weight, straight.weight)


def test_a_run_killed_while_it_ended_is_ended(tmp_path: Path) -> None:
    run(trainer(tmp_path))
    record(tmp_path).write(finished=False)
    assert run(trainer(tmp_path)).epochs == []
    assert record(tmp_path).is_finished


def test_a_run_without_a_best_epoch_does_not_end_well(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"No epoch can be selected: dice@0.5 was never a number"):
        run(trainer(tmp_path), epochs=1)
    assert not record(tmp_path).is_finished


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
