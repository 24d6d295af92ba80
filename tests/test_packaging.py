"""The wheel alone, in an environment without the checkout, turns scans into weights."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent
WHEEL_PARTS = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "monai_sg", "bundles")

pytestmark = pytest.mark.slow


def _run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command} in {cwd}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build from a copy, because setuptools leaves (and reuses) a build folder beside its sources."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in WHEEL_PARTS:
        part = TOP / name
        if part.is_dir():
            shutil.copytree(part, source / name, ignore=shutil.ignore_patterns("__pycache__", "models", "eval"))
        else:
            shutil.copy(part, source / name)
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", built, source, cwd=built)
    return next(built.glob("monai_sg-*.whl"))


@pytest.fixture(scope="module")
def bare_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an environment that holds the wheel, what the wheel requires, and nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    _run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    python = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    _run(python, "-m", "pip", "install", "--quiet", "-c", TOP / "constraints.txt", wheel, cwd=folder)
    return python


def test_wheel_carries_flat_bundles_and_licence(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for part in ("LICENSE", "configs/metadata.json", "configs/train.json", "configs/logging.conf", "docs/README.md"):
        assert f"monai_sg/_bundles/semantic_genesis_ct_pretraining/{part}" in names
    assert [name for name in names if "/_src/" in name or "/models/" in name or name.startswith("tests/")] == []
    assert any(name.endswith("dist-info/licenses/LICENSE") for name in names)


def test_wheel_holds_every_module(wheel: Path) -> None:
    modules = {str(path.relative_to(TOP)) for path in (TOP / "monai_sg").rglob("*.py")}
    assert modules - set(zipfile.ZipFile(wheel).namelist()) == set()


def test_installed_package_turns_scans_into_weights(bare_python: Path, phantom_cohort: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    places = ("--data", phantom_cohort, "--output", output)
    lengths = ("--epochs", "1", "--batch_size", "2", "--num_workers", "0", "--num_classes", "4")
    sizes = ("--width", "4", "--crop_size", "[32,32,16]", "--overview_size", "[32,32,16]")
    _run(bare_python, "-m", "monai_sg", "pretrain", *places, *lengths, *sizes, cwd=tmp_path)
    assert (output / "models" / "model.pt").stat().st_size > 0
