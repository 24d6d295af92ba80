from __future__ import annotations

import pytest

from monai_sg.networks.names import GENESIS, RESNET, renamed


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("down_tr64.ops.0.conv1.weight", "encoder.0.0.conv.weight"),
        ("down_tr512.ops.1.bn1.running_var", "encoder.3.1.adn.N.running_var"),
        ("down_tr128.ops.1.bn1.bias", "encoder.1.1.adn.N.bias"),
        ("up_tr256.up_conv.bias", "decoder.0.up.bias"),
        ("up_tr64.ops.1.conv1.weight", "decoder.2.convolutions.1.conv.weight"),
        ("up_tr128.ops.0.bn1.num_batches_tracked", "decoder.1.convolutions.0.adn.N.num_batches_tracked"),
        ("out_tr.final_conv.bias", "head.bias"),
        ("clc_out.fc1.weight", "clc_out.fc1.weight"),
        ("encoder.0.0.conv.weight", "encoder.0.0.conv.weight"),
    ],
)
def test_names_of_models_genesis(name: str, ours: str) -> None:
    assert renamed(name, GENESIS) == ours


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("conv1.weight", "encoder.conv1.weight"),
        ("layer4.1.bn2.running_var", "encoder.layer4.1.bn2.running_var"),
        ("fc.weight", "fc.weight"),
        ("encoder.conv1.weight", "encoder.conv1.weight"),
    ],
)
def test_names_of_resnets(name: str, ours: str) -> None:
    assert renamed(name, RESNET) == ours
