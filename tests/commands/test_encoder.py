from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from monai_sg.commands.embed import embed
from monai_sg.commands.encoder import description_of, encoder_workflow
from monai_sg.commands.probe import probe
from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.networks.non_skip_unet import NonSkipUNet
from monai_sg.utils.files import read_json
from monai_sg.weights.export import save_network, save_weights

PREPROCESSING = {
    "intensity_range": [-800, 600],
    "spacing": None,
    "crop_size": [16, 16, 16],
    "overview_size": [24, 16, 16],
}


@pytest.fixture
def weights(tmp_path: Path) -> str:
    return str(save_network(GenesisUNet(3, width=4), tmp_path / "w" / "model.pt", {"preprocessing": PREPROCESSING}))


@pytest.fixture
def places(phantom_cohort: Path, finished_run: Path, tmp_path: Path) -> dict[str, str]:
    cache = str(finished_run / "cache")
    return {"data": str(phantom_cohort), "output": str(tmp_path / "out"), "cache_dir": cache}


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


def test_a_description_of_other_weights_is_not_used(weights: str, caplog: pytest.LogCaptureFixture) -> None:
    assert description_of(Path(weights))["width"] == 4
    save_weights(GenesisUNet(3, width=4), weights)
    assert description_of(Path(weights)) == {}
    assert "describes other weights" in caplog.text


def test_weights_without_an_encoder_are_refused(tmp_path: Path) -> None:
    torch.save({"layer.weight": torch.zeros(2, 2)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"no encoder.0.0.conv.weight.*weights inspect"):
        encoder_workflow(str(tmp_path / "other.pt"), "data", "out", {})
    with pytest.raises(ValueError, match="did you mean intensity_range"):
        encoder_workflow(str(save_weights(GenesisUNet(3, width=2), tmp_path / "w.pt")), ".", ".", {"intensity_rang": 1})


def test_embed_writes_features_and_a_picture(weights: str, places: dict[str, str], tmp_path: Path) -> None:
    text = embed(weights=weights, **places)
    with np.load(tmp_path / "out" / "features.npz") as content:
        count = len(content["ids"])
        assert content["features"].shape == (count, 120)
        assert content["size"].tolist() == [24, 16, 16]
    assert f"{count} scans, 120 = 8 + 16 + 32 + 64 values each" in text
    assert (tmp_path / "out" / "neighbours.png").read_bytes().startswith(b"\x89PNG")


def test_embed_describes_the_boxes_of_patterns(
    weights: str, places: dict[str, str], finished_run: Path, tmp_path: Path
) -> None:
    text = embed(weights=weights, boxes=str(finished_run / "patterns.json"), **places)
    with np.load(tmp_path / "out" / "features.npz") as content:
        assert content["boxes"].shape == (len(content["ids"]), 3, 2)
        assert set(content["labels"].tolist()) == {0, 1, 2, 3}
        assert f"{len(content['ids'])} boxes" in text
    assert (tmp_path / "out" / "neighbours.png").is_file()


def test_probe_prints_and_writes_a_table(
    weights: str, places: dict[str, str], finished_run: Path, tmp_path: Path
) -> None:
    text = probe(weights=weights, boxes=str(finished_run / "patterns.json"), **places)
    result = read_json(tmp_path / "out" / "probe.json")
    rows = ["network", "random network", "intensity histogram", "small pixels", "position", "position + intensity"]
    assert list(result["scores"]) == [*rows, "majority class"]
    assert result["scores"]["majority class"]["linear_accuracy"] == 0.25
    assert result["splits"]["training"]["patients"] > result["splits"]["test"]["patients"] > 0
    assert all(name in text for name in result["scores"])
    assert (tmp_path / "out" / "probe.csv").read_text().startswith("features,knn_accuracy")


def test_probe_draws_boxes_from_label_maps_and_keeps_them(weights: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(6):
        image = rng.normal(-1000, 20, (24, 24, 24)).astype(np.int16)
        image[2:22, 2:22] = 40
        image[4:10, 4:10, 4:10] = label = 500
        for kind, array in (("imagesTr", image), ("labelsTr", (image == label).astype(np.uint8))):
            path = tmp_path / "labelled" / kind / f"case{number}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(array, np.diag([3.0, 3.0, 3.0, 1.0])), path)
    size = {"crop_size": [8, 8, 8], "output": str(tmp_path / "out")}
    text = probe(weights=weights, labels=str(tmp_path / "labelled"), per_image=3, **size)
    drawn = read_json(tmp_path / "out" / "probe.json")
    classes = {"background": 12, "foreground": 12}
    assert drawn["splits"]["training"] == {"boxes": 24, "patients": 4, "classes": classes}
    assert drawn["scores"]["intensity histogram"]["linear_accuracy"] == 1.0
    assert "training: 24 boxes of 4 patients; background 12, foreground 12" in text
    again = {"data": str(tmp_path / "labelled"), "boxes": str(tmp_path / "out" / "boxes.csv")}
    probe(weights=weights, **again, **size)
    assert read_json(tmp_path / "out" / "probe.json")["scores"] == drawn["scores"]


@pytest.mark.parametrize("given", [{}, {"data": "d"}, {"boxes": "b"}, {"boxes": "b", "data": "d", "labels": "l"}])
def test_probe_needs_boxes_of_data_or_labels(weights: str, given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="Give --data DIR with --boxes FILE, or instead --labels DIR"):
        probe(weights=weights, **given)
