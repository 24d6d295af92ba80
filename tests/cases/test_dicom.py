from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import itk
import numpy as np
import pydicom
import pytest

from monai_sg.data.datasets.any_folder import scan_folder
from monai_sg.utils.errors import UserError
from tests.cases.outcome import AFFINE, hu, outcome
from tests.data.conftest import WriteSeries

RAS = AFFINE @ np.array([[-1, 0, 0, 15], [0, -1, 0, 13], [0, 0, 1, 0], [0, 0, 0, 1]])


@pytest.fixture
def series(write_series: WriteSeries) -> Callable[..., Path]:
    """Write a patient as a series."""

    def write(folder: Path, number: int, **tags: object) -> Path:
        tags = {"patient": f"P{number}", **tags}
        write_series(folder, hu(number)[::-1, ::-1], affine=RAS, **tags)
        return folder

    return write


Series = Callable[..., Path]


def change(folder: Path, act: Callable[[pydicom.FileDataset, int], None]) -> None:
    """Edit the files of a folder in the order of their slices."""
    headers = [(pydicom.dcmread(path), path) for path in folder.iterdir()]
    for index, (header, path) in enumerate(sorted(headers, key=lambda item: item[0].ImagePositionPatient[2])):
        act(header, index)
        header.save_as(path)


def test_files_without_preamble_or_suffix(tmp_path: Path, series: Series) -> None:
    data = tmp_path / "data"
    for number, suffix in ((1, ""), (2, ".dcm"), (3, ""), (4, ".IMA")):
        series(data / f"P{number}", number, suffix=suffix)
    for folder in ("P1", "P2"):
        for path in (data / folder).iterdir():
            path.write_bytes(path.read_bytes()[132:])
    found = outcome(data, tmp_path / "cache")
    assert found.used == {"P1", "P2", "P3", "P4"}
    assert found.reasons == {}
    for number in range(1, 5):
        found.equals(f"P{number}", number)
    assert outcome(data / "P1", tmp_path / "cache1").used == {"P1"}


def test_a_folder_that_is_the_series_itself_needs_no_patient(tmp_path: Path, series: Series) -> None:
    found = outcome(series(tmp_path / "exam", 1, patient=""), tmp_path / "cache")
    assert found.used == {"exam"}


def test_a_scout_among_the_slices_is_left_out_by_name(tmp_path: Path, series: Series) -> None:
    data = tmp_path / "data"
    for number in range(1, 5):
        folder = series(data / f"P{number}", number)
        scout = pydicom.dcmread(next(iter(sorted(folder.iterdir()))))
        scout.SOPInstanceUID = scout.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        if number == 1:
            scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        elif number == 2:
            scout.Rows, scout.PixelData = 10, scout.PixelData[: 10 * scout.Columns * 2]
        elif number == 3:
            scout.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
        scout.save_as(folder / "scout.dcm") if number < 4 else None
    found = outcome(data, tmp_path / "cache")
    assert found.used == {"P1", "P2", "P3", "P4"}
    for number in range(1, 5):
        found.equals(f"P{number}", number)
    assert found.reasons["P1/scout.dcm"] == "is a localiser (scout view)"
    assert "has size 16x10, but the slices of its series have 16x14" in found.reasons["P2/scout.dcm"]
    assert "has direction" in found.reasons["P3/scout.dcm"]


def test_slices_are_ordered_by_position_and_gaps_are_named(tmp_path: Path, series: Series) -> None:
    data = tmp_path / "data"

    def backwards(header: pydicom.FileDataset, index: int) -> None:
        header.InstanceNumber = 100 - index

    change(series(data / "P1", 1), backwards)
    gap = series(data / "P2", 2)
    sorted(gap.iterdir(), key=lambda path: pydicom.dcmread(path).ImagePositionPatient[2])[5].unlink()
    uneven = series(data / "P3", 3)

    def spread(header: pydicom.FileDataset, index: int) -> None:
        x, y, z = header.ImagePositionPatient
        header.ImagePositionPatient = [x, y, float(z) + (2.0 * (index - 6) if index > 6 else 0.0)]

    change(uneven, spread)
    found = outcome(data, tmp_path / "cache")
    assert found.used == {"P1"}
    found.equals("P1", 1)
    assert "has missing slices (8.00 mm from 6.00 to 14.00 mm, usually 4.00 mm)" in found.reasons["P2"]
    assert "has a variable distance of slices" in found.reasons["P3"]


@pytest.mark.parametrize(
    "absent",
    [
        ("ImageOrientationPatient",),
        ("ImagePositionPatient",),
        ("PixelSpacing",),
        ("ImageOrientationPatient", "ImagePositionPatient"),
    ],
    ids=" and ".join,
)
def test_what_a_series_lacks_is_named_exactly(tmp_path: Path, series: Series, absent: tuple[str, ...]) -> None:
    folder = series(tmp_path / "data/P1", 1)
    for path in folder.iterdir():
        header = pydicom.dcmread(path)
        for name in absent:
            delattr(header, name)
        header.ImagerPixelSpacing = [1, 1]  # on the detector, which is not the distance in a slice
        header.save_as(path)
    with pytest.raises(UserError, match=rf"lacks {' and '.join(absent)} in all of its 12 slices"):
        scan_folder(tmp_path / "data", progress=False)


def test_one_slice_without_orientation_is_named(tmp_path: Path, series: Series) -> None:
    def spoil(header: pydicom.FileDataset, index: int) -> None:
        if index == 11:
            del header.ImageOrientationPatient

    change(series(tmp_path / "P1", 1), spoil)
    found = scan_folder(tmp_path, progress=False)
    assert len(found.records) == 1
    assert "lacks ImageOrientationPatient, unlike other slices of its series" in found.skipped[0]["reason"]


def test_multi_frame_files_are_named_with_a_way_on(tmp_path: Path, series: Series) -> None:
    def enhance(header: pydicom.FileDataset, index: int) -> None:
        header.SOPClassUID = header.file_meta.MediaStorageSOPClassUID = pydicom.uid.EnhancedCTImageStorage
        header.NumberOfFrames = 48

    change(series(tmp_path / "mixed/P1", 1), enhance)
    series(tmp_path / "mixed/P2", 2)
    found = outcome(tmp_path / "mixed", tmp_path / "cache")
    assert found.used == {"P2"}
    assert set(found.reasons.values()) == {"is a multi-frame DICOM file (48 frames); convert it to NIfTI with dcm2niix"}
    with pytest.raises(UserError, match=r"multi-frame DICOM file \(48 frames\); convert"):
        scan_folder(tmp_path / "mixed/P1", progress=False)


COMPRESSIONS = [("JPEG", 0), ("JPEG 2000", 1)]


@pytest.mark.parametrize(("name", "kind"), COMPRESSIONS)
def test_compressed_slices_hold_the_same_values(tmp_path: Path, series: Series, name: str, kind: int) -> None:
    folder = series(tmp_path / "data/P1", 1)
    plane = itk.Image[itk.SS, 2]
    for path in folder.iterdir():
        reader = itk.ImageFileReader[plane].New(FileName=str(path), ImageIO=itk.GDCMImageIO.New())
        reader.Update()
        target = itk.GDCMImageIO.New()
        target.SetMetaDataDictionary(reader.GetImageIO().GetMetaDataDictionary())
        target.KeepOriginalUIDOn()
        target.SetCompressionType(kind)
        itk.ImageFileWriter[plane].New(
            Input=reader.GetOutput(), FileName=str(path), ImageIO=target, UseInputMetaDataDictionary=False,
            UseCompression=True,
        ).Update()  # fmt: skip
        assert pydicom.dcmread(path).file_meta.TransferSyntaxUID.is_compressed, name
    found = outcome(tmp_path / "data", tmp_path / "cache")
    found.equals("P1", 1)


def test_slices_packed_by_run_lengths_hold_the_same_values(tmp_path: Path, series: Series) -> None:
    change(series(tmp_path / "data/P1", 1), lambda header, index: header.compress(pydicom.uid.RLELossless))
    outcome(tmp_path / "data", tmp_path / "cache").equals("P1", 1)


def test_12_signed_bits_in_16_are_read_with_their_sign(tmp_path: Path, series: Series) -> None:
    def sign(header: pydicom.FileDataset, index: int) -> None:
        stored = header.pixel_array.astype(np.int32) - 1024  # as if there were no intercept
        header.PixelRepresentation, header.BitsStored, header.HighBit = 1, 12, 11
        header.RescaleIntercept = 0
        header.PixelData = (stored.astype(np.int16).astype(np.uint16) & 0x0FFF).tobytes()

    change(series(tmp_path / "data/P1", 1), sign)
    outcome(tmp_path / "data", tmp_path / "cache").equals("P1", 1)


def test_one_id_for_all_is_told_and_a_pattern_helps(
    tmp_path: Path, series: Series, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(6):
        series(tmp_path / f"study_{number:02d}", number, patient="PATIENT")
    with caplog.at_level(logging.WARNING):
        found = scan_folder(tmp_path, progress=False)
    assert [len(found.training), len(found.validation), len(found.test)] == [6, 0, 0]
    assert "All of 6 images carry the PatientID 'PATIENT'" in caplog.text
    assert "patient_pattern" in caplog.text
    split = scan_folder(tmp_path, progress=False, patient_pattern="study_([0-9]+)")
    assert [len(split.training), len(split.validation), len(split.test)] == [4, 1, 1]


def test_without_ids_each_study_is_a_patient_with_a_warning(
    tmp_path: Path, series: Series, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(4):
        series(tmp_path / f"study_{number:02d}", number, patient=("", "anonymous")[number % 2])
    with caplog.at_level(logging.WARNING):
        found = scan_folder(tmp_path, progress=False)
    assert len({record["patient"] for record in found.records}) == 4
    assert "No patient is known for 4 of 4 images" in caplog.text
