"""How each bundle is run in a test; a new bundle adds one row to the cases of its family and gets every test."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bundles.families.case import Case
from tests.bundles.folders import NAMES, source, workflow


def case(bundle: str) -> Case:
    """Return how a bundle is run; its family's module in ``tests/bundles/families`` says so."""
    cases: Mapping[str, Case] = importlib.import_module(
        f"tests.bundles.families.{source(bundle).bundle['family']}"
    ).CASES
    return cases[bundle]


def overrides(bundle: str, data: Path, output: Path, **more: Any) -> dict[str, Any]:
    """Return where a run reads and writes, and what makes it small."""
    places = {"dataset_dir": str(data), "output_dir": str(output), "ckpt_dir": str(output / "models")}
    return {**places, **case(bundle).small, **more}


def run(bundle: str, names: tuple[str, ...], data: Path, output: Path, **more: Any) -> None:
    """Run configs of a bundle."""
    made = workflow(bundle, names, overrides(bundle, data, output, **more))
    made.run()
    made.finalize()


def run_stages(bundle: str, data: Path, output: Path) -> None:
    """Run what leads from images to weights."""
    for names, more in case(bundle).stages.items():
        run(bundle, names, data, output, **more)


STEPS = [(bundle, names) for bundle in NAMES for names in case(bundle).steps]
