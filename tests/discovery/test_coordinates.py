from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.discovery.box_statistics import box_statistics
from monai_sg.discovery.coordinates import choose_anchors, overlap
from monai_sg.discovery.frames import make_frames
from monai_sg.discovery.rules import CoordinateRules
from monai_sg.utils.seeds import generator_for

MakeCache = Callable[..., VolumeCache]
RULES = CoordinateRules(candidates=1024)


def test_overlap_by_hand() -> None:
    anchors = np.asarray([[0.5, 0.5], [0.55, 0.5], [0.55, 0.55], [0.7, 0.5]])
    iou = overlap(anchors[0], anchors, np.asarray([100.0, 100.0]), np.asarray([10.0, 10.0]))
    np.testing.assert_allclose(iou, [1, 50 / 150, 25 / 175, 0])


@pytest.mark.parametrize("frame", ["voxel", "fov", "body", "lung"])
def test_boxes_overlap_little_and_lie_in_the_body(make_cache: MakeCache, frame: str) -> None:
    cache = make_cache([(48, 48, 32), (56, 44, 28)], [(1, 1, 1), (1, 1, 1.2)])
    frames = make_frames(cache, cache.ids, frame, (12, 12, 8))
    rows, anchors = choose_anchors(cache, frames, [1, 0], 20, generator_for(0), RULES)
    assert len(rows) == len(anchors) == 20
    assert rows.tolist() == [1] * 10 + [0] * 10
    units = frames.units[rows]
    for number, anchor in enumerate(anchors):
        smaller = np.minimum(units[number], np.delete(units, number, axis=0))
        assert overlap(anchor, np.delete(anchors, number, axis=0), smaller, frames.crop_units).max() <= 0.5
    for row in (0, 1):
        own = frames.boxes(anchors[rows == row], [row])[0][:, 0]
        share, deviation = box_statistics(cache, cache.ids[row]).measure(own)
        assert share.min() >= 0.5
        assert deviation.min() > 0.01


def test_rejected_places_do_not_use_up_a_reference(make_cache: MakeCache) -> None:
    cache = make_cache([(48, 48, 32)])
    image = np.full((48, 48, 32), -1000, dtype=np.int16)
    image[20:36, 20:36] = np.random.default_rng(0).normal(40, 60, (16, 16, 32))
    np.save(cache.cache_dir / "arrays" / "scan000.npy", image)
    frames = make_frames(cache, cache.ids, "fov", (12, 12, 8))
    rows, anchors = choose_anchors(cache, frames, [0], 6, generator_for(0), RULES)
    assert len(rows) == 6
    centres = frames.boxes(anchors, [0])[0][:, 0].mean(axis=-1)
    assert ((centres[:, :2] > 18) & (centres[:, :2] < 38)).all()


def test_a_reference_without_a_place_leaves_its_share_to_the_others(make_cache: MakeCache) -> None:
    cache = make_cache([(48, 48, 32)] * 2)
    np.save(cache.cache_dir / "arrays" / "scan000.npy", np.full((48, 48, 32), 40, dtype=np.int16))
    frames = make_frames(cache, cache.ids, "fov", (12, 12, 8))
    rows, _ = choose_anchors(cache, frames, [0, 1], 8, generator_for(0), RULES)
    assert rows.tolist() == [1] * 8


def test_fewer_than_asked_is_said_with_the_reason(make_cache: MakeCache, caplog: pytest.LogCaptureFixture) -> None:
    cache = make_cache([(48, 48, 32)])
    frames = make_frames(cache, cache.ids, "body", (24, 24, 16))
    with caplog.at_level(logging.WARNING):
        rows, _ = choose_anchors(cache, frames, [0], 500, generator_for(0), RULES)
    assert 2 <= len(rows) < 500
    assert f"500 classes asked, {len(rows)} fit: a crop covers 24 x 24 x 16 mm" in caplog.text
    assert "in a body box of 42 x 42 x 32 mm" in caplog.text


def test_each_reference_gives_what_was_asked_of_it(make_cache: MakeCache) -> None:
    cache = make_cache([(48, 48, 32)] * 3)
    frames = make_frames(cache, cache.ids, "body", (12, 12, 8))
    rows, _ = choose_anchors(cache, frames, [2, 0], 20, generator_for(0), RULES, per_reference=3)
    assert rows.tolist() == [2, 2, 2, 0, 0, 0]


@pytest.mark.parametrize("crop", [(48, 48, 32), (60, 60, 40)])
def test_no_room_is_an_error_with_the_remedy(make_cache: MakeCache, crop: tuple[int, ...]) -> None:
    cache = make_cache([(48, 48, 32)])
    frames = make_frames(cache, cache.ids, "body", crop)
    with pytest.raises(
        ValueError, match=r"no room for 44 classes: [01] .* body box of 42 x 42 x 32 mm.*smaller crop_size"
    ):
        choose_anchors(cache, frames, [0], 44, generator_for(0), RULES)


def test_the_volume_of_a_reference_is_read_once(make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = make_cache([(48, 48, 32)] * 4)
    read: list[str] = []
    original = VolumeCache.array
    monkeypatch.setattr(VolumeCache, "array", lambda self, name: read.append(name) or original(self, name))
    frames = make_frames(cache, cache.ids, "body", (12, 12, 8))
    choose_anchors(cache, frames, [3, 1], 8, torch.Generator().manual_seed(0), RULES)
    assert read == ["scan003", "scan001"]


AS_RELEASED = CoordinateRules(
    max_iou=1,
    min_body_share=0,
    min_deviation=0,
    candidates=200,
    border=(4, 4, 2),
    min_distance=5,
    max_tissue_share=0.15,
)


def test_one_reference_per_coordinate_and_the_next_one_where_nothing_fits(make_cache: MakeCache) -> None:
    cache = make_cache([(48, 48, 32), (16, 16, 8), (48, 48, 32), (48, 48, 32)])
    np.save(cache.cache_dir / "arrays" / "scan002.npy", np.full((48, 48, 32), 40, dtype=np.int16))
    frames = make_frames(cache, cache.ids, "voxel", (8, 8, 8))
    rows, anchors = choose_anchors(cache, frames, [1, 2], 2, generator_for(0), AS_RELEASED, 1, spare=[3, 0])
    assert rows.tolist() == [3, 0]
    assert (anchors >= [4, 4, 2]).all()
    assert (anchors <= [48 - 4 - 8 - 1, 48 - 4 - 8 - 1, 32 - 2 - 8 - 1 - 3]).all()
    for row, anchor in zip(rows, anchors, strict=True):
        (box,) = frames.boxes([anchor], [row])[0][:, 0]
        crop = cache.read_box(frames.ids[row], box)
        assert (crop >= -150).mean() < 0.15


def test_corners_of_classes_lie_apart(make_cache: MakeCache) -> None:
    cache = make_cache([(40, 40, 24)])
    frames = make_frames(cache, cache.ids, "voxel", (8, 8, 8))
    anywhere = replace(AS_RELEASED, max_tissue_share=1, candidates=4096)
    _, anchors = choose_anchors(cache, frames, [0], 500, generator_for(0), anywhere)
    distances = np.linalg.norm(anchors[:, None] - anchors, axis=-1)[np.triu_indices(len(anchors), 1)]
    assert 5 <= distances.min() < 6
    np.testing.assert_array_equal(np.unique(anchors[:, 2]), np.arange(2, 24 - 2 - 8 - 1 - 3 + 1))


def test_a_border_without_room_names_it(make_cache: MakeCache) -> None:
    cache = make_cache([(48, 48, 32)])
    frames = make_frames(cache, cache.ids, "voxel", (8, 8, 8))
    with pytest.raises(ValueError, match=r"less a border of \[100, 100, 30\] voxels.*smaller crop_size and border"):
        choose_anchors(cache, frames, [0], 2, generator_for(0), replace(AS_RELEASED, border=(100, 100, 30)))
