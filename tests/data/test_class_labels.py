from __future__ import annotations

from typing import Any

import pytest

from monai_sg.data.class_labels import checked_classes
from monai_sg.data.records import Datalist, Record


def _records(*labels: Any) -> list[Record]:
    return [{"image": f"{n}.png", "id": str(n), "patient": str(n), "label": label} for n, label in enumerate(labels)]


def test_labels_of_the_classes_pass() -> None:
    several = Datalist(_records([0, 1], [1, 1], None), classes=["a", "b"])
    assert checked_classes(several, ["a", "b"], multi_label=True) is several
    one = Datalist(_records(0, 1))
    assert checked_classes(one, ["a", "b"], multi_label=False) is one


@pytest.mark.parametrize(
    ("label", "classes", "multi_label", "message"),
    [
        ([0, 1], ["b", "a"], True, "has the classes a, b, not b, a; give the first as --classes"),
        (1, ["a", "b"], True, "0 has the label 1, not a list of 2 numbers 0 or 1"),
        ([0, 1], ["a", "b"], False, r"0 has the label \[0, 1\], not a number below 2"),
        ([0, 2], ["a", "b"], True, r"the label \[0, 2\], not a list of 2 numbers 0 or 1"),
        ("map.nii", ["a", "b"], False, "the label 'map.nii', not a number below 2"),
    ],
)
def test_other_labels_are_refused(label: Any, classes: list[str], multi_label: bool, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked_classes(Datalist(_records(label), classes=["a", "b"]), classes, multi_label)
