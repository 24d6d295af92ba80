from __future__ import annotations

from pathlib import Path

import pytest
import torch

from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.networks.non_skip_unet import NonSkipUNet
from monai_sg.networks.resnet_unet import ResNetUNet
from monai_sg.weights.export import save_network
from monai_sg.weights.inspect import inspect_weights


def test_the_described_network_is_compared_part_by_part(tmp_path: Path) -> None:
    path = save_network(GenesisUNet(spatial_dims=3, in_channels=2, width=4), tmp_path / "model.pt", {})
    lines = inspect_weights(path)
    assert "106 tensors" in lines[0]
    assert lines[1] == "names begin with encoder (56), decoder (48), head (2)"
    assert lines[2].startswith("model.json: monai_sg.networks.genesis_unet.GenesisUNet with {'spatial_dims': 3, 'in_")
    assert [line.split(",")[0] for line in lines[3:]] == [
        "model.pt: 56 of 56 tensors of encoder fit",
        "model.pt: 48 of 48 tensors of decoder fit",
        "model.pt: 2 of 2 tensors of head fit",
    ]
    save_network(GenesisUNet(spatial_dims=3, width=4), path, {}, ["encoder"])
    lines = inspect_weights(path)
    assert lines[4].startswith("model.pt: 0 of 42 tensors of decoder fit, 42 missing")
    assert lines[5].startswith("missing: decoder.0.up.weight")


def test_names_tell_the_family_where_nothing_is_described(tmp_path: Path) -> None:
    state = {f"network.{name}": value for name, value in NonSkipUNet(spatial_dims=2, width=4).state_dict().items()}
    torch.save({**state, "head.linear.weight": torch.ones(2, 2)}, tmp_path / "method.pt")
    lines = inspect_weights(tmp_path / "method.pt")
    assert lines[1] == "names begin with network (106), head (1)"
    assert lines[2] == "no model.json describes its network; by their names alone"
    assert "GenesisUNet, prefix 'network.' taken off: encoder 56 of 56, decoder 48 of 48, head 2 of 2" in lines
    assert not any("ResNet" in line for line in lines)


def test_a_resnet_is_told_by_its_depth(tmp_path: Path) -> None:
    prefix = "encoder."
    state = ResNetUNet(2, in_channels=3).state_dict()
    names = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    torch.save({**names, "fc.weight": torch.ones(1000, 512)}, tmp_path / "resnet.pth")
    lines = inspect_weights(tmp_path / "resnet.pth")
    found = [line for line in lines if line.startswith("ResNetUNet of")]
    assert found[0].endswith("with the names of a ResNet of torchvision or MedicalNet: encoder 120 of 120")
    assert found[1].endswith("encoder 120 of 216")


def test_foreign_weights_fit_nothing(tmp_path: Path) -> None:
    torch.save({"module.conv.weight": torch.ones(1, 1, 3, 3)}, tmp_path / "x.pt")
    assert inspect_weights(tmp_path / "x.pt")[-1] == "it fits no network of this package"


def test_values_that_cannot_be_used_are_said(tmp_path: Path) -> None:
    network = GenesisUNet(2, width=2)
    torch.nn.init.constant_(network.get_parameter("head.weight"), float("nan"))
    path = save_network(network, tmp_path / "model.pt", {})
    assert any("head.weight in" in line and "not finite" in line for line in inspect_weights(path))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(b"")
    with pytest.raises(ValueError, match="not a file of plain weights"):
        inspect_weights(tmp_path / "x.pt")
