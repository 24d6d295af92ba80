from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.networks.non_skip_resnet_unet import NonSkipResNetUNet
from monai_sg.runs.encoder_workflow import encoder_workflow
from monai_sg.weights.export import save_network, save_weights

FILMS = {"intensity_range": [0, 255], "crop_size": [64, 64], "overview_size": [128, 128]}


def settings(weights: str | Path, folder: Path, **more: object) -> list[object]:
    workflow = encoder_workflow(str(weights), str(folder), str(folder), more)
    names = ("spatial_dims", "intensity_range", "crop_size", "overview_size", "spacing")
    return [workflow.parser.get_parsed_content(name) for name in names]


def network_for(weights: str | Path, folder: Path, **more: object) -> Any:
    return encoder_workflow(str(weights), str(folder), str(folder), more).parser.get_parsed_content("network")


def test_settings_come_from_the_description_and_overrides_win(weights: str, tmp_path: Path) -> None:
    assert settings(weights, tmp_path) == [3, [-800, 600], [16, 16, 16], [24, 16, 16], None]
    given = settings(weights, tmp_path, intensity_range=[0, 1], crop_size=[8, 8, 8])
    assert given == [3, [0, 1], [8, 8, 8], [24, 16, 16], None]


def test_settings_that_differ_from_those_of_the_weights_are_warned_about(
    weights: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for more, count in (({}, 0), ({"crop_size": [8, 8, 8]}, 1)):
        encoder_workflow(weights, str(tmp_path), str(tmp_path), more).parser.get_parsed_content("preflight")
        assert caplog.text.count("other settings: crop_size was [16, 16, 16], is [8, 8, 8]") == count


@pytest.mark.parametrize("network", [GenesisUNet(3, width=2), NonSkipResNetUNet(2, name="resnet10")])
def test_the_network_is_the_described_one_with_its_weights(tmp_path: Path, network: Any) -> None:
    films = FILMS if network.spatial_dims == 2 else {}
    path = save_network(network, tmp_path / "model.pt", {"preprocessing": films})
    made = network_for(path, tmp_path)
    assert made.describe() == network.describe()
    key = f"{network.stem_key}.weight"
    assert made.state_dict()[key].equal(network.state_dict()[key])
    expected = [2, *FILMS.values(), None] if films else [3, [-1000, 1000], [64, 64, 32], [128, 128, 64], None]
    assert settings(path, tmp_path) == expected


def test_without_a_description_the_network_is_asked_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = save_weights(GenesisUNet(2, width=2), tmp_path / "2d.pt")
    with pytest.raises(FileNotFoundError, match=r"2d\.json describes the network of .*2d\.pt; give it, for example"):
        encoder_workflow(str(path), "data", "out", {})
    with caplog.at_level("INFO"):
        described = GenesisUNet(2, width=2).describe()
        made = network_for(path, tmp_path, network_def=described, crop_size=[8, 8], overview_size=[8, 8])
    assert made.encoder_channels == [4, 8, 16, 32]
    assert "--intensity_range" in caplog.text


def test_mistyped_ids_are_named(weights: str) -> None:
    with pytest.raises(ValueError, match="did you mean intensity_range"):
        encoder_workflow(weights, ".", ".", {"intensity_rang": 1})
