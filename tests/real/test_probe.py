from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from monai_sg.commands.embed import embed
from monai_sg.commands.probe import probe
from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.utils.files import read_json
from monai_sg.weights.export import save_network

PREPROCESSING = {"intensity_range": [-1000, 1000], "crop_size": [32, 32, 16], "overview_size": [64, 64, 32]}


@pytest.fixture
def weights(tmp_path: Path) -> str:
    torch.manual_seed(0)
    return str(save_network(GenesisUNet(3, width=8), tmp_path / "model.pt", {"preprocessing": PREPROCESSING}))


@pytest.mark.slow
def test_scans_cut_to_a_tumour_tell_it_by_position(real_data: Path, weights: str, tmp_path: Path) -> None:
    probe(weights=weights, labels=str(real_data / "ct_sts_tumour"), output=str(tmp_path / "probe"))
    result = read_json(tmp_path / "probe" / "probe.json")
    assert result["splits"]["training"]["classes"] == {"background": 108, "foreground": 108}
    scores = {name: row["knn_accuracy"] for name, row in result["scores"].items()}
    assert scores["position"] > 0.85
    assert scores["position"] > scores["network"] > 0.5


@pytest.mark.slow
def test_features_of_all_scans(real_data: Path, weights: str, tmp_path: Path) -> None:
    embed(weights=weights, data=str(real_data / "ct_sts_tumour" / "imagesTr"), output=str(tmp_path / "out"))
    with np.load(tmp_path / "out" / "features.npz") as content:
        assert content["features"].shape == (39, 240)
        assert len(np.unique(content["features"].round(6), axis=0)) == 39
    assert (tmp_path / "out" / "neighbours.png").is_file()
