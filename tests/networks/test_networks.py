from __future__ import annotations

import pytest
import torch

from monai_sg.networks.batch_statistics import BatchStatisticsNorm
from monai_sg.networks.encoder_decoder import EncoderDecoder
from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.networks.heads import PatternHead
from monai_sg.networks.non_skip_unet import NonSkipUNet

FAMILIES: list[type[EncoderDecoder]] = [GenesisUNet, NonSkipUNet]


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


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


def test_published_parameter_counts_of_the_network_without_skips() -> None:
    network = NonSkipUNet(spatial_dims=3)
    assert parameters(network.encoder) == 7_027_776
    assert [parameters(stage) for stage in network.decoder] == [
        2_097_664 + 5_309_952,
        524_544 + 1_327_872,
        131_200 + 332_160,
    ]
    assert parameters(network) == 16_751_233


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [(16, 24), (16, 24, 8)])
def test_shapes_in_two_and_three_dimensions(family: type[EncoderDecoder], size: tuple[int, ...]) -> None:
    network = family(spatial_dims=len(size), in_channels=2, out_channels=3, width=4)
    x = torch.rand(2, 2, *size)
    assert network(x).shape == (2, 3, *size)
    features = network.forward_features(x)
    assert [f.shape[1] for f in features] == [8, 16, 32, 64] == network.encoder_channels
    assert [tuple(f.shape[2:]) for f in features] == [tuple(s // 2**i for s in size) for i in range(4)]
    assert [f.shape[1] for f in network.forward_decoder(features)] == [32, 16, 8] == network.decoder_channels


@pytest.mark.parametrize("family", FAMILIES)
def test_only_the_unet_passes_information_around_the_bottleneck(family: type[EncoderDecoder]) -> None:
    network = family(spatial_dims=2, width=4).eval()
    features = network.forward_features(torch.rand(1, 1, 16, 16))
    changed = [torch.zeros_like(f) for f in features[:3]] + features[3:]
    same = torch.equal(network.forward_decoder(features)[2], network.forward_decoder(changed)[2])
    assert same == (family is NonSkipUNet)


@pytest.mark.parametrize("family", FAMILIES)
def test_declared_keys_name_existing_modules(family: type[EncoderDecoder]) -> None:
    network = family(spatial_dims=3, width=4)
    for key in (network.encoder_key, network.stem_key, network.decoder_key, network.head_key):
        assert any(name.startswith(key + ".") for name in network.state_dict()), key
    assert network.get_submodule(network.stem_key).weight.shape[1] == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_every_parameter_gets_a_gradient(family: type[EncoderDecoder]) -> None:
    network = family(spatial_dims=2, width=4)
    network(torch.rand(2, 1, 16, 16)).square().mean().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_a_size_that_is_no_multiple_of_eight_is_named() -> None:
    with pytest.raises(ValueError, match=r"multiple of 8.*20"):
        GenesisUNet(spatial_dims=2, width=4)(torch.rand(1, 1, 16, 20))


@pytest.mark.parametrize("family", FAMILIES)
def test_scripted_network_gives_the_same_output(family: type[EncoderDecoder]) -> None:
    network = family(spatial_dims=3, width=4).eval()
    x = torch.rand(1, 1, 16, 8, 8)
    torch.testing.assert_close(torch.jit.script(network)(x), network(x))


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
