from __future__ import annotations

from pathlib import Path

import pytest

from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.weights.description import crop_spacing, description_of, settings_of
from monai_sg.weights.export import save_network, save_weights


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    facts = {"method": "a", "foreground": [2], "preprocessing": {"crop_spacing": [0.7, 0.7, 2.5]}}
    return save_network(GenesisUNet(2, width=2), tmp_path / "model.pt", facts)


def test_a_description_belongs_to_its_weights(weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert description_of(weights)["width"] == 2
    save_weights(GenesisUNet(2, width=2), weights)
    assert description_of(weights) == {}
    assert "describes other weights" in caplog.text


def test_weights_without_a_description_say_nothing(weights: Path) -> None:
    weights.with_suffix(".json").unlink()
    assert description_of(weights) == description_of(weights.with_name("absent.pt")) == {}


def test_crops_had_the_spacing_that_is_given_or_described(weights: Path) -> None:
    assert crop_spacing(weights) == [0.7, 0.7, 2.5]
    assert crop_spacing(weights, [2, 2, 2]) == [2, 2, 2]
    weights.with_suffix(".json").unlink()
    assert crop_spacing(weights) == []


def test_settings_are_ids_of_configs_and_no_other_facts(weights: Path) -> None:
    shape = {"spatial_dims": 2, "width": 2, "batch_statistics": False}
    assert settings_of(weights) == {**shape, "foreground": [2], "crop_spacing": [0.7, 0.7, 2.5]}
