from __future__ import annotations

import subprocess
import sys
from time import monotonic

import pytest

from monai_sg.__main__ import COMMANDS, main

SLOW = {"monai", "torch", "numpy", "scipy", "matplotlib", "itk", "sklearn", "ignite"}


def in_a_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("words", [[], *(name.split() for name in COMMANDS)])
def test_help_comes_at_once_on_stdout(words: list[str]) -> None:
    begin = monotonic()
    text = in_a_process(
        f"import sys; sys.argv = ['monai-sg', *{words}, '--help']\n"
        "from monai_sg.__main__ import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        f"assert not {SLOW} & set(sys.modules), set(sys.modules) & {SLOW}"
    )
    assert monotonic() - begin < 5.0, "a second on a machine that has nothing else to do"
    assert text.startswith("usage: monai-sg")


def test_commands_are_functions_and_the_package_is_cheap() -> None:
    in_a_process(
        "import sys, monai_sg\n"
        f"assert not {SLOW} & set(sys.modules)\n"
        "assert all(callable(getattr(monai_sg, name)) for name in monai_sg.COMMANDS)\n"
        "assert 'pretrain' in dir(monai_sg) and not hasattr(monai_sg, 'nothing')\n"
        f"assert not {SLOW} & set(sys.modules)"
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["pretrian"], "'pretrian' is no command; did you mean pretrain?"),
        (["bundles", "bild"], "'bundles bild' is no command; did you mean bundles build?"),
        (["qqq"], "there are scan, pretrain,"),
        (
            ["pretrain", "--data", "d", "--output", "o", "--bundle", "semantic_genesis"],
            "Did you mean semantic_genesis_ct",
        ),
    ],
)
def test_a_mistyped_command_names_the_nearest(monkeypatch: pytest.MonkeyPatch, words: list[str], sentence: str) -> None:
    monkeypatch.setattr(sys, "argv", ["monai-sg", *words])
    with pytest.raises(SystemExit) as end:
        main()
    assert sentence in str(end.value.code)


def test_an_error_of_the_program_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*, data: str) -> None:
        raise TypeError(f"of the program, {data}")

    monkeypatch.setattr(sys, "argv", ["monai-sg", "scan", "--data", "d"])
    monkeypatch.setattr("monai_sg.commands.scan.scan", broken)
    with pytest.raises(TypeError, match="of the program"):
        main()
