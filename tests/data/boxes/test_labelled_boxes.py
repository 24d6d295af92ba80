from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from monai_sg.data.boxes.box import Box
from monai_sg.data.boxes.labelled_boxes import LabelledBoxes, read_labelled_boxes
from monai_sg.data.cache.index import CacheEntry
from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.data.records import Datalist, PatternTable

NAMES = ("a", "b", "c", "d")
BAD = "e"


def make_cache(folder: Path, num_axes: int = 3) -> VolumeCache:
    shape = (20, 16, 12)[:num_axes]
    entries = {
        name: CacheEntry(
            key=name,
            id=name,
            source=(name,),
            shape=shape,
            spacing=(1.0,) * num_axes,
            affine=np.eye(4).tolist(),
            dtype="int16",
            scales=(1.0,),
            offsets=(0.0,),
            minima=(-1000.0,),
            body_box=[[0, length] for length in shape],
            lung_box=None,
        )
        for name in NAMES
    }
    return VolumeCache(folder, entries, {BAD: "is cut off"})


@pytest.fixture
def cache(tmp_path: Path) -> VolumeCache:
    return make_cache(tmp_path)


@pytest.fixture
def datalist() -> Datalist:
    records = [
        {"image": name, "id": name, "patient": f"p{'ab'.find(name)}" if name in "ab" else name} for name in "abcde"
    ]
    return Datalist(training=records[:2], validation=records[2:3], test=records[3:])


def write(folder: Path, text: str) -> Path:
    path = folder / "boxes.csv"
    path.write_text(text)
    return path


def test_boxes_of_training_patients_train_and_the_others_measure(
    cache: VolumeCache, datalist: Datalist, tmp_path: Path
) -> None:
    text = (
        "\ufeffID, label,x0,x1,y0,y1,z0,z1\na,10,0,8,0,8,0,4\nb,9,1,9,1,9,1,5\nc,10,2,20,2,16,2,12\nd,9,0,8,0,8,0,4\n"
    )
    found = read_labelled_boxes(write(tmp_path, text), cache, datalist)
    assert found.classes == ("9", "10"), "whole numbers come in their order"
    assert found.training == (
        Box(id="a", label=1, box=[[0, 8], [0, 8], [0, 4]]),
        Box(id="b", label=0, box=[[1, 9], [1, 9], [1, 5]]),
    )
    assert [item["id"] for item in found.test] == ["c", "d"]
    assert not found.of_whole_images
    found.check_classes()


def test_without_box_columns_labels_are_of_whole_images(cache: VolumeCache, datalist: Datalist, tmp_path: Path) -> None:
    found = read_labelled_boxes(write(tmp_path, "id,label\na,sick\nb,well\nc,sick\n"), cache, datalist)
    assert found.of_whole_images
    assert found.classes == ("sick", "well")
    assert found.training == (Box(id="a", label=0, box=None), Box(id="b", label=1, box=None))


def test_pictures_have_boxes_of_two_axes(datalist: Datalist, tmp_path: Path) -> None:
    path = write(tmp_path, "id,label,x0,x1,y0,y1\na,0,0,8,0,16\n")
    assert read_labelled_boxes(path, make_cache(tmp_path, 2), datalist).items == (
        Box(id="a", label=0, box=[[0, 8], [0, 16]]),
    )


def test_a_column_split_wins_over_the_data_list(cache: VolumeCache, datalist: Datalist, tmp_path: Path) -> None:
    found = read_labelled_boxes(write(tmp_path, "id,label,split\na,0,test\nc,1,training\n"), cache, datalist)
    assert [item["id"] for item in found.training] == ["c"]
    assert [item["id"] for item in found.test] == ["a"]


def test_what_was_saved_is_read_again(cache: VolumeCache, datalist: Datalist, tmp_path: Path) -> None:
    boxes = (Box(id="a", label=1, box=[[0, 8], [0, 8], [0, 4]]), Box(id="b", label=0, box=[[1, 9], [1, 9], [1, 5]]))
    for made in (
        LabelledBoxes(("no", "yes"), training=boxes[1:], test=boxes[:1]),
        LabelledBoxes(("no", "yes"), (Box(id="c", label=0, box=None),), (Box(id="a", label=1, box=None),)),
    ):
        assert read_labelled_boxes(made.save(tmp_path / "boxes.csv"), cache, datalist) == made


def test_boxes_of_an_unreadable_image_are_left_out(
    cache: VolumeCache, datalist: Datalist, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found = read_labelled_boxes(write(tmp_path, "id,label\na,0\nd,1\ne,1\n"), cache, datalist)
    assert [item["id"] for item in found.items] == ["a", "d"]
    assert "1 of 2 boxes" in caplog.text
    with pytest.raises(ValueError, match="no box of an image that can be read"):
        read_labelled_boxes(write(tmp_path, "id,label\ne,1\n"), cache, datalist)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,class\na,1\n", r"no column 'label'.* It has id, class"),
        ("", "no column 'id'"),
        ("id,label,x0,x1,y0,y1\na,1,0,8,0,8\n", "no column 'z0'"),
        ("id,label\na,1\nx,0\n", r"Line 3 of .* names the image 'x', which is none of the 5 images; ids look like 'a'"),
        ("id,label\na,\n", "Line 2 of .* has no label"),
        ("id,label\na,0\na,1\n", "lists an image more than once"),
        ("id,label,split\na,0,validation\n", "split 'validation'; say training or test"),
        ("id,label,x0,x1,y0,y1,z0,z1\na,1,0,8,0,8,0,x\n", "Line 2 .* whole numbers"),
        ("id,label,x0,x1,y0,y1,z0,z1\na,1,0,8,0,8\n", r"row 2, has fewer cells than the 8 columns"),
        ("id,label,x0,x1,y0,y1,z0,z1\na,1,0,8,0,8,0,13\n", r"Line 2 .* outside of the image of \[20, 16, 12\] voxels"),
        ("id,label,x0,x1,y0,y1,z0,z1\na,1,-1,8,0,8,0,4\n", "outside of the image"),
        ("id,label,x0,x1,y0,y1,z0,z1\na,1,8,8,0,8,0,4\n", "outside of the image"),
    ],
)
def test_a_bad_table_gives_a_sentence(
    cache: VolumeCache, datalist: Datalist, tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        read_labelled_boxes(write(tmp_path, text), cache, datalist)


def test_a_patient_is_in_one_split(cache: VolumeCache, tmp_path: Path) -> None:
    records = [{"image": name, "id": name, "patient": "twice"} for name in "ab"]
    path = write(tmp_path, "id,label,split\na,0,training\nb,1,test\n")
    with pytest.raises(ValueError, match=r"patient twice in training and in test \(line 3\)"):
        read_labelled_boxes(path, cache, Datalist(training=records))


def test_an_absent_file_is_named(cache: VolumeCache, datalist: Datalist, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.csv"):
        read_labelled_boxes(tmp_path / "absent.csv", cache, datalist)


def test_one_class_only_is_refused() -> None:
    one, other = Box(id="a", label=0, box=None), Box(id="b", label=1, box=None)
    LabelledBoxes(("no", "yes"), (one, other), (other, one)).check_classes()
    with pytest.raises(ValueError, match="training boxes of at least two classes; the 1 there are have the class no"):
        LabelledBoxes(("no", "yes"), (one,), (one, other)).check_classes()
    with pytest.raises(ValueError, match="test boxes of at least two classes; the 0 there are have the class none"):
        LabelledBoxes(("no", "yes"), (one, other), ()).check_classes()


def row(name: str, label: int, scale: int = 1, **more: object) -> dict[str, object]:
    return {"id": name, "label": label, "scale": scale, "box": [[0, 8], [0, 8], [0, 4]], **more}


def patterns(folder: Path, **splits: list[dict[str, object]]) -> Path:
    classes = [{"label": 0}, {"label": 1}]
    table = PatternTable(0, "default", {"crop_size": [8, 8, 4]}, "", classes, **{"validation": [], **splits})  # type: ignore[arg-type]
    return table.save(folder / "patterns.json")


def test_exact_training_boxes_of_patterns_train_and_test_boxes_measure(
    cache: VolumeCache, datalist: Datalist, tmp_path: Path
) -> None:
    training = [row("a", 0), row("a", 0, scale=2, box=[[0, 12], [0, 12], [0, 6]]), row("b", 1)]
    splits = {"training": training, "validation": [row("c", 1)], "test": [row("d", 0)]}
    found = read_labelled_boxes(patterns(tmp_path, **splits), cache, datalist)
    assert found.classes == ("0", "1")
    assert found.crop_size == (8, 8, 4)
    assert [(item["id"], item["label"]) for item in found.training] == [("a", 0), ("b", 1)]
    assert [item["id"] for item in found.test] == ["d"]
    splits["test"] = []
    assert [item["id"] for item in read_labelled_boxes(patterns(tmp_path, **splits), cache, datalist).test] == ["c"]


def test_boxes_of_patterns_on_another_grid_are_refused(cache: VolumeCache, datalist: Datalist, tmp_path: Path) -> None:
    outside = row("a", 0, box=[[-2, 6], [0, 8], [0, 4]])
    with pytest.raises(ValueError, match="at the same spacing"):
        read_labelled_boxes(patterns(tmp_path, training=[outside]), cache, datalist)
    found = read_labelled_boxes(patterns(tmp_path, training=[{**outside, "padded": True}]), cache, datalist)
    assert found.items[0]["box"] == [[-2, 6], [0, 8], [0, 4]]
