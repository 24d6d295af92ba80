from __future__ import annotations

import pickle

import numpy as np
import pytest
from monai.transforms import Compose

from monai_sg.data.boxes.random_boxes import RandBodyBoxd, random_boxes
from monai_sg.data.boxes.read import ReadBoxd
from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.data.records import Datalist
from monai_sg.data.seeded import SeededDataset


def _ndim(cache: VolumeCache) -> int:
    return len(cache.entry("near").shape)


def test_there_are_boxes_of_the_cached_images(cache: VolumeCache) -> None:
    records = [{"image": name, "id": name, "patient": name} for name in ("far", "bad", "near")]
    datalist = Datalist(training=records)
    expected = [{"id": name, "box": None} for name in ("far", "far", "near", "near")]
    assert random_boxes(cache, datalist, per_image=2) == expected
    with pytest.raises(ValueError, match="None of the test images"):
        random_boxes(cache, datalist, "test")
    with pytest.raises(ValueError, match="'all' is unknown"):
        random_boxes(cache, datalist, "all")


def test_they_lie_in_the_body_and_cover_the_same_millimetres(cache: VolumeCache) -> None:
    place = RandBodyBoxd(cache, (8,) * _ndim(cache)).set_random_state(0)
    for name in ("near", "far"):
        entry = cache.entry(name)
        boxes = np.asarray([place({"id": name, "box": None})["box"] for _ in range(200)])
        assert (np.diff(boxes)[..., 0] * entry.spacing == 8).all()
        assert (boxes.min(axis=0)[:, 0] == 2).all()
        assert (boxes.max(axis=0)[:, 1] == np.asarray(entry.shape) - 1).all()


def test_one_longer_than_the_body_is_centred_on_it(cache: VolumeCache) -> None:
    size = (8,) * _ndim(cache)
    item = RandBodyBoxd(cache, size, spacing=(1.0,) * len(size))({"id": "small", "box": None})
    assert item["box"] == [[0, 8]] * len(size)
    assert ReadBoxd(cache, size)(item)["image"].shape == (1, *size)


def test_a_place_is_a_function_of_seed_epoch_and_item(cache: VolumeCache) -> None:
    size = (8,) * _ndim(cache)

    def items(seed: int) -> SeededDataset:
        transform = Compose([pickle.loads(pickle.dumps(RandBodyBoxd(cache, size))), ReadBoxd(cache, size)])
        return SeededDataset([{"id": "near", "box": None}] * 3, transform, seed)

    first, again, other = (items(seed) for seed in (5, 5, 6))
    order = [(0, 0), (0, 2), (1, 0), (0, 1)]
    found = {key: first[key]["image"] for key in order}
    assert all(found[key].equal(again[key]["image"]) for key in reversed(order))
    assert len({image.numpy().tobytes() for image in found.values()}) > 1
    assert any(not found[key].equal(other[key]["image"]) for key in order)
