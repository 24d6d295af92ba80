"""What all networks of this package promise alike."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch

from monai_sg.networks.batch_statistics import BatchStatisticsNorm
from monai_sg.networks.classifier import Classifier
from monai_sg.networks.contract import checked_network, keys_of
from monai_sg.networks.description import built
from monai_sg.networks.genesis_encoder import GenesisEncoder
from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.networks.heads import PatternHead
from monai_sg.networks.non_skip_resnet_unet import NonSkipResNetUNet
from monai_sg.networks.non_skip_unet import NonSkipUNet
from monai_sg.networks.resnet_encoder import ResNetEncoder
from monai_sg.networks.resnet_unet import ResNetUNet

Make = Callable[[int], Any]

GENESIS: dict[str, Make] = {
    "genesis": cache(lambda dims: GenesisUNet(dims, 2, 3, width=4)),
    "non-skip": cache(lambda dims: NonSkipUNet(dims, 2, 3, width=4)),
}
RESNETS: dict[str, Make] = {
    "resnet": cache(lambda dims: ResNetUNet(dims, 2, 3, name="resnet10")),
    "non-skip resnet": cache(lambda dims: NonSkipResNetUNet(dims, 2, 3, name="resnet10")),
}
DENSE = {**GENESIS, **RESNETS}
CLASSIFIERS: dict[str, Make] = {
    "genesis classifier": cache(lambda dims: Classifier(GenesisEncoder(dims, 2, width=4), 3)),
    "resnet classifier": cache(lambda dims: Classifier(ResNetEncoder(dims, 2, "resnet10"), 3)),
}
ALL = {**DENSE, **CLASSIFIERS}
# Each is made once; tests that train one or switch its mode say so themselves.
SIZES = {2: (64, 32), 3: (32, 32, 64)}


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def image(dims: int, count: int = 2) -> torch.Tensor:
    return torch.rand(count, 2, *SIZES[dims], generator=torch.Generator().manual_seed(0))


def test_published_parameter_counts_of_the_unet_and_its_head() -> None:
    unet = GenesisUNet(spatial_dims=3)
    assert [parameters(stage) for stage in unet.encoder] == [56_448, 332_352, 1_328_256, 5_310_720]
    assert [parameters(stage) for stage in unet.decoder] == [9_177_088, 2_294_784, 573_952]
    assert parameters(unet.head) == 65
    assert parameters(unet) == 19_073_665
    assert len(unet.state_dict()) == 106
    head = PatternHead(3, unet.encoder_channels[-1], 44)
    assert parameters(head) == 14_203_948
    assert parameters(unet.encoder) + parameters(head) == 21_231_724
    assert parameters(unet) + parameters(head) == 33_277_613


def test_published_parameter_counts_of_the_networks_without_skips() -> None:
    network = NonSkipUNet(spatial_dims=3)
    assert parameters(network.encoder) == 7_027_776
    assert [parameters(stage) for stage in network.decoder] == [
        2_097_664 + 5_309_952,
        524_544 + 1_327_872,
        131_200 + 332_160,
    ]
    assert parameters(network) == 16_751_233
    assert parameters(ResNetEncoder(2, in_channels=3)) == 11_176_512, "torchvision's ResNet-18 without its classes"


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("make", ALL.values(), ids=ALL)
def test_parts_hold_every_tensor_once_and_the_stem_sees_the_image(make: Make, dims: int) -> None:
    network = checked_network(make(dims))
    held = [name for part in network.parts for name in keys_of(network, part)]
    assert sorted(held) == sorted(network.state_dict())
    assert f"{network.stem_key}.weight" in keys_of(network, "encoder")
    assert network.get_submodule(network.stem_key).weight.shape[1] == network.in_channels == 2
    assert network.spatial_dims == dims


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("make", ALL.values(), ids=ALL)
def test_a_description_builds_the_same_network(make: Make, dims: int) -> None:
    network = make(dims)
    again = built(network.describe())
    assert type(again) is type(network)
    shapes = {name: value.shape for name, value in network.state_dict().items()}
    assert {name: value.shape for name, value in again.state_dict().items()} == shapes
    assert again.describe() == network.describe()


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("make", GENESIS.values(), ids=GENESIS)
def test_shapes_of_the_genesis_networks(make: Make, dims: int) -> None:
    network, x, size = make(dims).eval(), image(dims, 1), SIZES[dims]
    assert network(x).shape == (1, 3, *size)
    features = network.forward_features(x)
    assert [f.shape[1] for f in features] == [8, 16, 32, 64] == network.encoder_channels
    assert [tuple(f.shape[2:]) for f in features] == [tuple(s // 2**i for s in size) for i in range(4)]
    maps = network.forward_decoder(features)
    assert [f.shape[1] for f in maps] == [32, 16, 8] == network.decoder_channels
    assert [tuple(f.shape[2:]) for f in maps] == [tuple(s // 2**i for s in size) for i in (2, 1, 0)]


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("make", RESNETS.values(), ids=RESNETS)
def test_shapes_of_the_resnets(make: Make, dims: int) -> None:
    network, x, size = make(dims).eval(), image(dims, 1), SIZES[dims]
    assert network(x).shape == (1, 3, *size)
    features = network.forward_features(x)
    assert [f.shape[1] for f in features] == [64, 64, 128, 256, 512] == network.encoder_channels
    assert [tuple(f.shape[2:]) for f in features] == [tuple(s // 2**i for s in size) for i in range(1, 6)]
    maps = network.forward_decoder(features)
    assert [f.shape[1] for f in maps] == [256, 128, 64, 32, 16] == network.decoder_channels
    assert [tuple(f.shape[2:]) for f in maps] == [tuple(s // 2**i for s in size) for i in (4, 3, 2, 1, 0)]


@torch.no_grad()
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", DENSE)
def test_only_networks_with_skips_pass_information_around_the_bottleneck(name: str, dims: int) -> None:
    network = DENSE[name](dims).eval()
    features = network.forward_features(image(dims, 1))
    for level in range(len(features) - 1):
        changed = [f + (index == level) for index, f in enumerate(features)]
        same = torch.equal(network.forward_decoder(features)[-1], network.forward_decoder(changed)[-1])
        assert same == name.startswith("non-skip"), level
    moved = [*features[:-1], features[-1] + 1]
    assert not torch.equal(network.forward_decoder(features)[-1], network.forward_decoder(moved)[-1])


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("make", ALL.values(), ids=ALL)
def test_every_parameter_gets_a_gradient(make: Make, dims: int) -> None:
    network = make(dims).train()
    network.zero_grad()
    network(image(dims)).square().mean().backward()
    assert [name for name, value in network.named_parameters() if value.grad is None] == []


@pytest.mark.parametrize("name", ["genesis", "non-skip resnet", "resnet classifier"])
def test_networks_compile_whole(name: str) -> None:
    assert torch._dynamo.explain(ALL[name](2).eval())(image(2)).graph_break_count == 0


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("make", ALL.values(), ids=ALL)
def test_scripted_network_gives_the_same_output(make: Make, dims: int) -> None:
    network, x = make(dims).eval(), image(dims, 1)
    torch.testing.assert_close(torch.jit.script(network)(x), network(x))


@pytest.mark.parametrize(("name", "divisor"), [("genesis", 8), ("non-skip", 8), ("resnet", 32)])
def test_a_size_that_does_not_fit_is_named(name: str, divisor: int) -> None:
    network = DENSE[name](2)
    assert network.size_divisor == divisor
    with pytest.raises(ValueError, match=rf"multiple of {divisor}.*20"):
        network(torch.rand(1, 2, 64, 20))


def test_evaluation_does_not_depend_on_the_rest_of_the_batch() -> None:
    network = GenesisUNet(spatial_dims=2, width=4).eval()
    x = torch.rand(3, 1, 16, 16)
    torch.testing.assert_close(network(x)[1:2], network(x[1:2]))


def test_pattern_head_gives_logits() -> None:
    head = PatternHead(2, 8, 5)
    assert head(torch.rand(4, 8, 3, 3)).shape == (4, 5)


@pytest.mark.parametrize("size", [(16, 16), (16, 16, 8)])
def test_batch_statistics_serve_training_and_evaluation_alike(size: tuple[int, ...]) -> None:
    network = GenesisUNet(len(size), width=4, batch_statistics=True)
    x = torch.rand(3, 1, *size)
    trained = network(x)
    kept = {name: value.clone() for name, value in network.state_dict().items()}
    torch.testing.assert_close(network.eval()(x), trained)
    assert all(torch.equal(value, kept[name]) for name, value in network.state_dict().items())


def test_batch_statistics_by_hand_and_running_statistics_for_other_networks() -> None:
    norm = BatchStatisticsNorm(1)
    x = torch.tensor([1.0, 3.0]).view(2, 1, 1, 1)
    torch.testing.assert_close(norm(x).flatten(), torch.tensor([-1.0, 1.0]), atol=1e-4, rtol=0)
    assert norm.running_mean.item() == pytest.approx(0.1 * 2)
    assert norm.running_var.item() == pytest.approx(0.9 * 1 + 0.1 * 2)  # of n - 1, as batch norm keeps it
    usual, other = GenesisUNet(3, width=4), GenesisUNet(3, width=4, batch_statistics=True)
    usual.load_state_dict(other.state_dict())
    with pytest.raises(ValueError, match=r"shape \(2, 1\)"):
        norm(x.view(2, 1))
