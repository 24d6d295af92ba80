from __future__ import annotations

from pathlib import Path

import pytest

from monai_sg.data.datasets.labelled_folder import LabelledFolder
from monai_sg.data.phantom.ct import series_uid, write_ct_cohort
from monai_sg.data.records import SPLITS, Datalist
from tests.data.conftest import ct_like, write_nifti


def _write(folder: Path, *names: str) -> Path:
    for name in names:
        write_nifti(folder / name, ct_like())
    return folder


def _read(folder: Path, patient_pattern: str | None = None) -> Datalist:
    return LabelledFolder(progress=False).read(folder, patient_pattern=patient_pattern)


def _pairs(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    assert LabelledFolder().matches(folder)
    datalist = _read(folder)
    pairs = {record["image"]: record["label"] for record in datalist.records}
    return pairs, {item["path"]: item["reason"] for item in datalist.skipped}


def test_medical_decathlon(tmp_path: Path) -> None:
    _write(tmp_path, "imagesTr/a.nii.gz", "labelsTr/a.nii.gz", "imagesTs/b.nii.gz")
    (tmp_path / "dataset.json").write_text("{}")
    assert _pairs(tmp_path) == ({"imagesTr/a.nii.gz": "labelsTr/a.nii.gz"}, {})


def test_nnunet_records_are_named_by_case(tmp_path: Path) -> None:
    _write(tmp_path, "imagesTr/a_0000.nii.gz", "labelsTr/a.nii.gz")
    record = _read(tmp_path).training[0]
    assert record == {"image": "imagesTr/a_0000.nii.gz", "label": "labelsTr/a.nii.gz", "id": "a", "patient": "a"}


def test_images_in_a_folder_of_that_name(tmp_path: Path) -> None:
    write_ct_cohort(tmp_path, 2, layout="nifti", shape=(32, 24, 24))
    names = [f"{series_uid(0, number)}.nii.gz" for number in range(2)]
    assert _pairs(tmp_path) == ({f"images/{name}": f"labels/{name}" for name in names}, {})


def test_images_beside_final_labels(tmp_path: Path) -> None:
    _write(tmp_path, "a.nii.gz", "exam/b.nii.gz", "c.nii.gz", "old_masks/a.nii.gz")
    _write(tmp_path, "labels/final/a.nii.gz", "labels/final/b.nii.gz", "labels/original/c.nii.gz")
    assert _pairs(tmp_path) == (
        {"a.nii.gz": "labels/final/a.nii.gz", "exam/b.nii.gz": "labels/final/b.nii.gz"},
        {
            "c.nii.gz": "has no label of the same name in labels/final",
            "old_masks/a.nii.gz": "is in the folder 'old_masks', hence taken for a label map or mask",
        },
    )


def test_files_left_out_are_counted_and_the_first_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _write(tmp_path, "images/a.nii.gz", "labels/a.nii.gz", "images/b.nii.gz", "labels/c.nii.gz", "images/d.nii.gz")
    write_nifti(tmp_path / "labels/d.nii.gz", ct_like((12, 11, 9)))
    _write(tmp_path, "images/e.nii.gz", "labels/e.nii.gz")
    (tmp_path / "labels/e.nii.gz").write_bytes((tmp_path / "labels/a.nii.gz").read_bytes()[:1000])
    pairs, skipped = _pairs(tmp_path)
    assert pairs == {"images/a.nii.gz": "labels/a.nii.gz"}
    assert skipped.pop("labels/e.nii.gz").startswith("is cut short")
    assert skipped == {
        "images/b.nii.gz": "has no label of the same name in labels",
        "labels/c.nii.gz": "has no image of the same name in images",
        "labels/d.nii.gz": "has shape (12, 11, 9), but its image has (12, 10, 9); draw or resample it on the grid of "
        "the image, by nearest neighbour",
    }
    assert "4 files were left out; the first is images/b.nii.gz, which has no label of the same name" in caplog.text


def test_patients_are_not_cut(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = [f"p{patient}_{scan}.nii.gz" for patient in range(5) for scan in range(2)]
    _write(tmp_path, *(f"{folder}/{name}" for folder in ("images", "labels") for name in names))
    datalist = _read(tmp_path, r"/(p\d)_")
    assert [len(getattr(datalist, split)) for split in SPLITS] == [6, 2, 2]
    assert all(record["patient"] == record["id"][:2] for record in datalist.records)
    datalist.check("list")
    assert "No patient is known" not in caplog.text
    _read(tmp_path)
    assert "No patient is known for 10 of 10 images, such as images/p0_0.nii.gz" in caplog.text


def test_no_pair_that_can_be_used(tmp_path: Path) -> None:
    _write(tmp_path, "images/a.nii.gz", "labels/b.nii.gz")
    with pytest.raises(
        ValueError,
        match=r"Found 1 images in .*images and 1 label maps in labels, but no pair .* images/a.nii.gz has no label",
    ):
        _read(tmp_path)
    (tmp_path / "empty/labels").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"Found 0 images .* No file has a known format\. Known formats: \.nii"):
        _read(tmp_path / "empty")
