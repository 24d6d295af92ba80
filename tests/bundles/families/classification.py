"""Classification: runs that are small enough for a test."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monai_sg.data.phantom.films import write_film_cohort
from tests.bundles.families.case import Case

BUNDLE = "dxc_thorax_disease_cxr_classification"
SMALL: dict[str, Any] = {
    "image_size": [32, 32],
    "roi_size": [32, 32],
    "num_workers": 0,
    "batch_size": 4,
    "epochs": 1,
    "amp": False,
    "device": "cpu",
}


def _compare(installed: Path, packed: Path) -> None:
    """Compare the areas of the test images and the probabilities of an image."""
    areas = [_rows(each / "evaluation/metrics.csv") for each in (installed, packed)]
    known = {row[1]: float(row[-1]) for row in areas[0][1:] if row[1].startswith("auc_") and row[-1]}
    found = dict(row for row in areas[1] if row[0] in known)
    assert known
    assert {name: float(value) for name, value in found.items()} == pytest.approx(known, abs=1e-5)
    ours, theirs = (_rows(each / "predictions/probabilities.csv")[-1] for each in (installed, packed))
    assert Path(theirs[0]).stem == ours[0]
    assert [float(value) for value in theirs[1:]] == pytest.approx([float(value) for value in ours[1:]], abs=1e-5)


def _rows(path: Path) -> list[list[str]]:
    return [re.split("[,\\t]", line) for line in path.read_text().splitlines()]


def case(write: Callable[[Path], Path], **more: Any) -> Case:
    """Return how a bundle of the family is run; ``more`` is what makes it small beside the usual."""
    small = {**SMALL, **more}
    two = {"batch_size": 2, "epochs": 2, "freeze_epochs": 1}
    return Case(
        write=write,
        small=small,
        stages={("train.json",): {"epochs": 2}},
        after={("train.json", "evaluate.json"): {}, ("inference.json",): {}},
        ranks={
            ("train.json", "multi_gpu_train.json"): two,
            ("train.json", "evaluate.json", "multi_gpu_evaluate.json"): two,
        },
        wrong=(
            ("train.json", "roi_size", [32]),
            ("train.json", "spacing", [2]),
            ("train.json", "batch_size", 0),
            ("inference.json", "image_size", [2]),
        ),
        compare=_compare,
    )


def write_films(folder: Path) -> Path:
    """Write films of eight patients laid out like ChestX-ray14."""
    return write_film_cohort(folder, patients=8, size=40, shape=(48, 36, 37))


CASES = {BUNDLE: case(write_films)}
