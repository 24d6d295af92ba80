"""Images and labels of no use are named; a run goes on without them where something is left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monai_sg.data.datasets.labelled_folder import LabelledFolder
from tests.bundles.families.segmentation import INFERENCE, TRAIN, run, write_cubes, write_nifti
from tests.bundles.segmentation.test_bad_input import refusal


@pytest.fixture
def cubes(tmp_path: Path) -> Path:
    return write_cubes(tmp_path / "data")


def test_an_image_that_cannot_be_prepared_does_not_end_an_inference(
    cubes: Path, finished_liver: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    models, output = str(finished_liver / "models"), tmp_path / "run"
    for number in range(5):
        write_nifti(cubes / f"images/case_{number}.nii.gz", np.zeros((24, 24, 24), np.int16))
    run(INFERENCE, cubes / "images", output, ckpt_dir=models, intensity_range="percentile")
    assert [path.name for path in (output / "predictions").rglob("*.nii.gz")] == ["case_5_liver.nii.gz"]
    assert "5 of 6 images were left out: case_0 has the same value 0 in every voxel; case_1" in caplog.text
    (cubes / "images/case_5.nii.gz").unlink()
    sentence = refusal(INFERENCE, cubes / "images", tmp_path / "other", ckpt_dir=models)
    assert sentence.startswith("None of the 5 images can be used: case_0 has the same value")


def test_images_of_the_same_name_get_a_prediction_each(cubes: Path, finished_liver: Path, tmp_path: Path) -> None:
    data = tmp_path / "patients"
    for number in range(2):
        (data / f"sub-0{number}").mkdir(parents=True)
        (cubes / f"images/case_{number}.nii.gz").rename(data / f"sub-0{number}/ct.nii.gz")
    run(INFERENCE, data, tmp_path / "run", ckpt_dir=str(finished_liver / "models"))
    found = sorted(path.name for path in (tmp_path / "run/predictions").rglob("*.nii.gz"))
    assert found == ["sub-00_ct_liver.nii.gz", "sub-01_ct_liver.nii.gz"]


def test_a_training_without_any_foreground_stops_with_the_values_of_the_labels(cubes: Path, tmp_path: Path) -> None:
    sentence = refusal(TRAIN, cubes, tmp_path / "run", structures={"nothing": [9]}, known_labels=[])
    assert sentence.startswith("train has no foreground in any of its 4 labels, which hold the values [0, 1]; name")


def test_validation_images_of_no_use_do_not_stop_a_training(
    cubes: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for case in LabelledFolder(progress=False).read(cubes).validation:
        write_nifti(cubes / case["image"], np.zeros((24, 24, 24), np.int16))
    run(TRAIN, cubes, tmp_path / "run")
    assert "There are no records of their own, so 4 training records are validated on." in caplog.text
    assert (tmp_path / "run/models/model.pt").is_file()
