from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.utils.files import read_json, sha256_of
from monai_sg.weights.export import origin_of, save_network


def test_weights_come_with_what_is_needed_to_build_and_feed_their_network(tmp_path: Path) -> None:
    network = GenesisUNet(spatial_dims=3, in_channels=2, width=4).to(memory_format=torch.channels_last_3d)
    path = save_network(network, tmp_path / "model.pt", {"method": "none", "licence": None})
    assert read_json(tmp_path / "model.json") == {
        "version": 1,
        "network": {
            "_target_": "monai_sg.networks.genesis_unet.GenesisUNet",
            "spatial_dims": 3,
            "in_channels": 2,
            "width": 4,
            "batch_statistics": False,
            "out_channels": 1,
        },
        "method": "none",
        "licence": None,
        "sha256": sha256_of(path),
    }
    state = torch.load(path, weights_only=True)
    assert all(value.is_contiguous() for value in state.values())
    GenesisUNet(spatial_dims=3, in_channels=2, width=4).load_state_dict(state)


def test_some_parts_alone_are_written(tmp_path: Path) -> None:
    save_network(network := GenesisUNet(2, width=2), tmp_path / "model.pt", {}, ["encoder"])
    state = torch.load(tmp_path / "model.pt", weights_only=True)
    assert list(state) == [name for name in network.state_dict() if name.startswith("encoder.")]


def test_a_network_without_parts_is_not_written(tmp_path: Path) -> None:
    network: Any = torch.nn.Linear(1, 1)
    with pytest.raises(ValueError, match="The network Linear does not declare parts"):
        save_network(network, tmp_path / "model.pt", {})
    assert not list(tmp_path.iterdir())


def test_the_origin_of_weights_is_their_content_and_not_their_place(tmp_path: Path) -> None:
    path = save_network(GenesisUNet(3, width=2), tmp_path / "model.pt", {})
    assert origin_of(path) == {"file": "model.pt", "sha256": sha256_of(path)}
    assert origin_of(None) == {}
