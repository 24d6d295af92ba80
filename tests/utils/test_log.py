from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import pytest
from monai.apps import get_logger

from monai_sg.utils.log import APART, set_up_log


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    loggers = [logging.getLogger(), *map(logging.getLogger, APART)]
    before = [(logger, [*logger.handlers], logger.level) for logger in loggers]
    yield
    logging.captureWarnings(False)
    for logger, handlers, level in before:
        logger.handlers = handlers
        logger.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    printed = capsys.readouterr()
    assert printed.out == "", "stdout is for results"
    return printed.err.splitlines()


def say() -> None:
    logging.getLogger("monai_sg.runs").info("ours")
    get_logger("monai.handlers.StatsHandler").info("Epoch[1] Metrics -- loss: 1")
    logging.getLogger("ignite.engine").info("Engine run starting")
    logging.getLogger("monai.data.plugin").warning("nvImageCodec is not available")
    logging.getLogger("pydicom").warning("a value that is not used")
    logging.getLogger("tensorboard").warning("worth a look")


def test_only_our_lines_and_warnings_are_said_in_one_format(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_log()
    say()
    said = lines(capsys)
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in said)
    assert [line[9:] for line in said] == ["ours", "worth a look"]


def test_verbose_says_all_of_it_in_the_same_format(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_log(verbose=True)
    logging.getLogger("ignite.engine").setLevel(logging.NOTSET)  # the file of a bundle's log may have set it
    logging.getLogger("ignite").setLevel(logging.NOTSET)
    say()
    said = lines(capsys)
    assert len(said) == 6
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in said)


def test_an_error_of_another_package_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_log()
    logging.getLogger("monai.data").error("broken")
    assert lines(capsys)[0].endswith("broken")
