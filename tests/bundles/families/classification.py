"""Classification: runs that are small enough for a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    )


def write_films(folder: Path) -> Path:
    """Write films of eight patients laid out like ChestX-ray14."""
    return write_film_cohort(folder, patients=8, size=40, shape=(48, 36, 37))


CASES = {BUNDLE: case(write_films)}
