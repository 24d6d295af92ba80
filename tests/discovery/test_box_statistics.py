from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.discovery.box_statistics import box_statistics

MakeCache = Callable[..., VolumeCache]


@pytest.mark.parametrize("shape", [(24, 20), (24, 20, 12)])
def test_tables_equal_direct_statistics(make_cache: MakeCache, shape: tuple[int, ...]) -> None:
    cache = make_cache([shape])
    rng = np.random.default_rng(1)
    starts = rng.integers(0, np.asarray(shape) - 6, (30, len(shape)))
    boxes = np.stack([starts, starts + rng.integers(2, 7, starts.shape)], axis=-1)
    share, deviation = box_statistics(cache, "scan000", (-1000, 1000)).measure(boxes)
    scaled = np.clip((cache.array("scan000").astype(float) + 1000) / 2000, 0, 1)
    direct = [scaled[tuple(slice(*axis) for axis in box)].std() for box in boxes]
    np.testing.assert_allclose(deviation, direct, atol=1e-9)
    assert ((share >= 0) & (share <= 1)).all()


def test_the_window_can_be_that_of_the_image(make_cache: MakeCache) -> None:
    cache = make_cache([(24, 20, 12)])
    boxes = [[[0, 8], [4, 12], [2, 8]], [[8, 16], [0, 20], [0, 12]]]
    _, own = box_statistics(cache, "scan000", "percentile").measure(boxes)
    _, given = box_statistics(cache, "scan000", cache.windows("scan000", "percentile")[0]).measure(boxes)
    _, wide = box_statistics(cache, "scan000", (-9000, 9000)).measure(boxes)
    assert own.tolist() == given.tolist()
    assert (own > 2 * wide).all()


def test_lungs_are_inside_the_body_and_the_corner_is_not(make_cache: MakeCache) -> None:
    cache = make_cache([(48, 48, 16)])
    share, _ = box_statistics(cache, "scan000").measure([[[10, 18], [20, 28], [4, 8]], [[0, 4], [0, 4], [4, 8]]])
    assert share.tolist() == [1.0, 0.0]


def test_what_leaves_the_volume_is_outside_the_body(make_cache: MakeCache) -> None:
    cache = make_cache([(48, 48, 16)])
    share, _ = box_statistics(cache, "scan000").measure([[[20, 28], [20, 28], [-16, 32]]])
    assert share.tolist() == pytest.approx([1 / 3])


def test_a_large_volume_is_sampled(make_cache: MakeCache) -> None:
    cache = make_cache([(300, 40, 8)])
    statistics = box_statistics(cache, "scan000", (-1000, 1000))
    assert statistics.strides.tolist() == [3, 1, 1]
    coarse = np.clip((cache.array("scan000")[::3].astype(float) + 1000) / 2000, 0, 1)
    _, deviation = statistics.measure([[[100, 131], [5, 25], [0, 8]]])
    assert deviation[0] == pytest.approx(coarse[34:44, 5:25, 0:8].std())


def test_a_film_is_inside_its_body_box(make_cache: MakeCache) -> None:
    cache = make_cache([(40, 40)])
    (left, _), (top, _) = cache.entry("scan000").body_box
    share, _ = box_statistics(cache, "scan000").measure([[[left - 2, left + 2], [top, top + 4]]])
    assert share.tolist() == [0.5]
