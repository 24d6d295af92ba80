"""Films as DICOM are what the same films are as pictures."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

from monai_sg.data.prepared import PreparedDataset
from tests.bundles.cases import overrides
from tests.bundles.families.classification import BUNDLE, write_films
from tests.bundles.folders import workflow


def as_dicom(picture: Path) -> None:
    """Replace a picture by DICOM of 12 bits whose window shows it again: black is white, with bright marks beyond."""
    grey = np.asarray(Image.open(picture)).astype(np.uint16)
    shown = 500 + 8 * grey  # the window is 500 to 500 + 8 * 255
    shown[:2, :2], shown[-2:, -2:] = 0, 4095
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = DigitalXRayImageStorageForPresentation
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = generate_uid()
    header.SeriesInstanceUID, header.PatientID, header.Modality = generate_uid(), picture.stem, "DX"
    header.Rows, header.Columns = grey.shape
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME1"
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 12, 11, 0
    header.WindowCenter, header.WindowWidth, header.VOILUTFunction = 4095 - 500 - 4 * 255, 8 * 255, "LINEAR_EXACT"
    header.PixelData = (4095 - shown).astype(np.uint16).tobytes()
    header.save_as(picture.with_suffix(".dcm"), enforce_file_format=True)
    picture.unlink()


def _training(data: Path, output: Path) -> PreparedDataset:
    found: Any = workflow(BUNDLE, ["train.json"], overrides(BUNDLE, data, output)).parser.get_parsed_content(
        "train::dataset"
    )
    assert isinstance(found, PreparedDataset)
    return found


def _probabilities(data: Path, output: Path, models: Path) -> dict[str, list[float]]:
    made = workflow(BUNDLE, ["inference.json"], overrides(BUNDLE, data, output, ckpt_dir=str(models)))
    made.run()
    with open(output / "predictions/probabilities.csv", newline="") as file:
        return {row.pop("id"): [float(value) for value in row.values()] for row in csv.DictReader(file)}


def test_dicom_films_are_trained_on_and_classified_as_pictures_are(tmp_path: Path) -> None:
    folders = [write_films(tmp_path / name) for name in ("pictures", "dicom")]
    for picture in sorted(folders[0].rglob("*.png")):
        grey = np.array(Image.open(picture))
        grey[:2, :2], grey[-2:, -2:] = 0, 255
        Image.fromarray(grey).save(picture)
    for picture in sorted(folders[1].rglob("*.png")):
        as_dicom(picture)
    pictures, films = (_training(folder, tmp_path / "out" / folder.name) for folder in folders)
    assert [r["id"] for r in films.data] == [r["id"] for r in pictures.data]
    assert {Path(r["image"]).suffix for r in films.data} == {".dcm"}
    for index in range(len(films)):
        torch.testing.assert_close(films.prepared(index)["image"], pictures.prepared(index)["image"], atol=2e-3, rtol=0)
    network = workflow(BUNDLE, ["train.json"], overrides(BUNDLE, folders[0], tmp_path / "out/pictures"))
    (tmp_path / "models").mkdir()
    torch.save(network.parser.get_parsed_content("network").state_dict(), tmp_path / "models/model.pt")
    of_pictures, of_films = (
        _probabilities(folder, tmp_path / "out" / folder.name, tmp_path / "models") for folder in folders
    )
    assert sorted(of_films) == sorted(of_pictures)
    assert len(of_films) == 16
    for name, values in of_films.items():
        assert values == pytest.approx(of_pictures[name], abs=2e-3)
