"""Weights with the names and the arithmetic of torchvision, which this package does not need."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn.functional import batch_norm, conv2d, max_pool2d, relu

from monai_sg.networks.resnet_encoder import ResNetEncoder
from monai_sg.networks.resnet_unet import ResNetUNet
from monai_sg.weights.load import initialised, load_weights
from monai_sg.weights.reading import read_weights
from monai_sg.weights.report import WeightsMismatchError

Weights = dict[str, torch.Tensor]
LAYERS = {"resnet18": ([2, 2, 2, 2], 1), "resnet50": ([3, 4, 6, 3], 4)}


def torchvision_weights(name: str) -> Weights:
    """Make the state dict of a ResNet of torchvision, for ImageNet, with random values."""
    generator = torch.Generator().manual_seed(0)
    weights: Weights = {}

    def add(conv: str, norm: str, outputs: int, inputs: int, kernel: int) -> None:
        scale = (2 / (outputs * kernel**2)) ** 0.5
        weights[f"{conv}.weight"] = scale * torch.randn(outputs, inputs, kernel, kernel, generator=generator)
        for key in ("weight", "bias", "running_mean", "running_var"):
            weights[f"{norm}.{key}"] = 0.5 + torch.rand(outputs, generator=generator)
        weights[f"{norm}.num_batches_tracked"] = torch.tensor(7)

    counts, expansion = LAYERS[name]
    add("conv1", "bn1", 64, 3, 7)
    inputs = 64
    for layer, count in enumerate(counts, start=1):
        planes = 32 * 2**layer
        for index in range(count):
            block = f"layer{layer}.{index}"
            kernels = [3, 3] if expansion == 1 else [1, 3, 1]
            sizes = [inputs, *[planes] * (len(kernels) - 1), planes * expansion]
            for number, kernel in enumerate(kernels, start=1):
                add(f"{block}.conv{number}", f"{block}.bn{number}", sizes[number], sizes[number - 1], kernel)
            if index == 0 and (layer > 1 or expansion > 1):
                add(f"{block}.downsample.0", f"{block}.downsample.1", planes * expansion, inputs, 1)
            inputs = planes * expansion
    weights["fc.weight"], weights["fc.bias"] = torch.randn(1000, inputs, generator=generator), torch.zeros(1000)
    return weights


def torchvision_maps(weights: Weights, x: torch.Tensor, name: str) -> list[torch.Tensor]:
    """Compute the maps of a ResNet of torchvision in evaluation, step by step (the stride is in the 3x3)."""

    def unit(x: torch.Tensor, conv: str, norm: str, stride: int = 1) -> torch.Tensor:
        weight = weights[f"{conv}.weight"]
        x = conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
        values = [weights[f"{norm}.{key}"] for key in ("running_mean", "running_var", "weight", "bias")]
        return batch_norm(x, *values)

    counts, expansion = LAYERS[name]
    x = relu(unit(x, "conv1", "bn1", 2))
    maps = [x]
    x = max_pool2d(x, 3, 2, 1)
    for layer, count in enumerate(counts, start=1):
        for index in range(count):
            block, stride = f"layer{layer}.{index}", 2 if layer > 1 and index == 0 else 1
            strides = [stride, 1] if expansion == 1 else [1, stride, 1]
            inner = x
            for number, step in enumerate(strides, start=1):
                inner = unit(inner, f"{block}.conv{number}", f"{block}.bn{number}", step)
                inner = relu(inner) if number < len(strides) else inner
            if f"{block}.downsample.0.weight" in weights:
                x = unit(x, f"{block}.downsample.0", f"{block}.downsample.1", stride)
            x = relu(inner + x)
        maps.append(x)
    return maps


@pytest.mark.parametrize("name", LAYERS)
def test_a_file_of_torchvision_gives_its_features(tmp_path: Path, name: str) -> None:
    weights = torchvision_weights(name)
    torch.save(weights, tmp_path / "resnet.pth")
    network = initialised(ResNetUNet(2, in_channels=3, name=name), tmp_path / "resnet.pth", "encoder").eval()
    x = torch.rand(2, 3, 64, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        maps = network.forward_features(x)
    assert [m.shape[1] for m in maps] == network.encoder_channels
    for ours, theirs in zip(maps, torchvision_maps(weights, x, name), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 4])
def test_the_stem_is_adapted_and_the_classes_are_reported_as_left_out(tmp_path: Path, channels: int) -> None:
    weights = torchvision_weights("resnet18")
    torch.save({f"module.{key}": value for key, value in weights.items()}, tmp_path / "resnet.pth")
    network = ResNetUNet(2, in_channels=channels)
    report = load_weights(network, read_weights(tmp_path / "resnet.pth"), "encoder", "resnet.pth")
    assert report.adapted == [f"encoder.conv1.weight from 3 to {channels} channels"]
    assert report.unexpected == ["fc.weight", "fc.bias"]
    assert (report.missing, report.mismatched, len(report.matched)) == ([], {}, 120)
    assert "prefix 'module.' taken off, with the names of a ResNet of torchvision or MedicalNet" in str(report)
    x = torch.rand(1, 1, 64, 32)
    with torch.no_grad():
        deepest = network.eval().forward_features(x.expand(-1, channels, -1, -1))[-1]
    expected = torchvision_maps(weights, x.expand(-1, 3, -1, -1), "resnet18")[-1]
    torch.testing.assert_close(deepest, expected, rtol=1e-3, atol=1e-3)


def test_another_depth_is_refused() -> None:
    with pytest.raises(WeightsMismatchError, match=r"missing: encoder\.layer.*of another kind"):
        load_weights(ResNetUNet(2, in_channels=3, name="resnet34"), torchvision_weights("resnet18"), "encoder", "x")


def test_gradients_pass_the_shortcuts() -> None:
    encoder = ResNetEncoder(2)
    encoder(torch.rand(2, 1, 32, 32))[-1].sum().backward()
    assert all(encoder.get_parameter(f"layer{n}.0.downsample.0.weight").grad is not None for n in (2, 3, 4))


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no network 'resnet19'; take one of resnet10, resnet18"):
        ResNetEncoder(2, name="resnet19")
