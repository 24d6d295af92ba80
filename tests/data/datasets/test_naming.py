from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from monai_sg.data.datasets.naming import compile_pattern, label_reason, patient_in, unique_ids


@pytest.mark.parametrize(
    ("path", "is_label"),
    [
        ("labelsTr/a.nii.gz", True),
        ("masks_lungs/a.png", True),
        ("x/Segmentations/a.nii", True),
        ("imagesTr/a_seg.nii.gz", True),
        ("imagesTr/a-mask.nii.gz", True),
        ("a/lung.label.nrrd", True),
        ("imagesTr/a.nii.gz", False),
        ("unmasked/labelled.nii.gz", False),
        ("segal/maskell.nii.gz", False),
        ("hippocampus_118_no_label.nii.gz", False),
    ],
)
def test_labels_are_told_by_whole_words(path: str, is_label: bool) -> None:
    relative = PurePosixPath(path)
    assert (label_reason(relative, relative.name.split(".nii")[0].split(".png")[0]) is not None) == is_label


def test_ids_are_unique_file_names() -> None:
    paths = [PurePosixPath(name) for name in ("a/ct", "b/ct", "b/CT", "c/x y:z", "d/é")]
    ids = unique_ids(paths, [path.name for path in paths])
    assert ids == ["a_ct", "b_ct", "b_CT_2", "x_y_z", "é"]


def test_long_ids_are_cut_but_stay_apart() -> None:
    names = ["n" * 200 + "1", "n" * 200 + "2"]
    ids = unique_ids([PurePosixPath(name) for name in names], names)
    assert len(set(ids)) == 2
    assert max(map(len, ids)) <= 120


def test_patient_in_path() -> None:
    assert patient_in("x/LIDC-IDRI-0007/ct.nii", compile_pattern(r"(LIDC-IDRI-\d+)")) == "LIDC-IDRI-0007"
    assert patient_in("00000211_013.jpg", compile_pattern(r"^\d+")) == "00000211"
    assert patient_in("ct.nii", compile_pattern(r"(LIDC)")) is None
    with pytest.raises(ValueError, match="not a regular expression"):
        compile_pattern("(")
