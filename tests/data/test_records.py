from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from monai_sg.data.records import Datalist, files_of, images_of
from monai_sg.utils.files import write_json

GOOD = {"image": "a.nii", "id": "a", "patient": "p"}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    records = [
        {**GOOD, "label": "a_label.nii"},
        {**GOOD, "id": "b", "image": ["b_0.nii", "b_1.nii"], "label": 2},
        {**GOOD, "id": "c", "label": [0, 1, 1]},
        {**GOOD, "id": "d", "label": None, "series": "1.2.3"},
    ]
    datalist = Datalist(training=records, classes=["x", "y", "z"], source="a set")
    path = datalist.save(tmp_path / "list.json")
    assert Datalist.load(path) == datalist
    assert [images_of(record) for record in records[:2]] == [["a.nii"], ["b_0.nii", "b_1.nii"]]
    assert [files_of(record) for record in records[:3]] == [["a.nii", "a_label.nii"], ["b_0.nii", "b_1.nii"], ["a.nii"]]


def test_a_list_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    write_json(tmp_path / "list.json", {"training": [GOOD], "validation": [], "test": [], "skipped": []})
    assert Datalist.load(tmp_path / "list.json") == Datalist(training=[GOOD])


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        ("a.nii", r"training record 1 is 'a.nii'; a record is an object with image, id and patient"),
        ({"image": "a.nii", "id": "b"}, r"training record 1 lacks 'patient'"),
        ({**GOOD, "id": 7}, r"training record 1 \(7\) has the id 7; give a text"),
        ({**GOOD, "id": "b", "image": ["a.nii", 3]}, r"\(b\) has the image \['a.nii', 3\]; give a path, or a list"),
        ({**GOOD, "id": "b", "image": []}, r"\(b\) has the image \[\]; give a path"),
        ({**GOOD, "id": "b", "label": 0.5}, r"\(b\) has the label 0.5; give the path of a label map, the number"),
        ({**GOOD, "id": "b", "label": True}, r"\(b\) has the label True; give"),
        ({**GOOD, "id": "b", "label": [0, -1]}, r"\(b\) has the label \[0, -1\]; give"),
        ({**GOOD, "id": "b", "label": 2}, r"\(b\) has the label 2, but the list has 2 classes, from 0"),
        ({**GOOD, "id": "b", "label": [0, 5]}, r"\(b\) has the label \[0, 5\], but the list has 2 classes"),
        (GOOD, r"lists the ids \['a'\] more than once"),
    ],
)
def test_a_record_of_another_form_is_refused(tmp_path: Path, record: Any, sentence: str) -> None:
    path = write_json(tmp_path / "list.json", {"training": [GOOD, record], "classes": ["x", "y"]})
    with pytest.raises(ValueError, match=sentence):
        Datalist.load(path)


def test_a_patient_belongs_to_one_split(tmp_path: Path) -> None:
    path = Datalist(training=[GOOD], test=[{**GOOD, "id": "b"}]).save(tmp_path / "list.json")
    with pytest.raises(ValueError, match="has patient p in training and in test"):
        Datalist.load(path)


def test_unknown_keys_are_named(tmp_path: Path) -> None:
    path = write_json(tmp_path / "list.json", {"train": [GOOD]})
    with pytest.raises(ValueError, match=r"holds the keys \['train'\]; a data list has \['training'"):
        Datalist.load(path)
