from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.runs.footprint import footprint


@pytest.mark.parametrize(
    ("layer", "shape", "taps"),
    [
        (nn.Conv2d(2, 3, 3, padding=1), (5, 2, 4, 6), 9),
        (nn.Conv3d(2, 3, 3, padding=1), (5, 2, 4, 6, 8), 27),
        (nn.Conv3d(2, 3, 1, bias=False), (1, 2, 4, 4, 4), 1),
    ],
)
def test_cost_of_one_convolution(layer: nn.Module, shape: tuple[int, ...], taps: int) -> None:
    batch, voxels = shape[0], torch.Size(shape[2:]).numel()
    parameters = 2 * 3 * taps + (3 if layer.bias is not None else 0)
    cost = footprint(layer, shape)
    assert cost.parameters == parameters
    assert cost.operations == 3 * (2 * 2 * taps * 3 * voxels * batch)
    outputs = batch * 3 * voxels
    assert cost.memory == 4 * 4 * parameters + (outputs + 2 * outputs) * 4
    assert footprint(layer, shape, half_precision=True).memory == 16 * parameters + 3 * outputs * 2


def test_outputs_of_all_layers_are_counted() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.MaxPool2d(2), nn.Conv2d(2, 1, 1))
    cost = footprint(network, (1, 1, 4, 4))
    assert cost.memory == 16 * (4 + 3) + (32 + 8 + 4 + 2 * 32) * 4
    assert cost.operations == 3 * (2 * 2 * 16 + 2 * 2 * 4)


def test_network_is_not_changed_and_never_run() -> None:
    network = GenesisUNet(spatial_dims=3, width=4)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    single, double = (footprint(network, (batch, 1, 64, 64, 32)) for batch in (1, 2))
    assert double.operations == 2 * single.operations
    assert double.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert all(value.device.type == "cpu" for value in network.state_dict().values())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not network.head._forward_hooks
