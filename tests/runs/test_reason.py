from __future__ import annotations

import sys

import pytest

from monai_sg.runs.reason import INTERRUPTED, end_with_reason, reason_of


def wrapped(error: Exception) -> RuntimeError:
    outer = RuntimeError("Failed to instantiate component")
    outer.__cause__ = error
    return outer


def test_the_reason_is_the_innermost_error_of_the_user() -> None:
    assert reason_of(wrapped(ValueError("width is 0"))) == "width is 0"
    assert reason_of(wrapped(TypeError("unexpected"))) is None
    assert reason_of(KeyboardInterrupt()) == INTERRUPTED


def test_an_error_ends_in_its_reason(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    end_with_reason()
    reasons = {"the disk is full": wrapped(OSError("the disk is full")), INTERRUPTED: KeyboardInterrupt()}
    for reason, error in {**reasons, "TypeError: unexpected": TypeError("unexpected")}.items():
        sys.excepthook(type(error), error, None)
        assert capsys.readouterr().err.rstrip().endswith(f"\n{reason}".lstrip("\n"))
