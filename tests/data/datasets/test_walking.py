from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from monai_sg.data.datasets.any_folder import scan_folder
from monai_sg.data.datasets.labelled_folder import LabelledFolder
from monai_sg.data.datasets.walking import files_below
from tests.data.conftest import WriteSeries, ct_like, write_nifti


def _scan(folder: Path) -> tuple[list[str], dict[str, str]]:
    datalist = scan_folder(folder, progress=False)
    return sorted(record["image"] for record in datalist.records), {x["path"]: x["reason"] for x in datalist.skipped}


def test_links_hidden_files_and_results_are_told_apart(tmp_path: Path) -> None:
    write_nifti(tmp_path / "b.nii.gz", ct_like())
    (tmp_path / "a.nii.gz").symlink_to(tmp_path / "b.nii.gz")
    (tmp_path / "gone.nii.gz").symlink_to(tmp_path / "nowhere.nii.gz")
    (tmp_path / "c.nii.gz").hardlink_to(tmp_path / "b.nii.gz")
    (tmp_path / "._b.nii.gz").write_bytes(b"\0\x05\x16\x07")
    write_nifti(tmp_path / "out/predictions/b.nii.gz", ct_like())
    (tmp_path / "out/run.json").write_text("{}")
    write_nifti(tmp_path / "cache/arrays/b.nii.gz", ct_like())
    (tmp_path / "cache/index.json").write_text("{}")
    files, skipped = files_below(tmp_path)
    assert [path.name for path in files] == ["b.nii.gz"]
    assert {item["path"]: item["reason"] for item in skipped} == {
        "a.nii.gz": "is the same file as b.nii.gz (a link)",
        "c.nii.gz": "is the same file as b.nii.gz (a link)",
        "gone.nii.gz": f"is a link to {tmp_path / 'nowhere.nii.gz'}, which is not there",
        "._b.nii.gz": "is hidden; one hidden file or folder are not looked at",
        "out": "holds the results of a run (run.json), no images",
        "cache": "is a volume cache (index.json), no images",
    }


def test_a_run_that_writes_into_its_own_data_leaves_them_readable(tmp_path: Path) -> None:
    write_nifti(tmp_path / "a.nii.gz", ct_like())
    (tmp_path / "run.json").write_text("{}")
    assert _scan(tmp_path)[0] == ["a.nii.gz"]


def test_identical_copies_count_once(tmp_path: Path, write_series: WriteSeries) -> None:
    write_nifti(tmp_path / "a.nii.gz", ct_like())
    shutil.copy(tmp_path / "a.nii.gz", tmp_path / "b.nii.gz")
    write_series(tmp_path / "exam", ct_like(seed=1))
    shutil.copytree(tmp_path / "exam", tmp_path / "exam (1)")
    slice_ = sorted((tmp_path / "exam").iterdir())[3]
    shutil.copy(slice_, slice_.with_name(f"{slice_.stem} copy.dcm"))
    images, skipped = _scan(tmp_path)
    assert images == ["a.nii.gz", "exam"]
    assert skipped["b.nii.gz"] == "is a copy of a.nii.gz: it has the same content"
    assert "is a copy of that in exam" in skipped["exam (1)"]
    assert "has the same SOPInstanceUID" in skipped[f"exam/{slice_.stem} copy.dcm"]


def test_copies_of_pictures_and_of_labelled_images_count_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        Image.fromarray(rng.integers(0, 255, (20, 30), dtype=np.uint8)).save(tmp_path / f"{name}.png", compress_level=0)
    shutil.copy(tmp_path / "a.png", tmp_path / "d.png")
    assert _scan(tmp_path)[0] == ["a.png", "b.png", "c.png"]
    for name in ("a", "b", "c", "d"):
        (tmp_path / "set/images").mkdir(parents=True, exist_ok=True)
        (tmp_path / "set/labels").mkdir(exist_ok=True)
        shutil.copy(tmp_path / f"{name}.png", tmp_path / f"set/images/{name}.png")
        Image.fromarray(np.eye(20, 30, dtype=np.uint8)).save(tmp_path / f"set/labels/{name}.png")
    datalist = LabelledFolder(progress=False).read(tmp_path / "set")
    assert sorted(record["id"] for record in datalist.records) == ["a", "b", "c"]
    assert datalist.skipped == [
        {"path": "images/d.png", "reason": "is a copy of images/a.png: it has the same content"}
    ]


def test_unknown_kinds_are_one_line_each_and_images_under_other_names_are_told(tmp_path: Path) -> None:
    write_nifti(tmp_path / "a.nii.gz", ct_like())
    (tmp_path / "a.nii.gz").rename(tmp_path / "scan")
    write_nifti(tmp_path / "b.nii.gz", ct_like())
    for name in ("x.json", "y.json", "z.pdf"):
        (tmp_path / name).write_text("{}")
    images, skipped = _scan(tmp_path)
    assert images == ["b.nii.gz"]
    assert skipped == {
        "scan": "is a NIfTI file by its content; call it .nii",
        "x.json": "is one of 2 files of kind .json, which are not read",
        "z.pdf": "is a file of kind .pdf, which is not read",
    }


def test_emission_is_no_ct(tmp_path: Path, write_series: WriteSeries) -> None:
    write_series(tmp_path / "ct", ct_like(seed=1))
    write_series(tmp_path / "pet", ct_like(seed=2), Modality="PT")
    write_nifti(tmp_path / "p1_SUV.nii.gz", ct_like())
    write_nifti(tmp_path / "p1_pet_ct.nii.gz", ct_like(seed=3))
    images, skipped = _scan(tmp_path)
    assert images == ["ct", "p1_pet_ct.nii.gz"]
    assert skipped["pet"].startswith("is PT, which has other values than CT or MRI; put such images into a folder")
    assert skipped["p1_SUV.nii.gz"].startswith("is PET or SPECT by its name")
    shutil.rmtree(tmp_path / "ct")
    (tmp_path / "p1_pet_ct.nii.gz").unlink()
    assert _scan(tmp_path)[0] == ["p1_SUV.nii.gz", "pet"], "alone they are what is trained on"
