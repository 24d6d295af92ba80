from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.networks.resnet_unet import ResNetUNet
from monai_sg.utils.files import read_json, sha256_of
from monai_sg.weights.description import described_network
from monai_sg.weights.importing import import_weights
from monai_sg.weights.load import initialised, restored
from monai_sg.weights.report import WeightsMismatchError
from tests.weights.test_load import foreign_name

GENESIS: dict[str, Any] = {
    "_target_": "monai_sg.networks.genesis_unet.GenesisUNet",
    "spatial_dims": 3,
    "width": 4,
    "batch_statistics": True,
}


@pytest.fixture
def released(tmp_path: Path) -> Path:
    state = GenesisUNet(3, width=4).state_dict()
    torch.save({"state_dict": {foreign_name(name): value for name, value in state.items()}}, tmp_path / "genesis.pt")
    return tmp_path / "genesis.pt"


def test_a_released_checkpoint_becomes_weights_with_a_description(released: Path, tmp_path: Path) -> None:
    facts = {"preprocessing": {"intensity_range": [-1000, 1000]}, "licence": "academic"}
    import_weights(released, tmp_path / "ours", GENESIS, facts=facts)
    content = read_json(tmp_path / "ours" / "model.json")
    assert content["network"] == {**GENESIS, "in_channels": 1, "out_channels": 1}
    assert content["imported_from"] == {"file": "genesis.pt", "sha256": sha256_of(released)}
    assert (content["licence"], content["parts"]) == ("academic", ["encoder", "decoder", "head"])
    network: Any = restored(described_network(tmp_path / "ours" / "model.pt"), tmp_path / "ours" / "model.pt", "")
    weights = torch.load(released, weights_only=True)["state_dict"]
    assert torch.equal(network.head.weight, weights["module.out_tr.final_conv.weight"])


def test_what_the_file_does_not_fill_is_not_made_up(released: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsMismatchError, match="The file has width 4"):
        import_weights(released, tmp_path / "ours", {**GENESIS, "width": 8})
    encoder = {name: value for name, value in ResNetUNet(2, name="resnet10").state_dict().items() if "encoder" in name}
    torch.save({name.removeprefix("encoder."): value for name, value in encoder.items()}, tmp_path / "resnet.pth")
    described = ResNetUNet(2, name="resnet10").describe()
    with pytest.raises(WeightsMismatchError, match="fits the encoder only: say --pretrained_part encoder"):
        import_weights(tmp_path / "resnet.pth", tmp_path / "ours", described)
    assert not (tmp_path / "ours").exists()
    import_weights(tmp_path / "resnet.pth", tmp_path / "ours", described, "encoder")
    assert list(torch.load(tmp_path / "ours" / "model.pt", weights_only=True)) == list(encoder)
    network: Any = initialised(described_network(tmp_path / "ours" / "model.pt"), tmp_path / "ours/model.pt", "encoder")
    assert torch.equal(network.encoder.conv1.weight, encoder["encoder.conv1.weight"])
