from __future__ import annotations

import sys

import pytest

from monai_sg.runs.reason import INTERRUPTED, end_with_reason, reason_of
from monai_sg.utils.errors import AbsentError, UserError


def wrapped(error: Exception) -> RuntimeError:
    outer = RuntimeError("Failed to instantiate component")
    outer.__cause__ = error
    return outer


def test_the_reason_is_the_error_of_the_user() -> None:
    assert reason_of(wrapped(UserError("width is 0"))) == "width is 0"
    assert reason_of(wrapped(AbsentError("no such file"))) == "no such file"
    assert reason_of(wrapped(ValueError("not enough values to unpack"))) is None
    assert reason_of(wrapped(TypeError("unexpected"))) is None
    assert reason_of(KeyboardInterrupt()) == INTERRUPTED


def test_our_sentence_wins_over_that_of_a_library() -> None:
    ours = UserError("a.json is no JSON; delete it")
    ours.__cause__ = ValueError("Expecting value: line 1")
    assert reason_of(wrapped(ours)) == "a.json is no JSON; delete it"


def test_an_error_ends_in_its_reason(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    end_with_reason()
    reasons = {"the disk is full": wrapped(UserError("the disk is full")), INTERRUPTED: KeyboardInterrupt()}
    for reason, error in {**reasons, "TypeError: unexpected": TypeError("unexpected")}.items():
        sys.excepthook(type(error), error, None)
        assert capsys.readouterr().err.rstrip().endswith(f"\n{reason}".lstrip("\n"))
