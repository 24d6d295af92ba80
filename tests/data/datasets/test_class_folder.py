from __future__ import annotations

import logging
from pathlib import Path

import pytest

from monai_sg.data.datasets.class_folder import ClassFolder
from monai_sg.data.records import Datalist


def _write(folder: Path, table: str, *files: str) -> Path:
    (folder / "labels.csv").write_text(table)
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(b"")
    return folder


def _by_id(datalist: Datalist) -> dict[str, object]:
    return {record["id"]: record["label"] for record in datalist.records}


def test_one_class_of_several(tmp_path: Path) -> None:
    _write(tmp_path, "image,class\na.png,naevus\nb.png,melanoma\nc.png,naevus\n", "a.png", "b.png", "c.png")
    assert ClassFolder().matches(tmp_path)
    datalist = ClassFolder().read(tmp_path)
    assert datalist.classes == ["melanoma", "naevus"]
    assert _by_id(datalist) == {"a": 1, "b": 0, "c": 1}
    assert ClassFolder(["naevus", "melanoma"]).read(tmp_path).classes == ["naevus", "melanoma"]
    assert _by_id(ClassFolder(["naevus", "melanoma"]).read(tmp_path)) == {"a": 0, "b": 1, "c": 0}


def test_several_classes_patients_and_a_split(tmp_path: Path) -> None:
    table = "image,mass,nodule,age,patient,split\na,1,0,50,p,train\nx/b.nii.gz,0,0,51,p,train\nc,1.0,1,9,q,val\n"
    _write(tmp_path, table + "d,0,1,9,r,Test\n", "x/a.nii.gz", "x/b.nii.gz", "c.mha", "d.nii")
    datalist = ClassFolder(["nodule", "mass"]).read(tmp_path)
    assert datalist.training == [
        {"image": "x/a.nii.gz", "label": [0, 1], "id": "a", "patient": "p"},
        {"image": "x/b.nii.gz", "label": [0, 0], "id": "b", "patient": "p"},
    ]
    assert [record["label"] for record in [*datalist.validation, *datalist.test]] == [[1, 1], [1, 0]]
    assert datalist.skipped == []


def test_the_split_keeps_patients_together(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = [f"{patient:02d}_{number}" for patient in range(20) for number in range(3)]
    rows = "".join(f"{name},{int(name[-1]) % 2}\n" for name in names)
    _write(tmp_path, f"image,class\n{rows}", *(f"{name}.jpg" for name in names))
    datalist = ClassFolder().read(tmp_path, patient_pattern=r"(\d+)_")
    assert [len(datalist.training), len(datalist.validation), len(datalist.test)] == [42, 9, 9]
    assert "No patient is known" not in caplog.text
    ClassFolder().read(tmp_path)
    assert "No patient is known for 60 of 60 images" in caplog.text


def test_a_folder_of_slices_is_an_image(tmp_path: Path) -> None:
    _write(tmp_path, "image,class\ncase1,a\ncase2,b\n", "case1/0.dcm", "case1/1.dcm", "case2/0.dcm")
    datalist = ClassFolder().read(tmp_path)
    assert sorted(record["image"] for record in datalist.records) == ["case1", "case2"]
    assert datalist.skipped == []


def test_what_has_no_partner_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = "image,class\na,x\nb,y\na.png,x\nc,y\nd,x\n"
    _write(tmp_path, table, "a.png", "d.png", "1/c.png", "2/c.png", "e.png", "readme.txt")
    caplog.set_level(logging.INFO)
    datalist = ClassFolder().read(tmp_path)
    assert _by_id(datalist) == {"a": 0, "d": 0}
    assert {item["path"]: item["reason"] for item in datalist.skipped} == {
        "b": "is in labels.csv, but not in the folder",
        "a.png": "has a second row in labels.csv",
        "c": "may be 1/c.png or 2/c.png",
        "e.png": "has no row in labels.csv",
    }
    assert "4 files were left out" in caplog.text


@pytest.mark.parametrize(
    ("table", "classes", "message"),
    [
        ("image,kind\na,1\n", [], "1 rows and the columns image, kind; it needs 'image' and 'class', or name its"),
        ("image,mass\na,1\n", ["mass", "edema"], "or 'image', mass, edema"),
        ("image,class\n", [], "0 rows and the columns none"),
        ("image,class\na,x\n", [], "the one class 'x'"),
        ("image,class\na,x\n", ["y", "z"], "the class 'x' for a; classes are y, z"),
        ("image,mass\na,yes\n", ["mass"], "'yes' under mass for a; write 0 or 1"),
        ("image,class,split\na,x,fold1\n", ["x", "y"], "the split 'fold1' for a; write one of training, validation"),
        ("image,class\nb,x\n", ["x", "y"], "None of the 1 images .*: b is in labels.csv, but not"),
        ("image,class,patient,split\na,x,p,train\nb,y,p,test\n", ["x", "y"], "patient p in training and in test"),
    ],
)
def test_a_table_that_cannot_be_used(tmp_path: Path, table: str, classes: list[str], message: str) -> None:
    _write(tmp_path, table, "a.png")
    if "b,y" in table:
        _write(tmp_path, table, "b.png")
    with pytest.raises(ValueError, match=message):
        ClassFolder(classes).read(tmp_path)
