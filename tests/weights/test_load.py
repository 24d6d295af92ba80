from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from monai_sg.networks.classifier import Classifier
from monai_sg.networks.genesis_encoder import GenesisEncoder
from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.networks.non_skip_unet import NonSkipUNet
from monai_sg.weights.load import initialised, load_weights, restored
from monai_sg.weights.reading import read_weights
from monai_sg.weights.report import WeightsMismatchError

WHOLE = ["encoder", "decoder", "head"]


def saved(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "model.pt"
    torch.save(content, path)
    return path


def filled(network: Any) -> dict[str, torch.Tensor]:
    """Return the weights of a network after a training step, so that none is as it was drawn."""
    with torch.no_grad():
        for value in network.parameters():
            value.add_(1.0)
    network(torch.rand(2, network.in_channels, *[16] * network.spatial_dims))
    return dict(network.state_dict())


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(
    ("part", "expected"), [("encoder", ["encoder"]), ("encoder_decoder", ["encoder", "decoder"]), (WHOLE, WHOLE)]
)
def test_every_tensor_of_the_parts_asked_for_is_filled_and_no_other(
    tmp_path: Path, dims: int, part: str | list[str], expected: list[str]
) -> None:
    given = filled(GenesisUNet(dims, width=4))
    scratch = initialised(GenesisUNet(dims, width=4), seed=3).state_dict()
    network = initialised(GenesisUNet(dims, width=4), saved(tmp_path, given), part, seed=3)
    for name, value in network.state_dict().items():
        source = given if name.split(".")[0] in expected else scratch
        assert torch.equal(value, source[name]), name
    assert not torch.equal(given["head.weight"], scratch["head.weight"])


def test_encoder_of_another_family_fits_and_the_decoder_stays(tmp_path: Path) -> None:
    given = filled(NonSkipUNet(spatial_dims=2, width=4))
    scratch = initialised(GenesisUNet(spatial_dims=2, width=4)).state_dict()
    network = initialised(GenesisUNet(spatial_dims=2, width=4), saved(tmp_path, given), part="encoder")
    for name, value in network.state_dict().items():
        assert torch.equal(value, (given if name.startswith("encoder.") else scratch)[name]), name


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "model.", "network.", "ema.backbone.", "_orig_mod.module."]
)
def test_a_prefix_is_taken_off_and_named(prefix: str) -> None:
    given = filled(GenesisUNet(2, width=2))
    network = GenesisUNet(2, width=2)
    weights = {f"{prefix}{name}": value for name, value in given.items()} | {"head.linear.bias": torch.ones(1)}
    report = load_weights(network, weights, WHOLE, "x.pt")
    assert all(torch.equal(value, given[name]) for name, value in network.state_dict().items())
    assert f"x.pt, prefix '{prefix}' taken off: 106 of 106 tensors of encoder and decoder and head" in str(report)
    assert report.unexpected == ["head.linear.bias"]


def test_names_as_they_are_come_before_a_copy_behind_a_prefix() -> None:
    given, average = filled(GenesisUNet(2, width=2)), GenesisUNet(2, width=2).state_dict()
    network = GenesisUNet(2, width=2)
    weights = {f"ema.{name}": value for name, value in average.items()} | given
    report = load_weights(network, weights, "encoder", "x.pt")
    assert torch.equal(network.encoder[0][0].conv.weight, given["encoder.0.0.conv.weight"])
    assert "prefix" not in str(report)


def test_a_single_tensor_that_is_missing_is_refused_and_nothing_is_changed() -> None:
    given = filled(GenesisUNet(2, width=4))
    network = GenesisUNet(2, width=4)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    del given["encoder.3.1.adn.N.bias"]
    with pytest.raises(WeightsMismatchError, match=r"missing: encoder\.3\.1\.adn\.N\.bias\. ") as error:
        load_weights(network, given, "encoder", "x")
    assert error.value.report.missing == ["encoder.3.1.adn.N.bias"]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_what_batch_norm_counted_may_be_missing() -> None:
    given = {name: value for name, value in filled(GenesisUNet(2, width=4)).items() if "num_batches" not in name}
    report = load_weights(GenesisUNet(2, width=4), given, WHOLE, "x")
    assert (report.missing, len(report.matched)) == ([], 106 - 14)


def refusal(network: Any, weights: dict[str, torch.Tensor], part: str = "encoder_decoder") -> str:
    with pytest.raises(WeightsMismatchError) as error:
        load_weights(network, weights, part, "x.pt")
    return str(error.value)


def test_remedies_fit_what_is_wrong() -> None:
    narrow = dict(GenesisUNet(2, width=2).state_dict())
    assert refusal(GenesisUNet(2, width=4), narrow).endswith(
        "The file has width 2 (channels of its first convolution), the network 4: give width 2."
    )
    assert "of another shape: encoder.0.0.conv.weight (2, 1, 3, 3) for (4, 1, 3, 3)" in refusal(
        GenesisUNet(2, width=4), narrow
    )
    behind = {f"module.{name}": value for name, value in narrow.items()}
    assert refusal(GenesisUNet(2, width=4), behind).endswith("give width 2."), "behind a prefix too"
    assert refusal(GenesisUNet(3, width=2), narrow).endswith("in 2D, this one is in 3D: give spatial_dims 2.")
    encoder = {name: value for name, value in narrow.items() if name.startswith("encoder.")}
    fits = "Of this network the file fits the encoder only: say --pretrained_part encoder."
    assert refusal(GenesisUNet(2, width=2), encoder).endswith(fits)
    assert refusal(NonSkipUNet(2, width=2), narrow).endswith(fits), "the decoder is one with skips"
    assert "weights inspect FILE" in refusal(GenesisUNet(2, width=2), {"layer.weight": torch.ones(2, 2)})
    lacking = {name: value for name, value in encoder.items() if not name.startswith("encoder.2.")}
    assert refusal(GenesisUNet(2, width=2), lacking, "encoder").endswith("FILE` does).")


def test_parts_that_are_not_there_and_networks_without_parts_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, GenesisUNet(2, width=2).state_dict())
    with pytest.raises(ValueError, match="has no part 'neck'"):
        initialised(GenesisUNet(2, width=2), path, part="neck")
    with pytest.raises(ValueError, match="Classifier has no part 'decoder'"):
        initialised(Classifier(GenesisEncoder(2, width=2), 3), path)
    linear: Any = torch.nn.Linear(2, 2)
    with pytest.raises(ValueError, match="The network Linear does not declare parts"):
        initialised(linear)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused_with_tensor_and_file(tmp_path: Path, value: float) -> None:
    weights = dict(GenesisUNet(2, width=2).state_dict())
    weights["encoder.1.0.conv.weight"][0, 0, 0, 0] = value
    path = saved(tmp_path, weights)
    for load in (
        lambda: initialised(GenesisUNet(2, width=2), path),
        lambda: restored(GenesisUNet(2, width=2), path, ""),
    ):
        with pytest.raises(
            ValueError, match=r"encoder\.1\.0\.conv\.weight in .*model\.pt holds values that are not fin"
        ):
            load()
    weights["encoder.1.0.conv.weight"][0, 0, 0, 0] = 0
    weights["head.weight"][:] = value
    initialised(GenesisUNet(2, width=2), saved(tmp_path, weights), "encoder")  # the head is not asked for


def test_zeros_draw_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    weights = dict(GenesisUNet(2, width=2).state_dict())
    caplog.set_level(logging.WARNING, logger="monai_sg.weights.load")
    initialised(GenesisUNet(2, width=2), saved(tmp_path, weights))
    assert not caplog.messages, "biases may be zero"
    weights["encoder.1.0.conv.weight"].zero_()
    initialised(GenesisUNet(2, width=2), saved(tmp_path, weights), "encoder")
    (sentence,) = caplog.messages
    assert "1 of 8 weights in" in sentence
    assert "are all zero: encoder.1.0.conv.weight." in sentence
    caplog.clear()
    initialised(GenesisUNet(2, width=2), saved(tmp_path, {name: value * 0 for name, value in weights.items()}))
    assert "All weights in" in caplog.text


def test_initial_weights_come_from_the_seed_alone() -> None:
    first, second, other = (initialised(GenesisUNet(2, width=4), seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert not torch.equal(first["encoder.0.0.conv.weight"], other["encoder.0.0.conv.weight"])


def test_a_restored_module_needs_every_tensor(tmp_path: Path) -> None:
    module = torch.nn.Linear(2, 3)
    path = saved(tmp_path, {"weight": torch.ones(3, 2), "bias": torch.zeros(3)})
    assert torch.equal(restored(module, path, "made by x").weight, torch.ones(3, 2))
    with pytest.raises(WeightsMismatchError, match=r"missing: 0\.weight"):
        restored(torch.nn.Sequential(torch.nn.Linear(2, 3)), path, "made by x")
    with pytest.raises(WeightsMismatchError, match=r"of another shape: weight \(3, 2\) for \(4, 2\)"):
        restored(torch.nn.Linear(2, 4), path, "made by x")
    with pytest.raises(FileNotFoundError, match="made by x"):
        restored(module, tmp_path / "absent.pt", "made by x")
    assert restored(module, None, "made by x") is module
    assert restored(module, None, "made by x", "meta").weight.is_meta


def foreign_name(name: str) -> str:
    """Name a parameter of `GenesisUNet` as the released checkpoints of Models Genesis do."""
    parts = name.split(".")
    if parts[0] == "head":
        return f"module.out_tr.final_conv.{parts[1]}"
    blocks = {
        "encoder": ["down_tr64", "down_tr128", "down_tr256", "down_tr512"],
        "decoder": ["up_tr256", "up_tr128", "up_tr64"],
    }
    block = blocks[parts[0]][int(parts[1])]
    if parts[2] == "up":
        return f"module.{block}.up_conv.{parts[3]}"
    unit = parts[3] if parts[0] == "decoder" else parts[2]
    layer = "conv1" if "conv" in parts[-2] else "bn1"
    return f"module.{block}.ops.{unit}.{layer}.{parts[-1]}"


@pytest.mark.parametrize("dims", [2, 3])
def test_a_checkpoint_of_models_genesis_gives_the_same_network(tmp_path: Path, dims: int) -> None:
    source = GenesisUNet(spatial_dims=dims, width=4)
    state = {foreign_name(name): value for name, value in filled(source).items()}
    extra = {"module.clc_out.fc1.weight": torch.ones(3, 3)}
    checkpoint = {
        "epoch": 7,
        "state_dict": {**state, **extra},
        "optimizer_state_dict": {"state": {}, "param_groups": [{"lr": 1.0}]},
        "best_loss": np.float64(0.25),
    }
    network = initialised(GenesisUNet(spatial_dims=dims, width=4), saved(tmp_path, checkpoint), WHOLE)
    assert all(torch.equal(value, source.state_dict()[name]) for name, value in network.state_dict().items())
    image = torch.rand(2, 1, *[16] * dims, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network.eval()(image), source.eval()(image), rtol=1e-4, atol=1e-4)
    report = load_weights(network, {**state, **extra}, "encoder_decoder", "x.pt")
    assert report.unexpected == ["clc_out.fc1.weight"]
    expected = (
        "x.pt, prefix 'module.' taken off, with the names of Models Genesis or Semantic Genesis in PyTorch: 104 of"
    )
    assert expected in str(report)
    classifier = Classifier(GenesisEncoder(dims, width=4), 3)
    load_weights(classifier, read_weights(tmp_path / "model.pt"), "encoder", "x.pt")
    assert torch.equal(classifier.encoder[3][1].conv.weight, source.encoder[3][1].conv.weight)


def test_a_method_file_fills_its_network(tmp_path: Path) -> None:
    given = filled(GenesisUNet(spatial_dims=2, width=4))
    state = {f"network.{name}": value for name, value in given.items()}
    path = saved(tmp_path, {**state, "head.linear.bias": torch.ones(1)})
    network = initialised(GenesisUNet(spatial_dims=2, width=4), path)
    assert torch.equal(network.decoder[2].up.weight, given["decoder.2.up.weight"])
