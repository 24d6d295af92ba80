from __future__ import annotations

import logging
from pathlib import Path

import nibabel
import numpy as np
import pytest

from monai_sg.data.boxes import label_map_boxes
from monai_sg.data.boxes.label_map_boxes import boxes_from_labels
from monai_sg.data.cache.opening import open_cache
from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.data.records import Datalist

SHAPE = (40, 36, 24)
ORGAN = (slice(4, 12), slice(6, 14), slice(8, 14))
TURNED = np.diag([-2.0, -2.0, 2.0, 1.0])  # LPS: the cache turns the first two axes


def write(path: Path, array: np.ndarray, affine: np.ndarray = TURNED) -> None:
    path.parent.mkdir(exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array, affine), path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make four bodies, in each a bright organ with its label map; one map is empty, one file is broken."""
    for number in range(4):
        image = np.full(SHAPE, -1000, np.int16)
        image[2:38, 3:33] = 40
        image[ORGAN] = 300
        write(tmp_path / "images" / f"case{number}.nii.gz", image)
        label = np.zeros(SHAPE, np.uint8)
        label[ORGAN] = 0 if number == 2 else 2
        write(tmp_path / "labels" / f"case{number}.nii.gz", label)
    (tmp_path / "labels" / "case3.nii.gz").write_bytes(b"broken")
    return tmp_path


@pytest.fixture
def datalist() -> Datalist:
    records = [
        {"image": f"images/case{n}.nii.gz", "label": f"labels/case{n}.nii.gz", "id": f"case{n}", "patient": f"case{n}"}
        for n in range(4)
    ]
    return Datalist(training=records[:1] + records[2:], test=records[1:2])


def cached(datalist: Datalist, folder: Path, spacing: list[float] | None = None) -> VolumeCache:
    return open_cache(datalist, folder, folder / "cache", spacing, progress=False)


@pytest.mark.parametrize("spacing", [None, [3.0, 3.0, 3.0]])
def test_foreground_boxes_have_an_organ_in_the_middle_and_background_boxes_have_none(
    folder: Path, datalist: Datalist, spacing: list[float] | None, caplog: pytest.LogCaptureFixture
) -> None:
    cache = cached(datalist, folder, spacing)
    with caplog.at_level(logging.WARNING):
        found = boxes_from_labels(datalist, folder, cache, (8, 8, 4), per_image=6, progress=False)
    assert found.crop_size == (8, 8, 4)
    assert {item["id"] for item in found.training} == {"case0"}
    assert {item["id"] for item in found.test} == {"case1"}
    for items in (found.training, found.test):
        assert sorted(item["label"] for item in items) == [0] * 6 + [1] * 6
    for item in found.items:
        assert item["box"] is not None
        box = [[start + (stop - start) // 4, stop - (stop - start) // 4] for start, stop in item["box"]]
        assert all(0 <= start < stop <= edge for (start, stop), edge in zip(item["box"], cache.shapes[0], strict=True))
        central = cache.read_box(item["id"], box)
        assert bool((central > 150).any()) == bool(item["label"])
        assert central.max() > 0, "the middle of a box is in the body"
    assert "labels/case2.nii.gz has no foreground that lies on its image" in caplog.text
    assert "labels/case3.nii.gz is not a NIfTI file" in caplog.text


def test_the_boxes_of_an_image_depend_on_seed_and_id_only(folder: Path, datalist: Datalist) -> None:
    cache = cached(datalist, folder)

    def draw(records: Datalist, seed: int) -> list[object]:
        found = boxes_from_labels(records, folder, cache, (8, 8, 4), 2, seed=seed, progress=False)
        return [item for item in found.items if item["id"] == "case1"]

    assert draw(datalist, 0) == draw(Datalist(training=datalist.test), 0)
    assert draw(datalist, 0) != draw(datalist, 1)


def test_boxes_cover_the_same_millimetres(folder: Path, datalist: Datalist) -> None:
    cache = cached(datalist, folder)
    found = boxes_from_labels(datalist, folder, cache, (8, 8, 4), 1, spacing=(4.0, 2.0, 2.0), progress=False)
    assert {tuple(stop - start for start, stop in item["box"] or []) for item in found.items} == {(16, 8, 4)}


def test_foreground_has_no_holes_where_the_cache_is_finer_than_the_map(tmp_path: Path) -> None:
    image = np.full((20, 20, 20), 100, np.int16)
    image[:10] = 200
    image[:, :5] = 0
    write(tmp_path / "images" / "a.nii.gz", image)
    write(tmp_path / "labels" / "a.nii.gz", (image == 200).astype(np.uint8))
    record = {"image": "images/a.nii.gz", "label": "labels/a.nii.gz", "id": "a", "patient": "a"}
    datalist = Datalist(training=[record])
    cache = cached(datalist, tmp_path, [0.6, 0.6, 0.6])
    found = boxes_from_labels(datalist, tmp_path, cache, (1, 1, 1), per_image=80, progress=False)
    values = [
        float(cache.read_box("a", item["box"]).max()) for item in found.items if item["label"] == 0 and item["box"]
    ]
    assert len(values) > 20
    assert max(values) < 180, "no background box lies in the organ"


def test_only_boxes_that_are_asked_for_are_laid(
    folder: Path, datalist: Datalist, monkeypatch: pytest.MonkeyPatch
) -> None:
    laid: list[int] = []
    fit_boxes = label_map_boxes.fit_boxes

    def counted(centres: np.ndarray, *more: object) -> object:
        laid.append(np.atleast_2d(centres).shape[0])
        return fit_boxes(centres, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(label_map_boxes, "fit_boxes", counted)
    found = boxes_from_labels(datalist, folder, cached(datalist, folder), (8, 8, 4), 2, progress=False)
    assert len(found.items) == 8
    assert sum(laid) < 40


def test_no_usable_label_map_is_said(folder: Path, datalist: Datalist) -> None:
    empty = Datalist(training=[datalist.training[1]])
    with pytest.raises(ValueError, match="None of the 1 label maps"):
        boxes_from_labels(empty, folder, cached(empty, folder), (8, 8, 4), progress=False)


def test_no_room_for_background_is_said_with_the_size_of_the_box(folder: Path, datalist: Datalist) -> None:
    label = np.ones(SHAPE, np.uint8)
    label[0, 0, 0] = 0
    for number in (0, 1):
        write(folder / "labels" / f"case{number}.nii.gz", label)
    with pytest.raises(
        ValueError, match=r"No background box of \[8, 8, 4\] voxels \(16 x 16 x 8 mm\) fits into the 1 .*"
    ):
        boxes_from_labels(datalist, folder, cached(datalist, folder), (8, 8, 4), progress=False)


def test_a_label_map_beside_its_image_is_left_out(
    folder: Path, datalist: Datalist, caplog: pytest.LogCaptureFixture
) -> None:
    moved = TURNED.copy()
    moved[:3, 3] = 500.0
    write(folder / "labels" / "case0.nii.gz", np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(np.uint8), moved)
    found = boxes_from_labels(datalist, folder, cached(datalist, folder), (8, 8, 4), progress=False)
    assert {item["id"] for item in found.items} == {"case1"}
    assert "no foreground that lies on its image" in caplog.text


def test_masks_of_pictures_are_read(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(1, 100, (40, 32)).astype(np.int16)
    image[20:28, 8:16] = 255
    (tmp_path / "labels").mkdir()
    np.save(tmp_path / "a.npy", image)
    np.save(tmp_path / "labels" / "a.npy", (image == 255).astype(np.uint8))
    datalist = Datalist(training=[{"image": "a.npy", "label": "labels/a.npy", "id": "a", "patient": "a"}])
    found = boxes_from_labels(datalist, tmp_path, cached(datalist, tmp_path), (8, 8), progress=False)
    assert [item["label"] for item in found.items] == [0] * 4 + [1] * 4
    assert all(image[start[0] : start[1], stop[0] : stop[1]].max() == 255 for start, stop in _boxes(found.items, 1))


def _boxes(items: tuple[object, ...], label: int) -> list[list[list[int]]]:
    return [item["box"] for item in items if item["label"] == label]  # type: ignore[attr-defined]
