from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

from monai_sg.data.datasets.any_folder import scan_folder
from monai_sg.data.readers.series import slices_of_series
from tests.fuzz.changes import spoilt
from tests.fuzz.outcome import Folder, read, told

ROWS, COLUMNS, NUMBER = 8, 9, 9
STORED = np.random.default_rng(0).integers(0, 2000, (NUMBER, ROWS, COLUMNS)).astype(np.uint16)
SERIES = generate_uid(entropy_srcs=["series"])
number = st.sampled_from((0.0, 1.0, -1.0, 0.5, 3.0, 1e-4, 1000.0, -2.0)) | st.floats(-100, 100).map(
    lambda x: round(x, 4)
)

TAGS: dict[str, st.SearchStrategy[Any]] = {
    "ImagePositionPatient": st.lists(number, min_size=0, max_size=4),
    "ImageOrientationPatient": st.lists(number, min_size=0, max_size=7)
    | st.sampled_from(([0, 1, 0, 0, 0, -1], [1, 0, 0, 0, 0, -1], [-1, 0, 0, 0, 1, 0], [2, 0, 0, 0, 2, 0])),
    "PixelSpacing": st.lists(number, min_size=0, max_size=3),
    "Rows": st.integers(0, 65535),
    "Columns": st.integers(0, 65535),
    "BitsAllocated": st.sampled_from((1, 8, 16, 32, 0)),
    "BitsStored": st.integers(0, 32),
    "HighBit": st.integers(0, 32),
    "PixelRepresentation": st.integers(0, 2),
    "SamplesPerPixel": st.integers(0, 4),
    "NumberOfFrames": st.integers(-1, 3),
    "RescaleSlope": number,
    "RescaleIntercept": number,
    "PhotometricInterpretation": st.sampled_from(("MONOCHROME1", "MONOCHROME2", "RGB", "PALETTE COLOR", "")),
    "Modality": st.sampled_from(("CT", "MR", "PT", "DX", "SEG", "RTDOSE", "")),
    "SOPInstanceUID": st.sampled_from(("", "1.2.3")),
    "SeriesInstanceUID": st.sampled_from(("", "1.2.3")),
    "PatientID": st.sampled_from(("", "B")),
    "ImageType": st.sampled_from((["ORIGINAL", "PRIMARY", "LOCALIZER"], ["DERIVED"], "")),
    "InstanceNumber": st.integers(-5, 20),
}


def slices() -> list[FileDataset]:
    """Return a good series."""
    made = []
    for index in range(NUMBER):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(index)])
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        one = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        one.SOPClassUID, one.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        one.SeriesInstanceUID, one.PatientID, one.Modality = SERIES, "A", "CT"
        one.Rows, one.Columns, one.PixelSpacing = ROWS, COLUMNS, [2.0, 3.0]
        one.ImagePositionPatient, one.ImageOrientationPatient = [10, 20, 4.0 * index], [1, 0, 0, 0, 1, 0]
        one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
        one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 0
        one.RescaleSlope, one.RescaleIntercept = 1, -1024
        one.PixelData = STORED[index].tobytes()
        made.append(one)
    return made


def write(folder: Path, made: list[FileDataset]) -> None:
    for index, one in enumerate(made):
        one.save_as(folder / f"{index:02d}.dcm", enforce_file_format=True)


def compare_with_tags(folder: Path, found: Any) -> None:
    """Each slice of the array lies where a file says, with its pixels in the units of its slope."""
    stored, _ = found
    used = [pydicom.dcmread(one.path) for one in slices_of_series(folder, "")]
    if stored.sheared is not None:
        return
    shape = (used[0].Columns, used[0].Rows, len(used))
    assert stored.values.shape in (shape, tuple(length for length in shape if length > 1))
    if stored.values.shape != shape:  # slices of one row or column: an axis of one voxel is dropped
        return
    for index, one in enumerate(used):
        place = stored.affine @ [0, 0, index, 1] * [-1, -1, 1, 1]
        np.testing.assert_allclose(place[:3], [float(x) for x in one.ImagePositionPatient], atol=0.5)
        direction = (stored.affine[:3, :2] / np.linalg.norm(stored.affine[:3, :2], axis=0)).T * [-1, -1, 1]
        np.testing.assert_allclose(direction.ravel(), [float(x) for x in one.ImageOrientationPatient], atol=0.02)
        if plain(one):
            pixels = one.pixel_array * float(one.get("RescaleSlope", 1)) + float(one.get("RescaleIntercept", 0))
            np.testing.assert_allclose(stored.values[..., index].T, pixels, atol=1e-2)


def plain(one: Dataset) -> bool:
    """Return whether pydicom and ITK have to agree on the pixels."""
    usual = {
        "SamplesPerPixel": 1,
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PhotometricInterpretation": "MONOCHROME2",
    }
    return (
        all(one.get(name) == value for name, value in usual.items())
        and one.get("PixelRepresentation") in (0, 1)
        and int(one.get("NumberOfFrames", 1) or 1) == 1
        and float(one.get("RescaleSlope", 1) or 0) != 0
        and one.get("RescaleIntercept", 0) is not None
    )


@given(st.data())
def test_tags_of_one_or_all_slices(folder: Folder, data: st.DataObject) -> None:
    made = slices()
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(sorted(TAGS)))
        value = data.draw(TAGS[name], label=name)
        for one in made if data.draw(st.booleans()) else [made[data.draw(st.integers(0, NUMBER - 1))]]:
            if data.draw(st.integers(0, 9)) == 0:
                one.pop(name, None)
            else:
                setattr(one, name, value)
    here = folder()
    write(here, made)
    if found := read(here):
        compare_with_tags(here, found)
    told(lambda: scan_folder(here, progress=False))


@given(st.data())
def test_bytes_of_a_slice(folder: Folder, data: st.DataObject) -> None:
    made = slices()
    if data.draw(st.booleans()):
        for one in made:
            one.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    here = folder()
    write(here, made)
    spoilt_file = here / "04.dcm"
    whole = spoilt_file.read_bytes()
    spoilt_file.write_bytes(data.draw(spoilt(whole, len(whole) - 2 * ROWS * COLUMNS)))
    read(here)
    told(lambda: scan_folder(here, progress=False))
