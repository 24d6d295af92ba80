from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from monai_sg.commands.probe import probe
from monai_sg.utils.files import read_json


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
