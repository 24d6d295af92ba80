from __future__ import annotations

from pathlib import Path

import pytest
import torch

from monai_sg.networks.classifier import Classifier
from monai_sg.networks.genesis_encoder import GenesisEncoder
from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.networks.resnet_encoder import ResNetEncoder
from monai_sg.networks.resnet_unet import ResNetUNet
from monai_sg.weights.export import save_network
from monai_sg.weights.load import initialised

PAIRS = {
    "genesis": (lambda dims: GenesisUNet(dims, width=4), lambda dims: GenesisEncoder(dims, width=4)),
    "resnet": (lambda dims: ResNetUNet(dims, name="resnet10"), lambda dims: ResNetEncoder(dims, name="resnet10")),
}


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", PAIRS)
def test_it_takes_the_encoder_of_the_unet_and_its_features(tmp_path: Path, name: str, dims: int) -> None:
    make_unet, make_encoder = PAIRS[name]
    unet = make_unet(dims).eval()
    path = save_network(unet, tmp_path / "model.pt", {})
    network = initialised(Classifier(make_encoder(dims), 3), path, "encoder").eval()
    x = torch.rand(2, 1, *[32] * dims)
    for ours, theirs in zip(network.forward_features(x), unet.forward_features(x), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("dims", [2, 3])
def test_logits_are_a_linear_function_of_the_mean_of_the_deepest_map(dims: int) -> None:
    network = Classifier(GenesisEncoder(dims, width=2), 3).eval()
    x = torch.rand(2, 1, *[16] * dims)
    mean = network.encoder(x)[-1].mean(dim=tuple(range(2, 2 + dims)))
    torch.testing.assert_close(network(x), mean @ network.head.weight.T + network.head.bias)


def test_any_size_of_image_will_do() -> None:
    assert Classifier(GenesisEncoder(2, width=2), 3)(torch.rand(2, 1, 45, 27)).shape == (2, 3)
