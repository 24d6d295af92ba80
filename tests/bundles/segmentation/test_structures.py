"""Several structures are learnt as channels, measured each, and come out as one label map."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch

from monai_sg.handlers.case_table import read_cases
from monai_sg.handlers.history import read_history
from monai_sg.utils.files import read_json
from tests.bundles.families.segmentation import EVALUATE, INFERENCE, TRAIN, made, run, write_cubes, write_nifti

TWO: dict[str, Any] = {"structures": {"cube": [1, 2], "core": [2]}, "known_labels": [0, 1, 2]}


@pytest.fixture(scope="module")
def cored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cubes with a brighter core, labelled 2."""
    folder = write_cubes(tmp_path_factory.mktemp("cored"), number=8)
    for path in sorted((folder / "labels").iterdir()):
        label = np.asarray(nibabel.load(path).dataobj).astype(np.uint8)
        image = np.asarray(nibabel.load(folder / "images" / path.name).dataobj)
        low, high = np.argwhere(label).min(0), np.argwhere(label).max(0)
        core = tuple(slice(start + 2, end - 1) for start, end in zip(low, high, strict=True))
        label[core] = 2
        write_nifti(path, label)
        write_nifti(folder / "images" / path.name, np.where(label == 2, image + 700, image).astype(np.int16))
    return folder


@pytest.fixture(scope="module")
def trained(cored: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("two")
    run(TRAIN, cored, output, epochs=8, val_interval=4, patches_per_volume=8, learning_rate=0.02, **TWO)
    return output


def test_both_structures_are_learnt_and_measured(trained: Path) -> None:
    row = max(read_history(trained / "train/metrics.csv"), key=lambda row: row.get("validation_dice@0.5", 0.0))
    values = {name: row[f"validation_dice@0.5_{name}"] for name in ("cube", "core")}
    assert min(values.values()) > 0.6
    assert row["validation_dice@0.5"] == pytest.approx(sum(values.values()) / 2)
    facts = read_json(trained / "models/model.json")
    assert facts["structures"] == TWO["structures"]
    assert facts["network"]["out_channels"] == 2


def test_every_structure_has_its_crops(cored: Path, tmp_path: Path) -> None:
    dataset = made(TRAIN, cored, tmp_path, foreground_share=1.0, **TWO).parser.get_parsed_content("train::dataset")
    label = torch.as_tensor(dataset.prepared(0)["label"])
    assert label.shape[0] == 2
    background, cube, core = (torch.as_tensor(kind) for kind in dataset.prepared(0)["label_cls_indices"])
    assert (len(cube), len(core)) == (int(label[0].sum()), int(label[1].sum()))
    assert len(background) == min(10000, int((label[0] == 0).sum()))
    assert bool(label[1].flatten()[core].all())


def test_an_evaluation_has_a_row_per_case_and_structure(trained: Path, cored: Path, tmp_path: Path) -> None:
    run(EVALUATE, cored, tmp_path, ckpt_dir=str(trained / "models"), datalist=str(trained / "datalist.json"), **TWO)
    cases = read_cases(tmp_path / "evaluation/cases.csv")
    with open(tmp_path / "evaluation/metrics.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["task"] for row in rows} == {"cube_core"}
    for row in rows:
        wide = cases[row["case"] or "pooled"][row["metric"]]
        assert float(row["value"]) == pytest.approx(wide, abs=1e-8)
    assert {"dice@0.5", "dice@0.5_cube", "dice@0.5_core"} <= {row["metric"] for row in rows}
    assert cases["mean"]["dice@0.5_core"] > 0.6


def test_an_inference_writes_one_map_with_the_values_of_the_truth(trained: Path, cored: Path, tmp_path: Path) -> None:
    run(INFERENCE, cored / "images", tmp_path, ckpt_dir=str(trained / "models"), **TWO)
    (path,) = (tmp_path / "predictions").rglob("case_0*_cube_core.nii.gz")
    found = nibabel.load(path)
    truth = np.asarray(nibabel.load(cored / "labels" / "case_0.nii.gz").dataobj)
    predicted = np.asarray(found.dataobj)
    assert found.get_data_dtype() == np.uint8
    assert set(np.unique(predicted)) == {0, 1, 2}
    for value in (1, 2):
        both = ((predicted == value) & (truth == value)).sum()
        assert 2 * both / ((predicted == value).sum() + (truth == value).sum()) > 0.5
