from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.discovery.frames import make_frames
from monai_sg.discovery.instances import class_rows, pattern_rows
from monai_sg.utils.seeds import generator_for

MakeCache = Callable[..., VolumeCache]


@pytest.mark.parametrize("shape", [(256, 256), (256, 256, 64)])
def test_resolutions_vary_in_plane_only(make_cache: MakeCache, shape: tuple[int, ...]) -> None:
    cache = make_cache([shape])
    crop = (64, 64, 32)[: len(shape)]
    frames = make_frames(cache, cache.ids, "fov", crop)
    anchors = np.full((300, len(shape)), 0.5)
    rows = pattern_rows(frames, anchors, np.zeros((300, 1), dtype=np.int64), 3, generator_for(0))
    assert [row["scale"] for row in rows] == [1, 2, 3] * 300
    exact = np.asarray([row["box"] for row in rows if row["scale"] == 1])
    assert (exact == np.asarray([[96, 160], [96, 160], [16, 48]])[: len(shape)]).all()
    boxes = np.asarray([row["box"] for row in rows if row["scale"] > 1])
    edges, shifts = np.diff(boxes)[..., 0], boxes.mean(axis=-1) - exact[0].mean(axis=-1)
    assert set(edges[:, 0]) == set(range(50, 80))
    assert (edges[:, 0] == edges[:, 1]).all()
    assert (shifts[:, 0] != shifts[:, 1]).any()
    assert shifts[:, :2].min() == -10
    assert shifts[:, :2].max() <= 9.5
    if len(shape) == 3:
        assert (boxes[:, 2] == [16, 48]).all()


def test_rows_come_by_label_neighbour_and_resolution(make_cache: MakeCache) -> None:
    cache = make_cache([(32, 32, 16)] * 3)
    frames = make_frames(cache, cache.ids, "fov", (8, 8, 4))
    rows = pattern_rows(frames, np.full((2, 3), 0.5), np.asarray([[2, 0], [1, 2]]), 2, generator_for(0))
    assert [(row["label"], row["id"][-1], row["scale"]) for row in rows] == [
        *((0, "2", 1), (0, "2", 2), (0, "0", 1), (0, "0", 2)),
        *((1, "1", 1), (1, "1", 2), (1, "2", 1), (1, "2", 2)),
    ]


def test_only_boxes_that_leave_a_small_volume_are_padded(make_cache: MakeCache) -> None:
    cache = make_cache([(32, 32, 16), (32, 32, 6)])
    frames = make_frames(cache, cache.ids, "fov", (8, 8, 8))
    rows = pattern_rows(frames, np.asarray([[0.1, 0.9, 0.9]]), np.asarray([[0, 1]]), 3, generator_for(0))
    for row in rows:
        shape = cache.entry(row["id"]).shape
        leaves = any(start < 0 or stop > length for (start, stop), length in zip(row["box"], shape, strict=True))
        assert row.get("padded", False) == leaves == (row["id"] == "scan001")


def test_classes_name_their_neighbours(make_cache: MakeCache) -> None:
    cache = make_cache([(32, 32, 16)] * 2)
    frames = make_frames(cache, cache.ids, "fov", (8, 8, 4))
    rows = class_rows(
        frames, np.asarray([1]), np.full((1, 3), 0.25), np.asarray([[0, 1.23456789]]), np.asarray([[1, 0]])
    )
    neighbours = [["scan001", 0.0], ["scan000", 1.23457]]
    assert rows == [{"label": 0, "reference": "scan001", "anchor": [0.25] * 3, "neighbours": neighbours}]


@pytest.mark.parametrize("shape", [(256, 256), (256, 256, 64)])
def test_released_resolutions_move_the_corner(make_cache: MakeCache, shape: tuple[int, ...]) -> None:
    cache = make_cache([shape, shape], [(1.0,) * len(shape), (2.0,) * len(shape)])
    frames = make_frames(cache, cache.ids, "voxel", (64, 64, 32)[: len(shape)])
    anchors = np.full((200, len(shape)), 20)
    rows = pattern_rows(frames, anchors, np.tile([0, 1], (200, 1)), 3, generator_for(0))
    assert all(row["box"] == [[20, 84], [20, 84], [20, 52]][: len(shape)] for row in rows if row["scale"] == 1)
    boxes = np.asarray([row["box"] for row in rows if row["scale"] > 1])
    assert set(boxes[:, :2, 0].ravel()) == set(range(10, 30))
    assert set(np.diff(boxes)[:, 0, 0]) == set(range(50, 80))
    if len(shape) == 3:
        assert (boxes[:, 2] == [20, 52]).all()
