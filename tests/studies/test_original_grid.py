from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch

from monai_sg.runs.fine_tuning import FineTuning
from monai_sg.studies import original_grid
from monai_sg.studies.original_grid import Answer, score_baselines
from monai_sg.studies.voxel_baselines import BASELINES, Predict
from monai_sg.transforms.resampling import grid_of_spacing, resample
from monai_sg.utils.bundle_folders import SEGMENTATION
from tests.bundles.families.segmentation import SMALL, write_cubes

SPACING = (5.3, 3.7, 5.9)  # no voxel of a file lies halfway between two of these


def test_an_answer_takes_the_place_of_a_network() -> None:
    images = torch.rand(2, 1, 4, 5)
    found = Answer(lambda image: torch.cat([image, 1 - image]))(images, None)
    assert found.shape == (2, 2, 4, 5)
    torch.testing.assert_close(found.sigmoid(), torch.cat([images, 1 - images], 1), atol=1e-5, rtol=0)


def dice(image: np.ndarray, label: np.ndarray, spacing: list[float]) -> float:
    """Mark what is above 0 HU on a coarse grid, bring it back, and compare it with the label as it is stored."""
    grid = grid_of_spacing(image.shape, spacing, SPACING)
    coarse = (resample(image.astype(np.float32), grid) > 0).astype(np.float32)
    mask = resample(coarse, [line.reversed(n) for line, n in zip(grid, image.shape, strict=True)]) >= 0.5
    return float(2 * (mask & label).sum() / (mask.sum() + label.sum()))


def test_answers_are_scored_on_the_voxels_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def above_zero(cases: Any, seed: int) -> dict[str, Predict]:
        return dict.fromkeys(BASELINES, lambda image: (image > 0.5).float())

    data = write_cubes(tmp_path / "data")
    monkeypatch.setattr(original_grid, "fit_baselines", above_zero)
    own = {"dataset_dir": str(data), "datalist": str(tmp_path / "list.json"), "cache_dir": str(tmp_path / "cache")}
    run = FineTuning(SEGMENTATION, tmp_path / "run", {**SMALL, **own, "spacing": list(SPACING)})
    run.run()
    tables = score_baselines(run, tmp_path / "baselines", 3)
    assert list(tables) == list(BASELINES)
    with open(tables["position"], newline="") as file:
        rows = [row for row in csv.DictReader(file) if (row["metric"], row["unit"]) == ("dice@0.5", "case")]
    assert rows
    for row in rows:
        image, label = (nibabel.load(data / kind / f"{row['case']}.nii.gz") for kind in ("images", "labels"))
        spacing = [float(length) for length in image.header.get_zooms()]
        expected = dice(image.get_fdata(), label.get_fdata() > 0, spacing)
        assert 0.5 < expected < 1, "the coarse grid loses something"
        assert float(row["value"]) == pytest.approx(expected, abs=1e-6)
    kept = {path: path.stat().st_mtime_ns for path in tables.values()}
    score_baselines(run, tmp_path / "baselines", 3)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
