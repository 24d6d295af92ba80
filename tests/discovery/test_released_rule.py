from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.discovery.released_rule import corner_range, tissue_share

MakeCache = Callable[..., VolumeCache]


def test_corners_of_a_chest_of_luna_as_published() -> None:
    low, high = corner_range(np.asarray([512, 512, 300]), np.asarray([64, 64, 32]), (100, 100, 30))
    assert low.tolist() == [100, 100, 30]
    assert high.tolist() == [512 - 165, 512 - 165, 300 - 66]
    assert corner_range(np.asarray([264, 265, 96]), np.asarray([64, 64, 32]), low.tolist())[1].tolist() == [99, 100, 30]


def test_corners_of_a_film_have_no_next_slice() -> None:
    _, high = corner_range(np.asarray([64, 48]), np.asarray([16, 16]), (8, 8))
    assert high.tolist() == [64 - 8 - 16 - 1, 48 - 8 - 16 - 1]


def test_share_of_tissue_by_hand(make_cache: MakeCache) -> None:
    cache = make_cache([(4, 4, 4)])
    image = np.full((4, 4, 4), -1000, dtype=np.int16)
    image[0, 0, 2] = -150  # counts 1 in its slice, 1/2 in the one before
    image[1, 1, 3] = 40
    np.save(cache.cache_dir / "arrays" / "scan000.npy", image)
    boxes = np.asarray([[[0, 2], [0, 2], [0, 2]], [[0, 2], [0, 2], [1, 3]], [[0, 4], [0, 4], [2, 4]], [[2, 4]] * 3])
    np.testing.assert_allclose(tissue_share(cache, "scan000", boxes, -150), [0.5 / 8, 2 / 8, 2.5 / 32, 0])


@pytest.mark.parametrize("shape", [(24, 20), (24, 20, 16)])
def test_many_boxes_at_once_are_as_one_by_one(make_cache: MakeCache, shape: tuple[int, ...]) -> None:
    cache = make_cache([shape])
    corners = np.random.default_rng(0).integers(0, np.asarray(shape) - 7, (20, len(shape)))
    boxes = np.stack([corners, corners + 6], axis=-1)
    values = cache.array("scan000") >= -150
    expected = []
    for box in boxes:
        here = values[tuple(slice(*ends) for ends in box)]
        ahead = values[(*(slice(*ends) for ends in box[:2]), slice(*(box[2] + 1)))] if len(shape) == 3 else here
        expected.append((here + 0.5 * (ahead & ~here)).mean())
    np.testing.assert_allclose(tissue_share(cache, "scan000", boxes, -150), expected)
