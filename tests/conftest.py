"""What every test may ask for: real images, a device, a small phantom cohort."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch


def pytest_addoption(parser: pytest.Parser) -> None:
    # Write it with "=": pytest takes a lone DIR, which exists, for a folder of tests before it has read this file.
    parser.addoption("--real-data", metavar="DIR", help="--real-data=DIR: folder of public image sets, for tests/real")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    # The tensors of tests are tiny, and threads that wait for a busy core cost more than they bring.
    torch.set_num_threads(1)


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
def phantom_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from monai_sg.data.phantom.ct import write_ct_cohort

    folder = tmp_path_factory.mktemp("phantom_cohort")
    write_ct_cohort(folder, patients=8, seed=0, shape=(64, 56, 48))
    return folder


@pytest.fixture(scope="session")
def finished_run(phantom_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run of the whole chain on the small phantom, shared by the tests of bundles and commands."""
    from monai_sg.runs.chain import Chain
    from tests.bundles.small_run import BUNDLE, overrides

    output = tmp_path_factory.mktemp("run")
    Chain(BUNDLE, overrides(phantom_cohort, output)).run()
    return output


@pytest.fixture(scope="session")
def liver_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from monai_sg.data.phantom.ct import write_ct_cohort
    from tests.bundles.small_liver import NUMBERS, SHAPE

    return write_ct_cohort(tmp_path_factory.mktemp("liver"), layout="lits", numbers=NUMBERS, shape=SHAPE)


@pytest.fixture(scope="session")
def finished_liver(liver_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One training of the liver bundle on the small phantom, shared by the tests of evaluation and inference."""
    from tests.bundles.small_liver import TRAIN, run

    output = tmp_path_factory.mktemp("liver_run")
    run(TRAIN, liver_cohort, output, epochs=4, learning_rate=0.02)
    return output
