from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import pytest

from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.discovery.frames import choose_frame, make_frames

MakeCache = Callable[..., VolumeCache]


def test_the_centre_of_the_field_of_view_is_the_same_place_in_every_image(make_cache: MakeCache) -> None:
    cache = make_cache([(40, 40, 20), (20, 20, 20)], [(1.0, 1.0, 1.0), (2.0, 2.0, 1.0)])
    frames = make_frames(cache, cache.ids, "fov", (16, 16, 8))
    assert frames.grid.tolist() == [1.5, 1.5, 1.0]
    assert frames.crop_mm.tolist() == [24, 24, 8]
    assert frames.sizes.tolist() == [[24, 24, 8], [12, 12, 8]]
    boxes, padded = frames.boxes([[0.5, 0.5, 0.5]], [0, 1])
    assert boxes.tolist() == [[[[8, 32], [8, 32], [6, 14]], [[4, 16], [4, 16], [6, 14]]]]
    assert not padded.any()


def test_a_body_coordinate_follows_the_body(make_cache: MakeCache) -> None:
    cache = make_cache([(40, 40, 20), (48, 40, 20)])
    frames = make_frames(cache, cache.ids, "body", (8, 8, 4))
    starts = np.asarray([[start for start, _ in cache.entry(name).body_box] for name in cache.ids])
    boxes, _ = frames.boxes([[0.0, 0.5, 0.5]], [0, 1])
    assert boxes[0, :, 0].mean(axis=1).tolist() == np.maximum(starts[:, 0], 4).tolist()


def test_a_voxel_coordinate_is_the_corner(make_cache: MakeCache) -> None:
    cache = make_cache([(40, 40, 20)])
    frames = make_frames(cache, cache.ids, "voxel", (9, 8, 4))
    assert frames.boxes([[3, 5, 7]], [0])[0].tolist() == [[[[3, 12], [5, 13], [7, 11]]]]
    low, high = frames.anchor_range(0)
    assert (low.tolist(), high.tolist()) == ([0, 0, 0], [31, 32, 16])


def test_anchors_of_the_range_need_no_shift(make_cache: MakeCache) -> None:
    cache = make_cache([(40, 40, 6)])
    frames = make_frames(cache, cache.ids, "fov", (16, 16, 8))
    low, high = frames.anchor_range(0)
    np.testing.assert_allclose(low, [0.2, 0.2, 0.5])
    np.testing.assert_allclose(high, [0.8, 0.8, 0.5])
    boxes, padded = frames.boxes([low, high], [0])
    assert boxes[:, 0, 0].tolist() == [[0, 16], [24, 40]]
    assert boxes[:, 0, 2].tolist() == [[-1, 7]] * 2
    assert padded.all()


@pytest.mark.parametrize(("without_lungs", "expected"), [(1, "lung"), (2, "body")])
def test_auto_takes_lungs_where_nine_of_ten_have_them(make_cache: MakeCache, without_lungs: int, expected: str) -> None:
    cache = make_cache([(16, 16, 8)] * 10, without_lungs=without_lungs)
    assert choose_frame(cache, cache.ids) == expected


def test_films_have_a_body_frame(make_cache: MakeCache) -> None:
    cache = make_cache([(32, 32)] * 3)
    assert choose_frame(cache, cache.ids) == "body"
    assert make_frames(cache, cache.ids, "body", (8, 8)).starts.shape == (3, 2)


def test_an_image_without_the_box_is_left_out(make_cache: MakeCache, caplog: pytest.LogCaptureFixture) -> None:
    cache = make_cache([(16, 16, 8)] * 3, without_lungs=1)
    with caplog.at_level(logging.WARNING):
        frames = make_frames(cache, cache.ids, "lung", (8, 8, 4))
    assert frames.ids == ["scan001", "scan002"]
    assert frames.rows(["scan002"]).tolist() == [1]
    assert "1 images without a lung box" in caplog.text


def test_refuses_an_unknown_frame_and_a_crop_of_other_axes(make_cache: MakeCache) -> None:
    cache = make_cache([(16, 16, 8)])
    with pytest.raises(ValueError, match="'heart' is unknown"):
        choose_frame(cache, cache.ids, "heart")
    with pytest.raises(ValueError, match="scan000 has 3 axes"):
        make_frames(cache, cache.ids, "fov", (8, 8))
