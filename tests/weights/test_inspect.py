from __future__ import annotations

from pathlib import Path

import pytest
import torch

from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.networks.non_skip_unet import NonSkipUNet
from monai_sg.weights.inspect import inspect_weights


def test_network_of_this_package_is_recognised(tmp_path: Path) -> None:
    torch.save(GenesisUNet(spatial_dims=3, in_channels=2, width=4).state_dict(), tmp_path / "model.pt")
    lines = inspect_weights(tmp_path / "model.pt")
    assert "106 tensors" in lines[0]
    assert lines[1] == "names begin with encoder (56), decoder (48), head (2)"
    assert lines[2] == "first convolution: 3D, 2 input channels, width 4; 1 output channels"
    assert "GenesisUNet, encoder_decoder: 106 tensors loaded (100.0%" in lines[4]
    assert "NonSkipUNet, encoder: 56 tensors loaded (100.0%" in lines[5]
    assert "3 of another shape" in lines[6]


def test_method_with_its_head_is_recognised(tmp_path: Path) -> None:
    state = {f"network.{name}": value for name, value in NonSkipUNet(spatial_dims=2, width=4).state_dict().items()}
    torch.save({**state, "head.linear.weight": torch.ones(2, 2)}, tmp_path / "method.pt")
    lines = inspect_weights(tmp_path / "method.pt")
    assert lines[1] == "names begin with network (106), head (1)"
    (line,) = (line for line in lines if line.startswith("NonSkipUNet, encoder_decoder"))
    assert "with the names of a pre-training method: 106 tensors loaded (100.0%" in line


def test_foreign_weights_fit_nothing(tmp_path: Path) -> None:
    torch.save({"module.conv.weight": torch.ones(1, 1, 3, 3)}, tmp_path / "x.pt")
    assert "fits no network" in inspect_weights(tmp_path / "x.pt")[-1]


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(b"")
    with pytest.raises(ValueError, match="not a file of plain weights"):
        inspect_weights(tmp_path / "x.pt")
