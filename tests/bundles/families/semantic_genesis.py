"""Semantic Genesis: runs that are small enough for a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from monai_sg.data.phantom.ct import write_ct_cohort
from tests.bundles.families.case import Case

BUNDLE = "semantic_genesis_ct_pretraining"
SMALL: dict[str, Any] = {
    "width": 4,
    "crop_size": [16, 16, 16],
    "overview_size": [16, 16, 16],
    "num_classes": 4,
    "num_workers": 0,
    "batch_size": 8,
    "epochs": 1,
    "amp": False,
    "device": "cpu",
}


def case(write: Callable[[Path], Path], **more: Any) -> Case:
    """Return how a bundle of the family is run; ``more`` is what makes it small beside the usual."""
    whole = {"crop_size": [64, 64, 64]}  # few windows
    return Case(
        write=write,
        small={**SMALL, **more},
        stages={(f"{stage}.json",): {} for stage in ("autoencoder", "discover", "classify", "train")},
        after={("train.json", "evaluate.json"): {}, ("inference.json",): whole, ("embed.json",): {}},
        ranks={(f"{stage}.json", "multi_gpu_train.json"): {"batch_size": 4} for stage in ("classify", "train")},
        wrong=(
            ("autoencoder.json", "epochs", 0),
            ("discover.json", "overview_size", [16]),
            ("train.json", "crop_size", [16]),
            ("embed.json", "spacing", [2]),
            ("inference.json", "crop_size", [16]),
        ),
    )


def write_ct(folder: Path) -> Path:
    """Write a cohort of eight scans."""
    write_ct_cohort(folder, patients=8, seed=0, shape=(64, 56, 48))
    return folder


CASES = {BUNDLE: case(write_ct)}


def overrides(data: Path, output: Path, **more: Any) -> dict[str, Any]:
    places = {"dataset_dir": str(data), "output_dir": str(output), "ckpt_dir": str(output / "models")}
    return {**places, **SMALL, **more}
