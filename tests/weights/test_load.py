from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.networks.non_skip_unet import NonSkipUNet
from monai_sg.weights.load import adapt_channels, initialised, load_weights, restored
from monai_sg.weights.reading import read_weights
from monai_sg.weights.report import WeightsMismatchError


def saved(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "model.pt"
    torch.save(content, path)
    return path


def test_all_weights_of_the_same_network_are_filled(tmp_path: Path) -> None:
    source = GenesisUNet(spatial_dims=2, width=4)
    path = saved(tmp_path, source.state_dict())
    network = initialised(GenesisUNet(spatial_dims=2, width=4), path)
    for name, value in source.state_dict().items():
        assert torch.equal(network.state_dict()[name], value), name


def test_encoder_of_another_family_fits_and_the_decoder_stays(tmp_path: Path) -> None:
    source, target = NonSkipUNet(spatial_dims=2, width=4), GenesisUNet(spatial_dims=2, width=4)
    before = {name: value.clone() for name, value in target.decoder.state_dict().items()}
    initialised(target, saved(tmp_path, source.state_dict()), part="encoder")
    assert all(torch.equal(v, source.encoder.state_dict()[n]) for n, v in target.encoder.state_dict().items())
    assert all(torch.equal(v, before[n]) for n, v in target.decoder.state_dict().items())


def test_report_counts_elements_of_the_requested_part() -> None:
    network = GenesisUNet(spatial_dims=2, width=4)
    weights = dict(network.encoder.state_dict(prefix="encoder."))
    assert load_weights(network, weights, "encoder", "x").share == 1.0
    report = load_weights(network, weights, "encoder_decoder", "x")
    wanted = [v.numel() for n, v in network.state_dict().items() if not n.startswith("head")]
    assert report.share == pytest.approx(sum(v.numel() for v in weights.values()) / sum(wanted))
    assert report.missing[0].startswith("decoder.")


def test_head_of_another_size_is_left_out(tmp_path: Path) -> None:
    path = saved(tmp_path, GenesisUNet(spatial_dims=2, width=4).state_dict())
    network = GenesisUNet(spatial_dims=2, width=4, out_channels=3)
    report = load_weights(network, read_weights(path), "encoder_decoder", "x")
    assert report.share == 1.0
    assert [text.split()[0] for text in report.mismatched] == ["head.weight", "head.bias"]


def test_another_width_is_refused_with_the_first_keys(tmp_path: Path) -> None:
    path = saved(tmp_path, GenesisUNet(spatial_dims=2, width=8).state_dict())
    with pytest.raises(WeightsMismatchError, match=r"encoder\.0\.0\.conv\.weight \(8, 1, 3, 3\) for \(4, 1, 3, 3\)"):
        initialised(GenesisUNet(spatial_dims=2, width=4), path)


def test_an_unknown_part_is_named() -> None:
    with pytest.raises(ValueError, match="'decoder'"):
        initialised(GenesisUNet(spatial_dims=2, width=4), part="decoder")


def test_a_restored_module_needs_every_tensor(tmp_path: Path) -> None:
    module = torch.nn.Linear(2, 3)
    path = saved(tmp_path, {"weight": torch.ones(3, 2), "bias": torch.zeros(3)})
    assert torch.equal(restored(module, path, "made by x").weight, torch.ones(3, 2))
    with pytest.raises(WeightsMismatchError, match=r"missing: 0\.weight"):
        restored(torch.nn.Sequential(torch.nn.Linear(2, 3)), path, "made by x")
    with pytest.raises(FileNotFoundError, match="made by x"):
        restored(module, tmp_path / "absent.pt", "made by x")
    assert restored(module, None, "made by x") is module
    assert restored(module, None, "made by x", "meta").weight.is_meta


def test_weights_without_the_head_are_reported(tmp_path: Path) -> None:
    weights = GenesisUNet(spatial_dims=2, width=4).state_dict()
    bare = saved(tmp_path, {name: value for name, value in weights.items() if not name.startswith("head.")})
    report = load_weights(GenesisUNet(spatial_dims=2, width=4), read_weights(bare), "encoder_decoder", "x")
    assert (report.share, report.missing) == (1.0, ["head.weight", "head.bias"])


def test_stem_of_another_channel_count_is_adapted_and_reported(tmp_path: Path) -> None:
    source = GenesisUNet(spatial_dims=2, width=4).eval()
    network = GenesisUNet(spatial_dims=2, width=4, in_channels=4)
    report = load_weights(network, read_weights(saved(tmp_path, source.state_dict())), "encoder_decoder", "x")
    assert report.share == 1.0
    assert report.adapted == ["encoder.0.0.conv.weight from 1 to 4 channels"]
    assert "adapted: encoder.0.0.conv.weight" in str(report)
    x = torch.rand(1, 1, 16, 16)
    torch.testing.assert_close(network.eval()(x.expand(-1, 4, -1, -1)), source(x))


def test_adapted_channels_by_hand() -> None:
    weight = torch.tensor([[[2.0], [4.0]]])
    assert adapt_channels(weight, 3).tolist() == [[[2.0], [2.0], [2.0]]]
    assert adapt_channels(weight, 1).tolist() == [[[6.0]]]


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
    state = {foreign_name(name): value for name, value in source.state_dict().items()}
    extra = {"module.clc_out.fc1.weight": torch.ones(3, 3)}
    checkpoint = {
        "epoch": 7,
        "state_dict": {**state, **extra},
        "optimizer_state_dict": {"state": {}, "param_groups": [{"lr": 1.0}]},
        "best_loss": np.float64(0.25),
    }
    network = initialised(GenesisUNet(spatial_dims=dims, width=4), saved(tmp_path, checkpoint))
    assert all(torch.equal(value, source.state_dict()[name]) for name, value in network.state_dict().items())
    image = torch.rand(2, 1, *[16] * dims, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network.eval()(image), source.eval()(image), rtol=1e-4, atol=1e-4)
    report = load_weights(network, {**state, **extra}, "encoder_decoder", "x.pt")
    assert report.unexpected == ["clc_out.fc1.weight"]
    assert "x.pt, with the names of Models Genesis or Semantic Genesis in PyTorch: 106 tensors" in str(report)


def test_another_prefix_is_refused_with_the_first_keys(tmp_path: Path) -> None:
    state = {f"backbone.{name}": value for name, value in GenesisUNet(spatial_dims=2, width=4).state_dict().items()}
    with pytest.raises(WeightsMismatchError) as error:
        initialised(GenesisUNet(spatial_dims=2, width=4), saved(tmp_path, state))
    assert "0 tensors loaded (0.0% of what was asked for)" in str(error.value)
    assert "not in the network: backbone.encoder.0.0.conv.weight, backbone.encoder.0.0.conv.bias" in str(error.value)
    assert "At least 90% must fit" in str(error.value)


def test_a_method_file_fills_its_network(tmp_path: Path) -> None:
    source = GenesisUNet(spatial_dims=2, width=4)
    state = {f"network.{name}": value for name, value in source.state_dict().items()}
    network = initialised(
        GenesisUNet(spatial_dims=2, width=4), saved(tmp_path, {**state, "head.linear.bias": torch.ones(1)})
    )
    assert torch.equal(network.head.bias, source.head.bias)
