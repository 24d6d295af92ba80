"""Data and weights that do not fit are named in a sentence, and leave nothing half-written."""

from __future__ import annotations

import datetime
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch

from monai_sg.data.datasets.labelled_folder import LabelledFolder
from monai_sg.data.records import Datalist
from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.utils.files import read_json
from tests.bundles.families.segmentation import EVALUATE, INFERENCE, TRAIN, cause, run, write_cubes, write_nifti


@pytest.fixture
def cubes(tmp_path: Path) -> Path:
    return write_cubes(tmp_path / "data")


def refusal(names: list[str], data: Path, output: Path, **more: Any) -> str:
    """Return the sentence with which a run ends; see that it has left nothing that looks like a result."""
    with pytest.raises((RuntimeError, ValueError, OSError)) as error:
        run(names, data, output, **more)
    for name in ("models", "run.json", "train", "evaluation", "predictions"):
        assert not (output / name).exists(), name
    assert not list(output.rglob(".*")), "no temporary file is left"
    assert isinstance(cause(error.value), (ValueError, OSError))
    return str(cause(error.value))


def spoil_value(label: Path) -> None:
    image = nibabel.load(label)
    array = image.get_fdata().astype(np.uint8)
    array[0, 0, 0] = 7
    write_nifti(label, array, image.affine)


def spoil_affine(label: Path) -> None:
    image = nibabel.load(label)
    write_nifti(label, image.get_fdata().astype(np.uint8), image.affine @ np.diag([-1, 1, 1, 1]))


def spoil_shape(label: Path) -> None:
    image = nibabel.load(label)
    write_nifti(label, image.get_fdata().astype(np.uint8)[..., :-1], image.affine)


def cut(label: Path) -> None:
    label.write_bytes(label.read_bytes()[:-20])


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (Path.unlink, r"has no label of the same name in labels"),
        (spoil_shape, r"labels/case_\d.nii.gz, which has shape \(24, 24, 23\), but its image has \(24, 24, 24\)"),
        (cut, r"labels/case_\d.nii.gz, which (is cut short|cannot be read)"),
        (
            spoil_affine,
            r"label map .*labels/case_\d.nii.gz, which has another position .* axis 1 runs the other way in its header",
        ),
        (spoil_value, r"holds the label values \[7\], which are none of \[0, 1, 2\]"),
    ],
)
def test_a_label_that_does_not_fit_leaves_its_image_out(
    cubes: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], None], sentence: str
) -> None:
    case = LabelledFolder(progress=False).read(cubes).training[0]
    spoil(cubes / case["label"])
    with caplog.at_level(logging.WARNING):
        run(TRAIN, cubes, tmp_path / "run")
    (message,) = [text for text in caplog.messages if re.search(sentence, text)]
    assert case["id"] in message
    skipped = Datalist.load(tmp_path / "run/datalist.json").skipped
    used = read_json(tmp_path / "run/models/model.json")["images"]
    assert used + (0 if skipped else 1) == len(Datalist.load(tmp_path / "run/datalist.json").training)


def test_a_label_with_another_affine_may_be_laid_on_its_image(
    cubes: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    case = LabelledFolder(progress=False).read(cubes).training[0]
    spoil_affine(cubes / case["label"])
    run(TRAIN, cubes, tmp_path / "run", match_affine=False)
    assert f"{case['id']}: the label has another position" in caplog.text
    assert read_json(tmp_path / "run/models/model.json")["images"] == 4


def empty_label(path: Path) -> None:
    label = nibabel.load(path)
    write_nifti(path, np.zeros(label.shape, np.uint8), label.affine)


def test_an_empty_label_is_used_with_a_warning(cubes: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    datalist = LabelledFolder(progress=False).read(cubes)
    empty_label(cubes / datalist.training[0]["label"])
    run(TRAIN, cubes, tmp_path / "run", epochs=2)
    assert caplog.text.count("case_1: no voxel of the label has a value of {'liver': [1, 2]}; it holds [0].") == 1
    assert read_json(tmp_path / "run/models/model.json")["images"] == 4


def test_validation_that_could_select_no_epoch_is_refused_before_training(cubes: Path, tmp_path: Path) -> None:
    datalist = LabelledFolder(progress=False).read(cubes)
    for case in datalist.validation:
        empty_label(cubes / case["label"])
    assert "train has no foreground in any of its 1 validation labels" in refusal(TRAIN, cubes, tmp_path / "run")


def test_no_usable_label_at_all_ends_a_training(cubes: Path, tmp_path: Path) -> None:
    for label in (cubes / "labels").iterdir():
        spoil_value(label)
    sentence = refusal(TRAIN, cubes, tmp_path / "run")
    assert re.search(
        r"None of the \d records can be used: case_\d has the label map .*, which holds the label values", sentence
    )


@pytest.mark.parametrize("names", [TRAIN, EVALUATE])
def test_a_folder_without_labels_is_refused(cubes: Path, tmp_path: Path, names: list[str]) -> None:
    sentence = refusal(names, cubes / "images", tmp_path / "run")
    assert re.search(r"has no layout that is known here\. Looked for .*imagesTr with labelsTr", sentence)
    assert "is not a folder" in refusal(names, cubes / "absent", tmp_path / "run")


def some_of(cohort: Path, target: Path, *numbers: int) -> Path:
    target.mkdir()
    for path in cohort.iterdir():
        if int(path.stem.split("-")[1]) in numbers:
            (target / path.name).symlink_to(path)
    return target


def test_a_file_of_lits_that_is_missing_leaves_its_scan_out(
    liver_cohort: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = some_of(liver_cohort, tmp_path / "data", 0, 1, 2, 100, 115)
    (data / "segmentation-1.nii").unlink()
    (data / "volume-2.nii").unlink()
    run(TRAIN, data, tmp_path / "run")
    first = "segmentation-2.nii, which has no image: volume-2.nii is missing"
    assert f"2 files were left out; the first is {first}" in caplog.text
    skipped = Datalist.load(tmp_path / "run/datalist.json").skipped
    assert {"path": "volume-1.nii", "reason": "has no label: segmentation-1.nii is missing"} in skipped
    assert read_json(tmp_path / "run/models/model.json")["images"] == 1


def test_no_training_images_and_no_test_images_are_said(liver_cohort: Path, tmp_path: Path) -> None:
    data = some_of(liver_cohort, tmp_path / "held_out", 100, 115)
    assert "has no training images (0 training, 1 validation, 1 test)" in refusal(TRAIN, data, tmp_path / "run")
    data = some_of(liver_cohort, tmp_path / "no_test", 0, 100)
    assert "has no test images (1 training, 1 validation, 0 test)" in refusal(EVALUATE, data, tmp_path / "other")


def test_without_validation_images_the_training_images_are_validated_on(
    liver_cohort: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(TRAIN, some_of(liver_cohort, tmp_path / "data", 0), tmp_path / "run")
    assert "There are no records of their own, so 1 training records are validated on." in caplog.text


def good() -> dict[str, torch.Tensor]:
    return dict(GenesisUNet(spatial_dims=3, in_channels=1, out_channels=1, width=4).state_dict())


def wrong_width(path: Path) -> None:
    torch.save(GenesisUNet(spatial_dims=3, in_channels=1, out_channels=1, width=8).state_dict(), path)


def wrong_names(path: Path) -> None:
    torch.save({f"student_{name}": value for name, value in good().items()}, path)


def truncated(path: Path) -> None:
    torch.save(good(), path)
    path.write_bytes(path.read_bytes()[:5000])


def pickled(path: Path) -> None:
    torch.save({**good(), "made": datetime.date(2026, 1, 1)}, path)


def no_tensors(path: Path) -> None:
    torch.save({}, path)


def no_bytes(path: Path) -> None:
    path.write_bytes(b"")


def absent(path: Path) -> None:
    assert not path.exists()


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (wrong_width, r"of another shape: encoder.* for \(.*The file has width 8 .*, the network 4: give width 8"),
        (wrong_names, r"missing: encoder.*not in the network: student_.*weights inspect FILE"),
        (truncated, "is not a file of plain weights: it is empty or cut short; nothing was loaded"),
        (pickled, r"is not a file of plain weights: it holds Python objects \(datetime\.date\); nothing was loaded"),
        (no_tensors, "holds no tensors"),
        (no_bytes, "is not a file of plain weights: it is empty or cut short; nothing was loaded"),
        (absent, "do not exist; check the path or leave it out"),
    ],
)
@pytest.mark.parametrize("part", ["encoder", "encoder_decoder"])
def test_weights_that_do_not_fit_are_refused(
    liver_cohort: Path,
    finished_liver: Path,
    tmp_path: Path,
    part: str,
    write: Callable[[Path], None],
    sentence: str,
) -> None:
    path = tmp_path / "weights.pt"
    write(path)
    values = {"pretrained_part": part, "cache_dir": str(finished_liver / "cache")}
    found = refusal(TRAIN, liver_cohort, tmp_path / "run", pretrained_path=str(path), **values)
    assert str(path) in found
    assert re.search(sentence, found, re.S), found


@pytest.mark.parametrize("names", [EVALUATE, INFERENCE])
def test_without_weights_the_step_before_is_named(liver_cohort: Path, tmp_path: Path, names: list[str]) -> None:
    models = tmp_path / "elsewhere"
    sentence = refusal(names, liver_cohort, tmp_path / "run", ckpt_dir=str(models))
    assert f"{models}/model.pt does not exist." in sentence
    assert "train.json" in sentence
    assert "run that first, or set ckpt_dir" in sentence
    models.mkdir()
    wrong_width(models / "model.pt")
    assert "made with other settings: give those (width" in refusal(
        names, liver_cohort, tmp_path / "run", ckpt_dir=str(models)
    )


@pytest.mark.parametrize("spoil", [spoil_value, spoil_affine])
def test_an_evaluation_stops_at_a_label_that_does_not_fit_and_names_its_case(
    cubes: Path, finished_liver: Path, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    (case,) = LabelledFolder(progress=False).read(cubes).test
    spoil(cubes / case["label"])
    sentence = refusal(EVALUATE, cubes, tmp_path / "run", ckpt_dir=str(finished_liver / "models"))
    assert re.match(
        rf"{case['id']} has the label map .*, which (holds the label values|has another position)", sentence
    )
    assert "take it out of the data list" in sentence


def test_an_unreadable_image_does_not_end_an_inference(
    cubes: Path, finished_liver: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cut(cubes / "images/case_3.nii.gz")
    with caplog.at_level(logging.INFO):
        run(INFERENCE, cubes / "images", tmp_path / "run", ckpt_dir=str(finished_liver / "models"))
    assert len(list((tmp_path / "run/predictions").rglob("*.nii.gz"))) == 5
    assert "1 files or series left out" in caplog.text
