from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from monai_sg.networks.classifier import Classifier
from monai_sg.networks.genesis_encoder import GenesisEncoder
from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.networks.non_skip_resnet_unet import NonSkipResNetUNet
from monai_sg.utils.files import read_json, write_json
from monai_sg.weights.description import (
    crop_spacing,
    described_network,
    description_of,
    encoder_settings,
    network_described,
    settings_of,
)
from monai_sg.weights.export import save_network, save_weights
from monai_sg.weights.load import restored


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    facts = {"method": "a", "structures": {"liver": [2]}, "preprocessing": {"crop_spacing": [0.7, 0.7, 2.5]}}
    return save_network(GenesisUNet(2, width=2), tmp_path / "model.pt", facts)


def changed(weights: Path, **facts: Any) -> None:
    """Write other facts into the description."""
    write_json(weights.with_suffix(".json"), {**read_json(weights.with_suffix(".json")), **facts})


def test_a_description_belongs_to_its_weights(weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert description_of(weights)["network"]["width"] == 2
    save_weights(GenesisUNet(2, width=2), weights)
    assert description_of(weights) == {}
    assert "describes other weights" in caplog.text


def test_weights_without_a_description_say_nothing(weights: Path) -> None:
    weights.with_suffix(".json").unlink()
    assert description_of(weights) == description_of(weights.with_name("absent.pt")) == {}
    write_json(weights.with_suffix(".json"), ["another", "file"])
    assert description_of(weights) == {}


@pytest.mark.parametrize(
    "network",
    [
        GenesisUNet(3, 2, 3, width=2, batch_statistics=True),
        NonSkipResNetUNet(2, name="resnet10"),
        Classifier(GenesisEncoder(2, width=2), 4),
    ],
)
def test_the_network_is_built_from_its_description(tmp_path: Path, network: Any) -> None:
    path = save_network(network, tmp_path / "model.pt", {})
    made: Any = described_network(path)
    assert made.describe() == network.describe()
    restored(made, path, "")
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in made.state_dict().items())


@pytest.mark.parametrize("version", [None, 0, 2, "1"])
def test_another_version_is_refused_in_one_sentence(weights: Path, version: Any) -> None:
    changed(weights, version=version)
    for read in (description_of, described_network, settings_of):
        with pytest.raises(ValueError, match=rf"model\.json has the version {version!r} and this package reads vers"):
            read(weights)


def test_a_network_of_elsewhere_is_refused_with_its_file(weights: Path) -> None:
    changed(weights, network={"_target_": "os.system", "command": "true"})
    with pytest.raises(ValueError, match=r"model\.json cannot be used: .*'os\.system' is no class below"):
        described_network(weights)
    changed(weights, network={"_target_": "monai.networks.nets.BasicUNet", "spatial_dims": 2})
    with pytest.raises(ValueError, match="The network BasicUNet does not declare parts"):
        described_network(weights)


def test_without_a_description_the_way_on_is_named(weights: Path) -> None:
    weights.with_suffix(".json").unlink()
    with pytest.raises(FileNotFoundError, match=r"No .*model\.json describes the network of .*--network_def '{"):
        network_described(weights)
    with pytest.raises(FileNotFoundError, match=r"absent\.pt do not exist"):
        described_network(weights.with_name("absent.pt"))


def test_crops_had_the_spacing_that_is_given_or_described(weights: Path) -> None:
    assert crop_spacing(weights) == [0.7, 0.7, 2.5]
    assert crop_spacing(weights, [2, 2, 2]) == [2, 2, 2]
    weights.with_suffix(".json").unlink()
    assert crop_spacing(weights) == []


def test_settings_are_ids_of_configs_and_no_other_facts(weights: Path) -> None:
    built = {"spatial_dims": 2, "in_channels": 1, "width": 2, "batch_statistics": False, "out_channels": 1}
    assert settings_of(weights) == {**built, "structures": {"liver": [2]}, "crop_spacing": [0.7, 0.7, 2.5]}
    assert encoder_settings(weights) == {"spatial_dims": 2, "width": 2, "batch_statistics": False}
    weights.with_suffix(".json").unlink()
    assert settings_of(weights) == encoder_settings(weights) == {}
