"""What a folder becomes: images as they are trained on, and a reason for everything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from monai.transforms import Compose, EnsureChannelFirstd

from monai_sg.data.cache.opening import open_cache
from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.data.datasets.any_folder import scan_folder
from monai_sg.data.datasets.labelled_folder import LabelledFolder
from monai_sg.data.images import LoadRecordd, labelled_records
from monai_sg.data.labels import PrepareLabeld
from monai_sg.data.prepared import PreparedDataset
from tests.data.conftest import ct_like, write_nifti

AFFINE = np.diag([-2.0, -3.0, 4.0, 1.0])
AFFINE[:3, 3] = 30.0, 20.0, -10.0
SHAPE = (16, 14, 12)


def hu(number: int = 0) -> np.ndarray:
    """Return the voxels of a patient as they are stored: to the left, to the back, upwards."""
    return ct_like(SHAPE, number)


def write(path: Path, number: int = 0, values: np.ndarray | None = None, affine: np.ndarray = AFFINE) -> Path:
    """Write a patient as NIfTI."""
    return write_nifti(path, hu(number) if values is None else values, affine)


def patch(path: Path, **fields: Any) -> Path:
    """Change fields of the header of a plain NIfTI file."""
    import nibabel as nib

    content = path.read_bytes()
    with open(path, "rb") as file:
        header = nib.Nifti1Header.from_fileobj(file, check=False)
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(header.binaryblock + content[348:])
    return path


class Outcome(NamedTuple):
    """The cache, and why each other file, folder or series is left out."""

    cache: VolumeCache
    reasons: dict[str, str]
    patients: dict[str, str]
    splits: list[list[str]]

    @property
    def used(self) -> set[str]:
        return set(self.cache.ids)

    def values(self, name: str) -> np.ndarray:
        """Return an image in physical units, RAS."""
        entry = self.cache.entry(name)
        return self.cache.array(name) * entry.scales[0] + entry.offsets[0]

    def equals(self, name: str, number: int, tolerance: float = 0.0) -> None:
        """It is the patient of that number in voxels, place and spacing."""
        np.testing.assert_allclose(self.values(name), hu(number)[::-1, ::-1], atol=tolerance, err_msg=name)
        entry = self.cache.entry(name)
        assert entry.spacing == (2.0, 3.0, 4.0), name
        ras = np.diag([2.0, 3.0, 4.0, 1.0])
        ras[:3, 3] = 30.0 - 2 * 15, 20.0 - 3 * 13, -10.0
        np.testing.assert_allclose(entry.affine, ras, atol=1e-3, err_msg=name)


def outcome(folder: Path, cache: Path, **arguments: Any) -> Outcome:
    """Scan and cache a folder; every image that is counted is used."""
    found = scan_folder(folder, progress=False, **arguments)
    opened = open_cache(found, folder, cache, progress=False)
    assert opened.skipped == {}, "what is counted is what is used"
    splits = [sorted({one["patient"] for one in part}) for part in (found.training, found.validation, found.test)]
    patients = {record["id"]: record["patient"] for record in found.records}
    return Outcome(opened, {item["path"]: item["reason"] for item in found.skipped}, patients, splits)


def prepared(folder: Path, cache: Path, values: list[int], known: list[int] | None = None) -> PreparedDataset:
    """Return the training images of a labelled folder as a fine-tuning reads them."""
    steps = [
        LoadRecordd(["image", "label"]),
        EnsureChannelFirstd(["image", "label"]),
        PrepareLabeld("label", {"object": values}, known),
    ]
    datalist = LabelledFolder(progress=False).read(folder)
    return PreparedDataset(
        labelled_records(datalist, folder, "training"), Compose(steps), cache_dir=cache, progress=False
    )
