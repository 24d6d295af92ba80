from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import torch

from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.networks.non_skip_unet import NonSkipUNet
from monai_sg.weights.load import adapt_channels, initialised, load_weights, read_weights, restored
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


def test_another_prefix_is_refused(tmp_path: Path) -> None:
    state = {f"module.{name}": value for name, value in GenesisUNet(spatial_dims=2, width=4).state_dict().items()}
    with pytest.raises(WeightsMismatchError, match=r"not in the network: module\.encoder"):
        initialised(GenesisUNet(spatial_dims=2, width=4), saved(tmp_path, state))


@pytest.mark.parametrize("content", [{}, {"state_dict": {"a": torch.ones(1)}}, [torch.ones(1)]])
def test_a_file_that_is_no_flat_state_dict_is_named(tmp_path: Path, content: object) -> None:
    with pytest.raises(ValueError, match=r"model\.pt holds"):
        read_weights(saved(tmp_path, content))


def test_a_file_with_python_objects_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a file of plain weights"):
        read_weights(saved(tmp_path, {"opt": argparse.Namespace(lr=1.0)}))


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, GenesisUNet(spatial_dims=2, width=4).state_dict())
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="not a file of plain weights"):
        read_weights(path)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.pt do not exist"):
        read_weights(tmp_path / "none.pt")


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
