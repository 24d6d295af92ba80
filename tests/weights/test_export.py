from __future__ import annotations

from pathlib import Path

import torch

from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.utils.files import read_json, sha256_of
from monai_sg.weights.export import origin_of, save_network


def test_weights_come_with_what_is_needed_to_build_and_feed_their_network(tmp_path: Path) -> None:
    network = GenesisUNet(spatial_dims=3, in_channels=2, width=4).to(memory_format=torch.channels_last_3d)
    path = save_network(network, tmp_path / "model.pt", {"method": "none", "licence": None})
    facts = read_json(tmp_path / "model.json")
    assert facts["network"] == "GenesisUNet"
    assert (facts["spatial_dims"], facts["in_channels"], facts["width"]) == (3, 2, 4)
    assert facts["sha256"] == sha256_of(path)
    assert facts["method"] == "none"
    state = torch.load(path, weights_only=True)
    assert all(value.is_contiguous() for value in state.values())
    assert any(name.startswith(facts["encoder_key"] + ".") for name in state)
    GenesisUNet(spatial_dims=3, in_channels=2, width=4).load_state_dict(state)


def test_the_origin_of_weights_is_their_content_and_not_their_place(tmp_path: Path) -> None:
    path = save_network(GenesisUNet(3, width=2), tmp_path / "model.pt", {})
    assert origin_of(path) == {"file": "model.pt", "sha256": sha256_of(path)}
    assert origin_of(None) == {}
