from __future__ import annotations

import logging
from pathlib import Path

import pytest

from monai_sg.data.datasets.lits import LiTS
from monai_sg.data.phantom.ct import write_ct_cohort
from monai_sg.data.records import Datalist
from tests.data.conftest import ct_like, write_nifti

SHAPE = (32, 24, 24)


def _read(folder: Path) -> tuple[Datalist, dict[str, str]]:
    datalist = LiTS(progress=False).read(folder)
    return datalist, {item["path"]: item["reason"] for item in datalist.skipped}


def _write(folder: Path, *names: str) -> None:
    for name in names:
        write_nifti(folder / name, ct_like())


def test_phantom_cohort_gets_the_official_split(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    write_ct_cohort(tmp_path, numbers=[0, 99, 100, 114, 115, 129], layout="lits", shape=SHAPE)
    datalist, skipped = _read(tmp_path)
    assert LiTS().matches(tmp_path)
    assert [record["id"] for record in datalist.training] == ["volume-0", "volume-99"]
    assert [record["id"] for record in datalist.validation] == ["volume-100", "volume-114"]
    assert datalist.test == [
        {"image": f"volume-{n}.nii", "label": f"segmentation-{n}.nii", "id": f"volume-{n}", "patient": str(n)}
        for n in (115, 129)
    ]
    assert skipped == {}
    assert "6 labelled scans (2 training, 2 validation, 2 test)" in caplog.text


def test_files_in_any_subfolders(tmp_path: Path) -> None:
    _write(tmp_path, "Training Batch 1/volume-3.nii", "Training Batch 1/segmentation-3.nii")
    _write(tmp_path, "Training Batch 2/volume-104.nii.gz", "segmentations/segmentation-104.nii")
    datalist, skipped = _read(tmp_path)
    assert LiTS().matches(tmp_path)
    assert [(record["image"], record["label"]) for record in datalist.records] == [
        ("Training Batch 1/volume-3.nii", "Training Batch 1/segmentation-3.nii"),
        ("Training Batch 2/volume-104.nii.gz", "segmentations/segmentation-104.nii"),
    ]
    assert skipped == {}


def test_files_left_out_have_a_reason(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _write(tmp_path, "volume-1.nii", "segmentation-1.nii", "volume-2.nii", "segmentation-4.nii", "test-volume-1.nii")
    _write(tmp_path, "volume-130.nii", "segmentation-130.nii", "volume-5.nii", "again/volume-1.nii")
    write_nifti(tmp_path / "segmentation-5.nii", ct_like((12, 10, 10)))
    (tmp_path / "notes.txt").write_text("not of LiTS")
    datalist, skipped = _read(tmp_path)
    assert [record["id"] for record in datalist.records] == ["volume-1"]
    assert skipped == {
        "volume-2.nii": "has no label: segmentation-2.nii is missing",
        "segmentation-4.nii": "has no image: volume-4.nii is missing",
        "test-volume-1.nii": "is a test volume of the challenge, without a label",
        "volume-130.nii": "is in no split, which holds the scans 0 to 129",
        "segmentation-5.nii": "has shape (12, 10, 10), but its image has (12, 10, 9); draw or resample it on the grid "
        "of the image, by nearest neighbour",
        "volume-1.nii": "is volume 1 again; again/volume-1.nii is used",
    }
    assert "6 files were left out; the first is segmentation-4.nii, which has no image" in caplog.text


def test_a_scan_that_is_cut_short_is_left_out(tmp_path: Path) -> None:
    _write(tmp_path, "volume-1.nii", "segmentation-1.nii", "volume-2.nii", "segmentation-2.nii")
    (tmp_path / "volume-2.nii").write_bytes((tmp_path / "volume-1.nii").read_bytes()[:-10])
    datalist, skipped = _read(tmp_path)
    assert [record["id"] for record in datalist.training] == ["volume-1"]
    assert skipped == {"volume-2.nii": "is cut short: 2502 of 2512 bytes"}


def test_other_folders_are_not_lits(tmp_path: Path) -> None:
    _write(tmp_path, "images/a.nii.gz", "labels/a.nii.gz", "volume-1.nii", "test-volume-1.nii")
    assert not LiTS().matches(tmp_path)
    assert not LiTS().matches(tmp_path / "absent")
