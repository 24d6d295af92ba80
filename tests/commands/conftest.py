"""Weights with a description, and where to read and write."""

from __future__ import annotations

from pathlib import Path

import pytest

from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.weights.export import save_network

PREPROCESSING = {
    "intensity_range": [-800, 600],
    "spacing": None,
    "crop_size": [16, 16, 16],
    "overview_size": [24, 16, 16],
}


@pytest.fixture
def weights(tmp_path: Path) -> str:
    return str(save_network(GenesisUNet(3, width=4), tmp_path / "w" / "model.pt", {"preprocessing": PREPROCESSING}))


@pytest.fixture
def places(phantom_cohort: Path, finished_run: Path, tmp_path: Path) -> dict[str, str]:
    cache = str(finished_run / "cache")
    return {"data": str(phantom_cohort), "output": str(tmp_path / "out"), "cache_dir": cache}
