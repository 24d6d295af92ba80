from __future__ import annotations

import logging
import unicodedata
from pathlib import Path

import pytest

from monai_sg.data.datasets.any_folder import scan_folder
from monai_sg.data.datasets.patients import patients_of
from tests.data.conftest import WriteSeries, ct_like, write_nifti


def _groups(paths: list[str], **more: object) -> list[list[int]]:
    """Return the images of each patient, by their place."""
    patients = patients_of(paths, [f"id{index}" for index in range(len(paths))], warn=False, **more)  # type: ignore[arg-type]
    return [[index for index, one in enumerate(patients) if one == name] for name in dict.fromkeys(patients)]


@pytest.mark.parametrize(
    ("paths", "groups"),
    [
        (["lung_01_2019-03-02.nii.gz", "lung_01_2019-09-14.nii.gz", "lung_02_20190302.nii.gz"], [[0, 1], [2]]),
        (["a_0000.nii.gz", "a_0001.nii.gz", "b_0000.nii.gz", "b_0001.nii.gz"], [[0, 1], [2, 3]]),
        (["case_0000.nii.gz", "case_0001.nii.gz", "case_0002.nii.gz"], [[0], [1], [2]]),
        (["a_0001.nii.gz", "a_0002.nii.gz", "b_0001.nii.gz", "b_0002.nii.gz"], [[0], [1], [2], [3]]),
        (["BraTS_7/BraTS_7_t1ce.nii.gz", "BraTS_7/BraTS_7_flair.nii.gz", "BraTS_8/BraTS_8_t1ce.nii.gz"], [[0, 1], [2]]),
        (["P1/T1.nii.gz", "P1/T2.nii.gz", "P2/T1.nii.gz"], [[0, 1], [2]]),
        (["T1/p1.nii.gz", "T2/p1.nii.gz", "T1/p2.nii.gz"], [[0, 1], [2]]),
        (["P1/2019-03-02/ct.nii.gz", "P1/2020-03-02/ct.nii.gz", "P2/2019-03-02/ct.nii.gz"], [[0, 1], [2]]),
        (
            ["sub-1/ses-a/anat/sub-1_ses-a_T1w.nii.gz", "sub-1/ses-b/anat/sub-1_ses-b_T1w.nii.gz", "sub-2/x.nii"],
            [[0, 1], [2]],
        ),
        (["site_a/001.nii.gz", "site_b/001.nii.gz", "site_b/002.nii.gz"], [[0], [1], [2]]),
        (["x_frontal.png", "x_lateral.png", "y_frontal.png"], [[0, 1], [2]]),
        (["2019-03-02.nii.gz", "2019-03-03.nii.gz"], [[0], [1]]),
    ],
)
def test_images_of_one_case_are_one_patient(paths: list[str], groups: list[list[int]]) -> None:
    assert _groups(paths) == groups


def test_a_pattern_and_a_known_patient_win() -> None:
    paths = ["a_2019-03-02.nii.gz", "a_2019-03-03.nii.gz", "b.nii.gz"]
    assert _groups(paths, known=["1", "2", "2"]) == [[0], [1, 2]]
    assert _groups(paths, known=["1", "2", "2"], patient_pattern="^(a)") == [[0, 1], [2]]


def test_umlauts_are_the_same_in_every_form() -> None:
    composed, apart = (unicodedata.normalize(form, "Müller_2019-03-02.nii.gz") for form in ("NFC", "NFD"))
    assert composed != apart
    assert _groups([composed, apart, "b.nii.gz"]) == [[0, 1], [2]]
    assert _groups([composed, apart, "b.nii.gz"], patient_pattern=unicodedata.normalize("NFD", "(Müller)")) == [
        [0, 1],
        [2],
    ]


def test_what_names_tell_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    for name in ("p1_2019-03-02", "p1_2019-09-14", "p2_2019-03-02"):
        write_nifti(tmp_path / f"{name}.nii.gz", ct_like())
    records = scan_folder(tmp_path, progress=False).records
    assert {record["patient"] for record in records} == {"p1", "p2_2019-03-02"}
    assert "their names tell 2 patients, of whom p1 has p1_2019-03-02.nii.gz and p1_2019-09-14.nii.gz" in caplog.text


def test_one_id_for_all_is_said(tmp_path: Path, write_series: WriteSeries, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    for number in (1, 2, 3):
        write_series(tmp_path / f"study_{number}", ct_like(seed=number), patient="PATIENT")
    assert len({record["patient"] for record in scan_folder(tmp_path, progress=False).records}) == 1
    assert "All of 3 images carry the PatientID 'PATIENT'" in caplog.text
    assert "pass patient_pattern" in caplog.text
    caplog.clear()
    records = scan_folder(tmp_path, patient_pattern="study_([0-9]+)", progress=False).records
    assert len({record["patient"] for record in records}) == 3
    assert "PatientID" not in caplog.text
