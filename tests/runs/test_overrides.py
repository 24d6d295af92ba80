from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from monai_sg.runs.command_line import check_command_line, command_line_overrides
from monai_sg.runs.overrides import check_overrides, understood
from monai_sg.runs.workflow import CheckedWorkflow
from monai_sg.utils.log import LOUD

CONFIG = {
    "epochs": 5,
    "amp": True,
    "name": "a",
    "deterministic": "$@amp",
    "settings": {"seed": 0},
    "train": {
        "loader": {"_target_": "DataLoader", "batch_size": 1},
        "handlers": [{"_target_": "StatsHandler"}, {"_target_": "ValidationHandler", "interval": 1}],
    },
    "elsewhere": {"_target_": "a_package_that_is_not_here.Thing"},
    "run": ["$@epochs"],
}
PROGRAM = "/somewhere/site-packages/monai/bundle/__main__.py"


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "train.json"
    path.write_text(json.dumps(CONFIG))
    return str(path)


@pytest.mark.parametrize(
    "name",
    [
        "epochs",
        "train",
        "settings::seed",
        "train#loader#batch_size",
        "train::handlers::1::interval",
        "train::handlers::0",
        "train::loader::shuffle",
        "train::handlers::0::iteration_log",
        "train::handlers::0::_disabled_",
        "elsewhere::anything",
    ],
)
def test_ids_and_new_arguments_of_components_are_let_through(config: str, name: str) -> None:
    check_overrides(config, [name])


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("epoch", "did you mean epochs"),
        ("train::loadr::batch_size", "did you mean train::loader"),
        ("train#handler", "did you mean train::handlers"),
        ("settings::sede", "did you mean settings::seed"),
        ("train::handlers::2", "names no id"),
        ("train::handlers::last", "names no id"),
        ("train::loader::shuffle::more", "names no id"),
        ("train::handlers::0::epoch_logg", "did you mean train::handlers::0::epoch_log?"),
        ("train::handlers::0::epoch_log::more", "did you mean train::handlers::0::epoch_log?"),
        ("epochs::more", "did you mean epochs?"),
        ("zzz", "did you mean epochs, amp, name, deterministic, settings, train, elsewhere, run"),
    ],
)
def test_other_ids_are_refused_with_the_nearest(config: str, name: str, hint: str) -> None:
    with pytest.raises(ValueError, match=f"--{name} names no id") as error:
        check_overrides(config, ["epochs", name])
    assert hint in str(error.value)
    assert str(error.value).endswith("Nothing was run.")


def test_a_later_file_brings_its_ids(config: str, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.json"
    overlay.write_text(json.dumps({"train::loader::sampler": None}))
    check_overrides([config, str(overlay)], ["train::loader::sampler"])
    check_overrides(Path(config), ["epochs"])


@pytest.mark.parametrize(
    ("words", "files", "overrides"),
    [
        (["--config_file", "a.json", "--epochs", "1"], ["a.json"], {"epochs": "1"}),
        (["--config_file=a.json", "--epochs=1", "--batch-size=2"], ["a.json"], {"epochs": "1", "batch_size": "2"}),
        (["--config_file", "['a.json','b.json']", "--logging_file", "l"], ["a.json", "b.json"], {}),
        (["--config_file", '("a.json", "b.json")', "--train#x", "-1"], ["a.json", "b.json"], {"train#x": "-1"}),
        (["training", "--config_file", "a.json", "--seed", "0"], ["a.json"], {"seed": "0"}),
        (["--workflow_name", "w", "--config_file", "a.json", "--meta_file", "m"], ["a.json"], {}),
        (["--args_file", "a.json", "--epochs", "1"], [], {"epochs": "1"}),
    ],
)
def test_command_line_is_split_into_files_and_overrides(
    words: list[str], files: list[str], overrides: dict[str, str]
) -> None:
    assert command_line_overrides([PROGRAM, "run", *words]) == (files, overrides)


@pytest.mark.parametrize(
    "arguments", [[], [PROGRAM], [PROGRAM, "ckpt_export", "--config_file", "a.json"], ["pytest", "run", "--epochs"]]
)
def test_other_programs_are_left_alone(arguments: list[str]) -> None:
    assert command_line_overrides(arguments) == ([], {})


@pytest.fixture
def _quiet_as_before() -> Iterator[None]:
    levels = {name: logging.getLogger(name).level for name in LOUD}
    yield
    logging.captureWarnings(False)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.usefixtures("_quiet_as_before")
def test_a_plain_bundle_run_is_checked(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", [PROGRAM, "run", "--config_file", config, "--epochs", "2"])
    check_command_line()
    monkeypatch.setattr("sys.argv", [PROGRAM, "run", "--config_file", config, "--epoch", "2"])
    with pytest.raises(ValueError, match="did you mean epochs"):
        check_command_line()
    monkeypatch.setattr("sys.argv", ["serve.py", "run", "--config_file", config, "--epoch", "2"])
    check_command_line()


def test_checked_workflow_applies_known_overrides_and_refuses_others(config: str) -> None:
    workflow = CheckedWorkflow(config, workflow_type=None, logging_file=False, epochs=7)
    workflow.initialize()
    assert workflow.run() == [7]
    with pytest.raises(ValueError, match="did you mean epochs"):
        CheckedWorkflow(config, workflow_type=None, logging_file=False, epoch=7)


@pytest.mark.usefixtures("_quiet_as_before")
def test_a_switch_that_would_be_read_as_a_text_is_refused(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for words in (["--amp=true"], ["--deterministic", "true"], ["--train::loader::batch_size", "true"]):
        monkeypatch.setattr("sys.argv", [PROGRAM, "run", "--config_file", config, *words])
        with pytest.raises(ValueError, match="true would be read as a text; write True"):
            check_command_line()
    monkeypatch.setattr("sys.argv", [PROGRAM, "run", "--config_file", config, "--name", "true"])
    check_command_line()


@pytest.mark.usefixtures("_quiet_as_before")
def test_running_a_part_of_a_config_is_refused(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", [PROGRAM, "run", "train", "--config_file", config])
    with pytest.raises(ValueError, match=r"`monai\.bundle run train` would run nothing"):
        check_command_line()
    monkeypatch.setattr("sys.argv", [PROGRAM, "run", "run", "--config_file", config])
    check_command_line()


def test_a_checked_workflow_understands_what_is_meant(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/people/me")
    workflow = CheckedWorkflow(config, workflow_type=None, logging_file=False, amp="false", name="~/runs")
    assert (workflow.parser["amp"], workflow.parser["name"]) == (False, "/people/me/runs")
    given = {"device": "gpu:1", "target_datalists": ["~/a.json", "b~"], "epochs": 3, "share": 0.5}
    understands = {**given, "device": "cuda:1", "target_datalists": ["/people/me/a.json", "b~"]}
    assert understood(given) == understands
