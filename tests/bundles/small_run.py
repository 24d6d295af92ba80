"""Overrides that make a run of a pre-training bundle small enough for a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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


def overrides(data: Path, output: Path, **more: Any) -> dict[str, Any]:
    places = {"dataset_dir": str(data), "output_dir": str(output), "ckpt_dir": str(output / "models")}
    return {**places, **SMALL, **more}
