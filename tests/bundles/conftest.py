"""One run of the whole chain on a small phantom, shared by the tests of the bundles."""

from __future__ import annotations

from pathlib import Path

import pytest

from monai_sg.commands.chain import Chain
from tests.bundles.small_run import BUNDLE, overrides


@pytest.fixture(scope="session")
def finished_run(phantom_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("run")
    Chain(BUNDLE, overrides(phantom_cohort, output)).run()
    return output
