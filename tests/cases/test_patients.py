from __future__ import annotations

import logging
from pathlib import Path

import pytest

from monai_sg.data.datasets.any_folder import scan_folder
from tests.cases.outcome import outcome, write


def test_dates_are_no_patients(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(8):
        date = ("2019-03-02", "2019-09-14")[number % 2]
        write(tmp_path / f"data/lung_{number // 2:02d}_{date}.nii.gz", number)
    with caplog.at_level(logging.WARNING):
        found = outcome(tmp_path / "data", tmp_path / "cache")
    assert set(found.patients.values()) == {f"lung_{number:02d}" for number in range(4)}
    assert "No patient is known for 8 of 8 images" in caplog.text
    assert not set(found.splits[0]) & {*found.splits[1], *found.splits[2]}
    told = scan_folder(tmp_path / "data", progress=False, patient_pattern="lung_([0-9]+)_")
    assert {record["patient"] for record in told.records} == {"00", "01", "02", "03"}


@pytest.mark.parametrize(
    ("names", "patients"),
    [
        (["sub-01_ses-1_T1w", "sub-01_ses-2_T1w", "sub-02_ses-1_T1w"], 2),
        (["case_000_0000", "case_000_0001", "case_001_0000", "case_001_0001"], 2),
        (["scan_0001", "scan_0002", "scan_0003"], 3),
        (["p1_arterial", "p1_venous", "p2_arterial"], 2),
    ],
)
def test_names_tell_what_belongs_to_one_patient(tmp_path: Path, names: list[str], patients: int) -> None:
    for number, name in enumerate(names):
        write(tmp_path / f"{name}.nii.gz", number)
    found = scan_folder(tmp_path, progress=False)
    assert len({record["patient"] for record in found.records}) == patients
