from __future__ import annotations

import csv
import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from monai.transforms import LoadImage, Orientation

from monai_sg.data.phantom.body import make_phantom
from monai_sg.data.phantom.ct import series_uid, write_ct_cohort
from monai_sg.data.phantom.patient import ORGANS

SHAPE = (48, 38, 38)
PATIENTS = 4


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("phantom")
    layouts = ("luna16", "lits", "nifti")
    return {name: write_ct_cohort(folder / name, PATIENTS, seed=3, layout=name, shape=SHAPE) for name in layouts}


class Scan(NamedTuple):
    array: np.ndarray
    affine: np.ndarray

    def at(self, row: dict[str, str]) -> float:
        """Voxel at the coordinates of a row of annotations or candidates, which are LPS."""
        world = np.array([-float(row["coordX"]), -float(row["coordY"]), float(row["coordZ"]), 1])
        return float(self.array[tuple(np.rint(np.linalg.inv(self.affine) @ world).astype(int)[:3])])


def load_ras(path: Path) -> Scan:
    image = Orientation("RAS", labels=None)(LoadImage(image_only=True, ensure_channel_first=True)(path))
    return Scan(image.numpy()[0], image.affine.numpy())


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("layout", ["luna16", "lits", "nifti"])
def test_same_arguments_write_the_same_bytes(layout: str, cohorts: dict[str, Path], tmp_path: Path) -> None:
    again = write_ct_cohort(tmp_path, 2, seed=3, layout=layout, shape=SHAPE)
    written, before = digests(again), digests(cohorts[layout])
    scans = {name: digest for name, digest in written.items() if not name.endswith(".csv")}
    assert len(scans) == 4
    assert scans.items() <= before.items()
    assert digests(write_ct_cohort(tmp_path, 2, seed=3, layout=layout, shape=SHAPE)) == written


@pytest.mark.parametrize("layout", ["luna16", "lits", "nifti"])
def test_numbered_patients_are_those_of_a_whole_cohort(layout: str, cohorts: dict[str, Path], tmp_path: Path) -> None:
    folder = write_ct_cohort(tmp_path, seed=3, layout=layout, shape=SHAPE, numbers=[3, 1])
    written = {name: digest for name, digest in digests(folder).items() if not name.endswith(".csv")}
    assert len(written) == 4
    assert written.items() <= digests(cohorts[layout]).items()
    assert all(any(f"{number}." in name for number in (1, 3)) for name in written)


def test_luna16_files_lie_as_in_the_data_set(cohorts: dict[str, Path]) -> None:
    folder = cohorts["luna16"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["annotations.csv", "candidates.csv", *(f"subset{number}" for number in range(10))]
    )
    uid = series_uid(3, 2)
    assert sorted(path.name for path in (folder / "subset2").iterdir()) == [f"{uid}.mhd", f"{uid}.raw"]
    header = (folder / "subset2" / f"{uid}.mhd").read_text()
    assert "ElementType = MET_SHORT" in header
    assert "TransformMatrix = 1 0 0 0 1 0 0 0 1" in header


def test_luna16_coordinates_hit_the_nodules(cohorts: dict[str, Path]) -> None:
    with open(cohorts["luna16"] / "annotations.csv") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        uid = row["seriesuid"]
        number = int(uid.rsplit(".", 1)[1])
        image = load_ras(cohorts["luna16"] / f"subset{number}" / f"{uid}.mhd")
        organs = load_ras(cohorts["nifti"] / "labels" / f"{uid}.nii.gz")
        assert organs.at(row) == ORGANS["lung_nodule"]
        assert image.at(row) > -600
        assert 6 <= float(row["diameter_mm"]) < 50


def test_luna16_candidates_hold_nodules_and_places_without_one(cohorts: dict[str, Path]) -> None:
    with open(cohorts["luna16"] / "candidates.csv") as file:
        rows = list(csv.DictReader(file))
    with open(cohorts["luna16"] / "annotations.csv") as file:
        nodules = len(list(csv.DictReader(file)))
    assert sum(row["class"] == "1" for row in rows) == nodules
    for row in (row for row in rows if row["class"] == "0"):
        uid = row["seriesuid"]
        organs = load_ras(cohorts["nifti"] / "labels" / f"{uid}.nii.gz")
        assert organs.at(row) not in (ORGANS["lung_nodule"], ORGANS["background"])


def test_lits_labels_are_liver_and_tumour(cohorts: dict[str, Path]) -> None:
    seen = set()
    for number in range(PATIENTS):
        volume = load_ras(cohorts["lits"] / f"volume-{number}.nii")
        label = load_ras(cohorts["lits"] / f"segmentation-{number}.nii")
        assert volume.array.shape == label.array.shape
        assert np.allclose(volume.affine, label.affine)
        assert 0 < float(volume.array[label.array == 1].mean()) < 160
        seen |= set(np.unique(label.array).tolist())
    assert seen == {0, 1, 2}


@pytest.mark.parametrize("layout", ["luna16", "lits", "nifti"])
def test_layouts_hold_the_same_scan_with_the_same_geometry(layout: str, cohorts: dict[str, Path]) -> None:
    phantom, uid = make_phantom(3, 1, SHAPE), series_uid(3, 1)
    name = {"luna16": f"subset1/{uid}.mhd", "lits": "volume-1.nii", "nifti": f"images/{uid}.nii.gz"}[layout]
    image = load_ras(cohorts[layout] / name)
    assert np.array_equal(image.array, phantom.hu)
    assert np.allclose(image.affine, phantom.affine, atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"layout": "dicom"}, "layout is 'dicom'"),
        ({"patients": 0}, "patients is 0"),
        ({"numbers": []}, r"numbers is \[\]"),
        ({"numbers": [3, 3]}, r"numbers is \[3, 3\]"),
        ({"numbers": [-1, 3]}, r"numbers is \[-1, 3\]"),
        ({"shape": (8, 8, 8)}, "at least"),
    ],
)
def test_what_cannot_be_written_is_refused(arguments: dict[str, object], words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words):
        write_ct_cohort(tmp_path, **arguments)  # type: ignore[arg-type]
