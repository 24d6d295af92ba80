"""How many inputs each test draws: a few that are always the same, or ``--fuzz=N``, each time others."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.fuzz.outcome import Folder

FEW = 10


def pytest_configure(config: pytest.Config) -> None:
    # Before the tests are imported: they take the settings that hold then.
    number = config.getoption("--fuzz", default=None)
    settings.register_profile(
        "inputs",
        max_examples=number or FEW,
        derandomize=number is None,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),  # a smaller input is soon made by hand
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("inputs")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    """Give a new folder for each input, so that nothing remembered of one is taken for another."""
    top = tmp_path_factory.mktemp("fuzz")
    numbers = count()

    def fresh() -> Path:
        last = top / str(next(numbers))
        for old in top.iterdir():
            shutil.rmtree(old)
        last.mkdir()
        return last

    yield fresh
    shutil.rmtree(top)
