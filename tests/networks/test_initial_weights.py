from __future__ import annotations

from typing import Any

import pytest
import torch

from monai_sg.networks.classifier import Classifier
from monai_sg.networks.genesis_encoder import GenesisEncoder
from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.networks.initial_weights import draw_initial_weights
from monai_sg.networks.resnet_encoder import ResNetEncoder
from monai_sg.networks.resnet_unet import ResNetUNet

WEIGHTS = dict[str, torch.Tensor]


def drawn(network: Any, seed: int = 0) -> WEIGHTS:
    draw_initial_weights(network, seed)
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(one: WEIGHTS, other: WEIGHTS, part: str) -> bool:
    names = [name for name in one if name.startswith(f"{part}.")]
    return bool(names) and all(torch.equal(one[name], other[name]) for name in names)


@pytest.mark.parametrize("dims", [2, 3])
def test_neither_another_head_nor_the_global_generator_changes_the_encoder(dims: int) -> None:
    first = drawn(GenesisUNet(dims, width=4))
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    second = drawn(network := GenesisUNet(dims, out_channels=7, width=4))
    torch.manual_seed(3)
    draw_initial_weights(network, 5)
    assert torch.equal(torch.rand(1), expected), "the global generator stays as it is"
    assert same(first, second, "encoder")
    assert same(first, second, "decoder")
    classes = [drawn(Classifier(GenesisEncoder(dims, width=4), count)) for count in (2, 5)]
    assert all(same(first, weights, "encoder") for weights in classes)


def test_another_seed_gives_other_weights_to_every_part() -> None:
    first, second = drawn(GenesisUNet(2, width=4), 0), drawn(GenesisUNet(2, width=4), 1)
    assert not any(same(first, second, part) for part in ("encoder", "decoder", "head"))
    weights = [name for name in first if name.endswith("conv.weight")]
    assert not any(torch.equal(first[name], second[name]) for name in weights)
    expected = (1 / 3 / (8 * 9)) ** 0.5  # uniform, of variance 1 / (3 * inputs of a voxel)
    assert first["encoder.1.0.conv.weight"].std() == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("dims", [2, 3])
def test_a_resnet_keeps_its_own_distribution(dims: int) -> None:
    network = ResNetUNet(dims, name="resnet10")
    weights = drawn(network)
    for name in ("layer1.0.conv1", "layer3.0.conv2", "layer4.0.downsample.0"):
        weight = weights[f"encoder.{name}.weight"]
        fan_out = weight.shape[0] * weight[0, 0].numel()
        assert weight.std() == pytest.approx((2 / fan_out) ** 0.5, rel=0.05), name
    assert same(weights, drawn(Classifier(ResNetEncoder(dims, name="resnet10"), 2)), "encoder")
    assert not same(weights, drawn(network, 1), "encoder")


def test_statistics_of_batch_norm_are_reset() -> None:
    network = GenesisUNet(2, width=2)
    network(torch.rand(2, 1, 8, 8) + 5)
    weights = drawn(network)
    assert not weights["encoder.0.0.adn.N.running_mean"].any()
