from __future__ import annotations

import io
import logging
import sys

import pytest

from monai_sg.utils import progress
from monai_sg.utils.progress import Bar, duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_file_gets_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.0)
    with caplog.at_level(logging.INFO, logger=progress.__name__):
        assert list(Bar(range(3), "Reading")) == [0, 1, 2]
    assert "\r" not in capsys.readouterr().err
    assert caplog.messages[1].startswith("Reading: 1 of 3, about ")
    assert caplog.messages[-1].startswith("Reading: 3 of 3 in ")


def test_a_short_loop_says_nothing_in_a_file(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger=progress.__name__):
        assert sum(1 for _ in Bar(range(1000), "Reading")) == 1000
    assert (capsys.readouterr().err, caplog.messages) == ("", [])


def test_in_a_terminal_the_log_is_written_above_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    handler, root = logging.StreamHandler(terminal), logging.getLogger()
    before, root.handlers = root.handlers, [handler]
    try:
        for number in Bar(range(2), "Reading", mininterval=0):
            logging.getLogger("monai_sg.test").warning(f"line {number}")
        assert root.handlers == [handler]
    finally:
        root.handlers = before
    shown = terminal.getvalue().replace("\r", "\n").splitlines()
    assert "line 0" in shown, "no line begins or ends in a bar"
    assert "line 1" in shown
    assert any("100%" in line for line in shown)


def test_a_bar_that_is_off_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert list(Bar([1, 2], disable=True)) == [1, 2]
    assert terminal.getvalue() == ""


@pytest.mark.parametrize(("seconds", "text"), [(4, "4 s"), (100, "2 min"), (3000, "50 min"), (9000, "2.5 h")])
def test_a_duration_is_read_easily(seconds: float, text: str) -> None:
    assert duration(seconds) == text
