from __future__ import annotations

import logging
from pathlib import Path

import pytest

from monai_sg.data.datasets.any_folder import AnyFolder
from monai_sg.data.datasets.labelled_folder import LabelledFolder
from monai_sg.data.datasets.lits import LiTS
from monai_sg.data.datasets.opening import open_datalist
from monai_sg.data.records import SPLITS, Datalist
from tests.data.conftest import ct_like, write_nifti

LABELLED = (LiTS(progress=False), LabelledFolder(progress=False))


def _write(folder: Path, *names: str) -> Path:
    for name in names:
        write_nifti(folder / name, ct_like())
    return folder


class Reversed:
    """A set of two images with a class each, as a task of one's own would write it."""

    name = "reversed"
    layout = "b.nii.gz with a.nii.gz"

    def matches(self, folder: Path) -> bool:
        return (folder / "b.nii.gz").is_file()

    def read(self, folder: Path, seed: int = 0, patient_pattern: str | None = None) -> Datalist:
        rows = [{"image": f"{name}.nii.gz", "id": name, "patient": f"{name}{seed}", "label": 1} for name in "ba"]
        return Datalist(training=rows, classes=["none", "some"])


def test_the_list_is_written_and_then_read(tmp_path: Path) -> None:
    data, path = _write(tmp_path / "data", "images/a.nii.gz", "labels/a.nii.gz"), tmp_path / "out/datalist.json"
    first = open_datalist(path, data, LABELLED)
    assert Datalist.load(path) == first
    _write(data, "images/b.nii.gz", "labels/b.nii.gz")
    assert open_datalist(path, data, LABELLED) == first
    (data / "labels/a.nii.gz").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"lists labels/a.nii.gz, which is not in .* \(1 of 2 files are missing\)"
    ):
        open_datalist(path, data, LABELLED)


def test_the_first_set_that_matches_is_read_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    _write(tmp_path / "data", "volume-7.nii", "segmentation-7.nii", "volume-120.nii", "segmentation-120.nii")
    datalist = open_datalist(tmp_path / "lits.json", tmp_path / "data", LABELLED, patient_pattern="unused")
    assert [len(getattr(datalist, split)) for split in SPLITS] == [1, 0, 1]
    assert datalist.source == "LiTS-2017"
    assert f"{tmp_path / 'data'} is read as LiTS-2017." in caplog.messages
    _write(tmp_path / "data", "labels/volume-7.nii")
    assert open_datalist(tmp_path / "other.json", tmp_path / "data", LABELLED[::-1]).source == "labelled folder"
    assert open_datalist(tmp_path / "any.json", tmp_path / "data", [AnyFolder()]).source == "folder of images"


def test_a_set_of_ones_own(tmp_path: Path) -> None:
    data = _write(tmp_path / "data", "a.nii.gz", "b.nii.gz")
    datalist = open_datalist(tmp_path / "list.json", data, [*LABELLED, Reversed(), AnyFolder()], seed=5)
    assert [record["id"] for record in datalist.training] == ["b", "a"]
    assert (datalist.classes, datalist.source) == (["none", "some"], "reversed")
    assert datalist.training[0]["patient"] == "b5"
    assert Datalist.load(tmp_path / "list.json") == datalist


def test_a_folder_without_a_known_layout_is_refused_with_what_was_looked_for_and_found(tmp_path: Path) -> None:
    path, data = tmp_path / "list.json", tmp_path / "data"
    with pytest.raises(FileNotFoundError, match="data is not a folder; set it"):
        open_datalist(path, data, LABELLED)
    data.mkdir()
    with pytest.raises(ValueError, match=r"Looked for volume-N.nii .*; imagesTr with labelsTr, .* Found: nothing\."):
        open_datalist(path, data, LABELLED)
    _write(data, "imagesTr/a.nii.gz", "labels_auto/a.nii.gz", "volume-1.nii")
    with pytest.raises(ValueError, match=r"image files\. Found: imagesTr/, labels_auto/, volume-1\.nii\."):
        open_datalist(path, data, LABELLED)
    assert not path.exists()
