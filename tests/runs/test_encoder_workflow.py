from __future__ import annotations

from pathlib import Path

import pytest
import torch

from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.networks.non_skip_unet import NonSkipUNet
from monai_sg.runs.encoder_workflow import encoder_workflow
from monai_sg.weights.export import save_weights


def settings(weights: str, folder: Path, **more: object) -> list[object]:
    workflow = encoder_workflow(weights, str(folder), str(folder), more)
    names = ("width", "spatial_dims", "intensity_range", "crop_size", "overview_size", "spacing")
    return [workflow.parser.get_parsed_content(name) for name in names]


def test_settings_come_from_the_description_and_overrides_win(weights: str, tmp_path: Path) -> None:
    assert settings(weights, tmp_path) == [4, 3, [-800, 600], [16, 16, 16], [24, 16, 16], None]
    given = settings(weights, tmp_path, intensity_range=[0, 1], crop_size=[8, 8, 8])
    assert given == [4, 3, [0, 1], [8, 8, 8], [24, 16, 16], None]


def test_without_a_description_width_and_axes_come_from_the_weights(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    volumes = save_weights(NonSkipUNet(3, width=6), tmp_path / "3d.pt")
    pictures = save_weights(GenesisUNet(2, width=2), tmp_path / "2d.pt")
    with caplog.at_level("INFO"):
        assert settings(str(volumes), tmp_path) == [6, 3, [-1000, 1000], [64, 64, 32], [128, 128, 64], None]
    assert "--intensity_range" in caplog.text
    method = torch.nn.ModuleDict({"network": GenesisUNet(3, width=2), "head": torch.nn.Linear(2, 2)})
    assert settings(str(save_weights(method, tmp_path / "method.pt")), tmp_path)[:2] == [2, 3]
    assert settings(str(pictures), tmp_path) == [2, 2, [0, 255], [64, 64], [128, 128], None]


def test_weights_without_an_encoder_are_refused(tmp_path: Path) -> None:
    torch.save({"layer.weight": torch.zeros(2, 2)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"no encoder.0.0.conv.weight.*weights inspect"):
        encoder_workflow(str(tmp_path / "other.pt"), "data", "out", {})
    with pytest.raises(ValueError, match="did you mean intensity_range"):
        encoder_workflow(str(save_weights(GenesisUNet(3, width=2), tmp_path / "w.pt")), ".", ".", {"intensity_rang": 1})
