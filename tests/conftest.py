"""What every test may ask for: real images, a device, a small phantom cohort."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import torch


def pytest_addoption(parser: pytest.Parser) -> None:
    # Write it with "=": pytest takes a lone DIR, which exists, for a folder of tests before it has read this file.
    parser.addoption("--real-data", metavar="DIR", help="--real-data=DIR: folder of public image sets, for tests/real")
    parser.addoption(
        "--fuzz", type=int, metavar="N", help="--fuzz=N: inputs per test of tests/fuzz, drawn anew each time"
    )


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    # The tensors of tests are tiny, and threads that wait for a busy core cost more than they bring.
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    """Undo what a command under test has set up: handlers and levels of all loggers."""
    loggers = [
        logging.root,
        *(one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger)),
    ]
    before = [(one, one.level, list(one.handlers), one.disabled, one.propagate) for one in loggers]
    yield
    logging.captureWarnings(False)
    for one, level, handlers, disabled, propagate in before:
        one.setLevel(level)
        one.handlers[:], one.disabled, one.propagate = handlers, disabled, propagate


@pytest.fixture(scope="session")
def real_data(request: pytest.FixtureRequest) -> Path:
    given = request.config.getoption("--real-data")
    if given is None:
        pytest.skip("needs real images: pytest --real-data=DIR")
    folder = Path(given).resolve()
    if not folder.is_dir():
        pytest.fail(f"--real-data {given} is not a folder")
    return folder


def _needs_cuda() -> pytest.MarkDecorator:
    return pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(_needs_cuda())


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> torch.device:
    return torch.device(request.param)


@pytest.fixture(scope="session")
def cohort_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give the small cohort of a bundle, written once."""
    from tests.bundles.cases import case

    return cache(lambda bundle: case(bundle).write(tmp_path_factory.mktemp(f"{bundle}_data")))


@pytest.fixture(scope="session")
def finished_of(cohort_of: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give the output of a finished run of a bundle on its small cohort, made once."""
    from tests.bundles.cases import run_stages

    def finished(bundle: str) -> Path:
        output = tmp_path_factory.mktemp(f"{bundle}_run")
        run_stages(bundle, cohort_of(bundle), output)
        return output

    return cache(finished)


@pytest.fixture(scope="session")
def phantom_cohort(cohort_of: Callable[[str], Path]) -> Path:
    return cohort_of("semantic_genesis_ct_pretraining")


@pytest.fixture(scope="session")
def finished_run(finished_of: Callable[[str], Path]) -> Path:
    return finished_of("semantic_genesis_ct_pretraining")


@pytest.fixture(scope="session")
def liver_cohort(cohort_of: Callable[[str], Path]) -> Path:
    return cohort_of("lcs_liver_ct_segmentation")


@pytest.fixture(scope="session")
def finished_liver(finished_of: Callable[[str], Path]) -> Path:
    return finished_of("lcs_liver_ct_segmentation")
