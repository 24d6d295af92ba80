"""Small files in the formats that users have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from monai_sg.data.cache import images
from monai_sg.data.cache.opening import open_cache
from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.data.records import Datalist

INTERCEPT = -1024
SHAPE = (12, 10, 9)
NAMES = ("a", "b", "c")


def ct_like(shape: Sequence[int] = SHAPE, seed: int = 0) -> np.ndarray:
    """Return whole numbers between air and bone, in RAS, without symmetry."""
    return np.random.default_rng(seed).integers(-1000, 1500, size=shape).astype(np.int16)


def write_nifti(path: Path, array: np.ndarray, affine: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(array, np.diag([2.0, 3.0, 4.0, 1.0]) if affine is None else affine)
    image.header["descrip"] = str(path)[-79:].encode()  # so that equal voxels under two names are no copies
    nib.save(image, path)
    return path


def _slice(array: np.ndarray, position: Sequence[float], orientation: Sequence[float]) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    header.SOPClassUID, header.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    header.Rows, header.Columns = array.shape
    header.PixelSpacing = [3.0, 2.0]  # between rows, between columns
    header.ImagePositionPatient, header.ImageOrientationPatient = list(position), list(orientation)
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 16, 15, 0
    header.RescaleSlope, header.RescaleIntercept = 1, INTERCEPT
    header.PixelData = (array - INTERCEPT).astype(np.uint16).tobytes()
    return header


WriteSeries = Callable[..., str]


@pytest.fixture
def write_series() -> WriteSeries:
    """Write a RAS volume in HU as an axial series; returns its SeriesInstanceUID.

    ``positions`` are mm along z, one per slice; ``affine`` (RAS) places an oblique series instead.
    Files are named so that their order is not the order of the slices.
    """

    def write(
        folder: Path,
        array: np.ndarray,
        positions: Sequence[float] | None = None,
        patient: str = "P1",
        suffix: str = ".dcm",
        tilt_mm: float = 0.0,
        affine: np.ndarray | None = None,
        **tags: object,
    ) -> str:
        folder.mkdir(parents=True, exist_ok=True)
        series = generate_uid()
        for index in range(array.shape[2]):
            z = 4.0 * index if positions is None else positions[index]
            pixels = array[::-1, ::-1, index].T  # RAS to rows (towards posterior) of columns (towards left)
            header = _slice(pixels, (0.0, tilt_mm * index, z), (1, 0, 0, 0, 1, 0))
            if affine is not None:
                lps = np.diag([-1, -1, 1, 1]) @ affine
                corner = lps @ [array.shape[0] - 1, array.shape[1] - 1, index, 1]
                header.ImagePositionPatient = [round(float(number), 9) for number in corner[:3]]
                lengths = np.linalg.norm(lps[:3, :2], axis=0)
                header.PixelSpacing = lengths[::-1].tolist()
                directions = -lps[:3, :2] / lengths
                header.ImageOrientationPatient = [round(float(number), 9) for number in directions.T.ravel()]
            header.SeriesInstanceUID, header.PatientID, header.Modality = series, patient, "CT"
            for name, value in tags.items():
                setattr(header, name, value)
            header.save_as(folder / f"{(index * 7) % 101:03d}_{series[-6:]}{suffix}", enforce_file_format=True)
        return str(series)

    return write


@pytest.fixture
def datalist(tmp_path: Path) -> Datalist:
    """Three small scans in ``data``."""
    for seed, name in enumerate(NAMES):
        write_nifti(tmp_path / f"data/{name}.nii.gz", ct_like(seed=seed))
    return Datalist([{"image": f"{name}.nii.gz", "id": name, "patient": name} for name in NAMES])


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the sources that were read, in order."""
    names: list[str] = []
    original = images.read_channels

    def spy(sources: Sequence[Path], *arguments: Any) -> Any:
        names.extend(source.name for source in sources)
        return original(sources, *arguments)

    monkeypatch.setattr(images, "read_channels", spy)
    return names


def open_small(tmp_path: Path, datalist: Datalist, **arguments: Any) -> VolumeCache:
    """Open the cache of ``data`` in ``cache``."""
    return open_cache(datalist, tmp_path / "data", tmp_path / "cache", progress=False, **arguments)
