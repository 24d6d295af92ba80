from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from monai_sg.data.cache.index import CacheEntry
from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.data.crops.patterns import RandBoxd, ReadPatternd, pattern_records, random_box_records
from monai_sg.data.records import Datalist, PatternTable

SHAPES = {"near": (40, 30, 20), "far": (20, 30, 20), "small": (6, 6, 6)}


def _cache(folder: Path, ndim: int = 3) -> VolumeCache:
    (folder / "arrays").mkdir()
    entries = {}
    for name, full in SHAPES.items():
        shape = full[:ndim]
        np.save(folder / "arrays" / f"{name}.npy", np.arange(np.prod(shape)).reshape(shape).astype(np.int16) - 1000)
        entries[name] = CacheEntry(
            key=name,
            id=name,
            source=name,
            shape=shape,
            spacing=(2.0 if name == "far" else 1.0, 1.0, 1.0)[:ndim],
            affine=np.eye(4).tolist(),
            dtype="int16",
            scale=1.0,
            offset=0.0,
            minimum=-1000.0,
            body_box=[[2, length - 1] for length in shape],
            lung_box=None,
        )
    return VolumeCache(folder, entries, {"bad": "is cut off"})


@pytest.fixture(params=[2, 3])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> VolumeCache:
    return _cache(tmp_path, request.param)


@pytest.fixture
def table() -> PatternTable:
    row = {"id": "near", "label": 3, "scale": 2, "box": [[4, 12], [5, 13], [6, 10]]}
    return PatternTable(0, "default", {}, "", [], training=[row], validation=[])


def test_a_record_becomes_a_crop_with_its_label(tmp_path: Path, table: PatternTable) -> None:
    cache = _cache(tmp_path)
    (record,) = pattern_records(table)
    item = ReadPatternd(cache, (8, 8, 4))(record)
    assert item["image"].shape == (1, 8, 8, 4)
    assert item["image"].dtype == torch.float32
    assert item["label"].dtype == torch.int64
    assert (item["label"].item(), item["id"], item["scale"]) == (3, "near", 2)
    assert item["image"][0].numpy().tolist() == cache.array("near")[4:12, 5:13, 6:10].tolist()


def test_other_boxes_are_resampled_to_the_crop(cache: VolumeCache) -> None:
    ndim = len(cache.entry("near").shape)
    record = {"id": "near", "label": 0, "scale": 3, "box": [[-3, 9]] * ndim}
    image = ReadPatternd(cache, (8,) * ndim)(record)["image"]
    assert image.shape == (1,) + (8,) * ndim
    assert torch.isfinite(image).all()


def test_records_are_copies_and_need_boxes(table: PatternTable) -> None:
    pattern_records(table)[0]["label"] = 9
    assert table.training[0]["label"] == 3
    with pytest.raises(ValueError, match="no validation boxes"):
        pattern_records(table, "validation")
    with pytest.raises(ValueError, match="'train' is unknown"):
        pattern_records(table, "train")


def test_random_records_are_the_cached_images(cache: VolumeCache) -> None:
    records = [{"image": name, "id": name, "patient": name} for name in ("far", "bad", "near")]
    datalist = Datalist(training=records)
    assert random_box_records(cache, datalist, per_image=2) == [{"id": name} for name in ("far", "far", "near", "near")]
    with pytest.raises(ValueError, match="None of the test images"):
        random_box_records(cache, datalist, "test")


def test_random_boxes_lie_in_the_body_and_cover_the_same_millimetres(cache: VolumeCache) -> None:
    ndim = len(cache.entry("near").shape)
    read = RandBoxd(cache, (8,) * ndim).set_random_state(0)
    for name in ("near", "far"):
        entry = cache.entry(name)
        boxes = np.asarray([read({"id": name})["box"] for _ in range(200)])
        assert (np.diff(boxes)[..., 0] * entry.spacing == 8).all()
        assert (boxes.min(axis=0)[:, 0] == 2).all()
        assert (boxes.max(axis=0)[:, 1] == np.asarray(entry.shape) - 1).all()


def test_a_box_longer_than_the_body_is_centred_on_it(cache: VolumeCache) -> None:
    ndim = len(cache.entry("small").shape)
    item = RandBoxd(cache, (8,) * ndim, spacing=(1.0,) * ndim)({"id": "small"})
    assert item["box"] == [[0, 8]] * ndim
    assert item["image"].shape == (1,) + (8,) * ndim


def test_the_same_state_draws_the_same_boxes(cache: VolumeCache) -> None:
    ndim = len(cache.entry("near").shape)
    first, second = (RandBoxd(cache, (8,) * ndim).set_random_state(5) for _ in range(2))
    for _ in range(3):
        one, other = first({"id": "near"}), second({"id": "near"})
        assert one["box"] == other["box"]
        assert torch.equal(one["image"], other["image"])


def test_transforms_travel_to_worker_processes(cache: VolumeCache) -> None:
    ndim = len(cache.entry("near").shape)
    read = pickle.loads(pickle.dumps(RandBoxd(cache, (8,) * ndim)))
    assert read({"id": "near"})["image"].shape == (1,) + (8,) * ndim


def test_records_are_made_in_a_bundle(table: PatternTable, tmp_path: Path) -> None:
    parser = ConfigParser(
        {
            "table": {
                "_target_": "monai_sg.data.records.PatternTable.load",
                "path": str(table.save(tmp_path / "patterns.json")),
            },
            "data": {
                "_target_": "monai_sg.data.crops.patterns.pattern_records",
                "table": "@table",
                "split": "training",
            },
        }
    )
    assert parser.get_parsed_content("data") == table.training
