from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from monai_sg.data.boxes.patterns import pattern_boxes
from monai_sg.data.boxes.read import ReadBoxd
from monai_sg.data.boxes.released_patterns import ReleasedArrays, array_name, released_table
from monai_sg.data.records import PatternTable
from tests.data.released_arrays import CROP, write_released

TRAIN, LABEL = (array_name(kind, "1.0") for kind in ("train_data1", "train_label1"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_released(tmp_path / "released")


def _table(folder: Path, num_classes: int = 44, scales: int = 3) -> PatternTable:
    return released_table(ReleasedArrays(folder), num_classes, scales)


def _counts(records: list[dict[str, int]]) -> dict[int, int]:
    return dict(Counter(record["label"] for record in records))


def test_rows_become_records_of_the_class_their_label_says(folder: Path) -> None:
    table = _table(folder)
    assert table.num_classes == 3
    assert _counts(table.training) == {0: 12, 1: 12, 2: 9}
    assert _counts(table.validation) == {0: 2, 1: 2, 2: 1}
    assert Counter(record["scale"] for record in table.training) == {1: 11, 2: 11, 3: 11}
    assert {record["scale"] for record in table.validation} == {1}
    assert len({record["id"] for record in table.training + table.validation}) == 38
    assert pattern_boxes(table, "training")[15] == {"id": "train2-1.0-4", "label": 1, "scale": 2, "box": None}


def test_labels_tell_the_class_where_rows_are_in_another_order(folder: Path) -> None:
    labels = np.array([2, 0, 1, 1, 0, 2, 2, 0, 1, 1, 0])
    np.save(folder / LABEL, labels)
    first = [record["label"] for record in _table(folder).training if record["scale"] == 1]
    assert first == labels.tolist()


def test_labels_from_the_number_of_classes_on_are_left_out(folder: Path) -> None:
    table = _table(folder, num_classes=2)
    assert table.num_classes == 2
    assert _counts(table.training) == {0: 12, 1: 12}
    assert _counts(table.validation) == {0: 2, 1: 2}


def test_fewer_resolutions_need_fewer_files(folder: Path) -> None:
    (folder / array_name("train_data2", "1.0")).unlink()
    assert len(_table(folder, scales=1).training) == 11
    with pytest.raises(FileNotFoundError, match=r"train_data2_vwGen_ex_ref_fold1\.0\.npy does not exist"):
        _table(folder)


def test_labels_of_a_second_fold_go_on(folder: Path) -> None:
    write_released(folder, fold="2.0", first_label=3)
    assert ReleasedArrays(folder).folds == ["1.0", "2.0"]
    assert _counts(_table(folder).training) == {0: 12, 1: 12, 2: 9, 3: 12, 4: 12, 5: 9}
    assert _table(folder, num_classes=4).num_classes == 4


def test_folds_that_share_labels_are_refused(folder: Path) -> None:
    write_released(folder, fold="2.0")
    with pytest.raises(ValueError, match=r"folds 1\.0 and 2\.0 .* share the label 0.*keep one fold"):
        _table(folder)


def test_labels_count_on_from_zero(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"labels .* are \[3, 4, 5\]; those below num_classes=44 must count on from 0"):
        _table(write_released(tmp_path, fold="2.0", first_label=3))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_row_is_read_as_float32_and_nothing_else_is(tmp_path: Path, dtype: str) -> None:
    arrays = ReleasedArrays(write_released(tmp_path, dtype))
    record = released_table(arrays, 44).training[5]
    item = pickle.loads(pickle.dumps(ReadBoxd(arrays, CROP)))(record)
    stored = np.load(tmp_path / TRAIN)
    assert stored.dtype == dtype
    assert isinstance(arrays.crops(TRAIN), np.memmap)
    assert item["image"].dtype == torch.float32
    assert item["image"].shape == (1, *CROP)
    assert np.array_equal(item["image"][0].numpy(), stored[5].astype(np.float32))
    assert (item["label"].item(), item["label"].dtype) == (1, torch.int64)
    assert (item["id"], item["scale"]) == ("train1-1.0-5", 1)


def test_another_crop_size_is_resampled(folder: Path) -> None:
    stored = np.load(folder / TRAIN)
    item = ReadBoxd(ReleasedArrays(folder), (8, 16, 16))({"label": 0, "scale": 1, "id": "train1-1.0-0", "box": None})
    assert item["image"].shape == (1, 8, 16, 16)
    assert item["image"].mean().item() == pytest.approx(stored[0].mean(), abs=0.01)


def test_a_part_of_a_crop_and_another_file(folder: Path) -> None:
    arrays, stored = ReleasedArrays(folder), np.load(folder / array_name("val_data1", "1.0"))
    item = ReadBoxd(arrays, (4, 6, 8))({"id": "val1-1.0-3", "box": [[2, 6], [0, 6], [8, 16]]})
    assert np.array_equal(item["image"][0], stored[3, 2:6, :6, 8:].astype(np.float32))
    with pytest.raises(KeyError, match="'scan' names no crop of"):
        ReadBoxd(arrays, CROP)({"id": "scan", "box": None})


def test_arrays_say_what_a_check_before_the_run_asks_for(folder: Path) -> None:
    arrays = ReleasedArrays(folder)
    assert arrays.shapes == [CROP] * 11
    assert np.isnan(arrays.spacings).all()
    assert arrays.crop_size == list(CROP)
    assert arrays.skipped == {}


def test_a_folder_without_arrays_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing holds no train_data1.*dataset_dir"):
        ReleasedArrays(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        (LABEL, np.zeros(12), r"has the shape \(11, 16, 16, 16\), but train_label1\S+ has 12 labels"),
        (LABEL, np.zeros((11, 2)), r"shape \(11, 2\); labels are \(rows,\) or \(rows, 1\)"),
        (LABEL, np.full(11, 0.5), r"the label 0\.5; labels are the integers"),
        (LABEL, np.full(11, np.nan), "the label nan; labels are the integers"),
        (LABEL, np.full(11, -1), "the label -1; labels are the integers"),
        (TRAIN, np.full((11, *CROP), 1.5), r"values from 1\.5 to 1\.5; crops must be in \[0, 1\]"),
        (TRAIN, np.full((11, *CROP), np.nan), r"values from nan to nan; crops must be in \[0, 1\]"),
        (TRAIN, np.zeros((11, *CROP), np.int16), "holds int16 of shape"),
        (TRAIN, np.zeros((11, 16, 16)), r"shape \(11, 16, 16\); crops are"),
        (array_name("train_data2", "1.0"), np.zeros((11, 8, 8, 8)), r"the first crops have the size \[16, 16, 16\]"),
        (array_name("val_label1", "1.0"), np.full(5, 9), "No validation crop .* has one of the 3 labels"),
    ],
)
def test_what_does_not_fit_is_refused(folder: Path, name: str, array: np.ndarray, message: str) -> None:
    np.save(folder / name, array)
    with pytest.raises(ValueError, match=message):
        _table(folder)


@pytest.mark.parametrize("name", [TRAIN, LABEL])
def test_pickled_and_damaged_files_are_refused(folder: Path, name: str) -> None:
    message = rf"{name} is not a plain NumPy array that can be mapped"
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[:-8])
    with pytest.raises(ValueError, match=message):
        _table(folder)
    np.save(folder / name, np.array([{}] * 11), allow_pickle=True)
    with pytest.raises(ValueError, match=message):
        _table(folder)
    (folder / name).write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(ValueError, match=message):
        _table(folder)
    (folder / name).write_bytes(b"")
    with pytest.raises(ValueError, match=message):
        _table(folder)
