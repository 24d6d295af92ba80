from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from monai_sg.commands.words import CommandLine, described
from monai_sg.utils.bundle_folders import PRETRAINING
from monai_sg.utils.errors import UserError


def command(*, data: str, count: int = 3, share: float | None = None, check: bool | None = None, **ids: Any) -> None:
    """Do a thing.

    More of it.

    Args:
        data: folder,
            in two lines.
        count: how many.
        ids: of a bundle.

    Returns:
        nothing.
    """


def plain(file: str, *, dry_run: bool = False) -> None:
    """Look."""


def mapped(file: str, *, network_def: Mapping[str, Any], facts: Mapping[str, Any] | None = None) -> None:
    """Import."""


LINE = CommandLine("do", command, PRETRAINING)


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        (["--data", "2024"], {"data": "2024"}),
        (["--data=a b", "--count", "-1"], {"data": "a b", "count": -1}),
        (["--share", "0.5", "--data", "x", "--check"], {"data": "x", "share": 0.5, "check": True}),
        (["--data", "x", "--check", "false", "--share", "none"], {"data": "x", "share": None, "check": False}),
        (["--width", "8", "--data", "x", "--amp", "true"], {"data": "x", "width": 8, "amp": True}),
        (["--data", "x", "--crop-size=[32,32,16]"], {"data": "x", "crop_size": [32, 32, 16]}),
        (
            ["--data", "x", "--learning_rate", "-1e-3", "--compile"],
            {"data": "x", "learning_rate": -1e-3, "compile": True},
        ),
        (["--data", "x", "--train::trainer::max_epochs", "2"], {"data": "x", "train::trainer::max_epochs": 2}),
        (["--data", "x", "--loss", '{"_target_": "A", "b": 1}'], {"data": "x"}),
        (["--data", "x", "--datalist", "~/a.json"], {"data": "x", "datalist": "~/a.json"}),
    ],
)
def test_words_become_arguments(words: list[str], arguments: dict[str, Any]) -> None:
    if "--loss" in words:
        words[words.index("--loss")] = "--corruption"
        arguments["corruption"] = {"_target_": "A", "b": 1}
    assert LINE.read(words) == {**arguments, "verbose": False}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "required: --data"),
        (["--data", "x", "--count", "many"], "invalid whole number value: 'many'"),
        (["--data", "x", "--check", "perhaps"], "neither True nor False"),
        (["--data", "x", "--coun", "1"], "did you mean count"),
        (["--data", "x", "--epoch", "1"], "--epoch names no id of .* and no argument; did you mean epochs?"),
        (["--data", "x", "--trian::dataset", "1"], "did you mean train"),
        (["--data", "x", "more"], "'more' belongs to no argument"),
    ],
)
def test_wrong_words_are_refused_in_a_sentence(words: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        LINE.read(words)


@pytest.mark.parametrize("text", ['{"a": false, "b": [1, null]}', "{'a': False, 'b': [1, None]}"])
def test_mappings_are_read_as_json_and_as_python_write_them(text: str) -> None:
    line = CommandLine("import", mapped)
    assert line.read(["x", "--network_def", text])["network_def"] == {"a": False, "b": [1, None]}
    assert LINE.read(["--data", "x", "--corruption", text])["corruption"] == {"a": False, "b": [1, None]}
    with pytest.raises(UserError, match="'3' is no mapping"):
        line.read(["x", "--network_def", "3"])


def test_a_command_without_ids_takes_none() -> None:
    line = CommandLine("look", plain)
    assert line.read(["f", "--dry-run"]) == {"file": "f", "dry_run": True, "verbose": False}
    with pytest.raises(UserError, match="no argument --dryrun; did you mean dry_run"):
        line.read(["f", "--dryrun", "True"])


def test_help_says_arguments_and_ids(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        LINE.read(["--count", "--help"])
    assert end.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "--data DATA folder, in two lines. --count COUNT how many. (3)" in text
    assert "[--id value ...] Do a thing. More of it." in text
    assert "width channels of the first convolution; 32 is the published size (32" in text


def test_a_docstring_is_split() -> None:
    summary, arguments = described(command)
    assert summary == "Do a thing.\n\nMore of it."
    assert arguments == {"data": "folder, in two lines.", "count": "how many.", "ids": "of a bundle."}
