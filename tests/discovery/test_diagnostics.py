from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
import torch

from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.data.records import Datalist, PatternTable
from monai_sg.discovery.diagnostics import (
    mean_correlation,
    pattern_correlation,
    random_crops,
    sample_crops,
    shared_bits,
)
from monai_sg.discovery.discover import discover
from monai_sg.discovery.embed import Embedding

HU = (-1000.0, 1000.0)


@pytest.fixture(params=[(48, 48), (48, 48, 24)])
def found(
    request: pytest.FixtureRequest,
    make_cache: Callable[..., VolumeCache],
    random_features: Callable[..., Embedding],
    split_ids: Callable[..., Datalist],
) -> tuple[VolumeCache, PatternTable]:
    cache = make_cache([request.param] * 10)
    datalist = split_ids(cache.ids, validation=2)
    crop = (12, 12, 8)[: len(request.param)]
    return cache, discover(cache, datalist, random_features(cache.ids), crop_size=crop, num_classes=5)


def test_correlation_equals_the_mean_over_pairs(found: tuple[VolumeCache, PatternTable]) -> None:
    cache, table = found
    size = tuple(table.grid["crop_size"])
    result = pattern_correlation(cache, table, HU, size=size, patients=3)
    boxes = [(row["id"], row["box"]) for row in table.training if row["label"] == 2 and row["scale"] == 1][:3]
    crops = [cache.read_box(name, box, size).clip(*HU).ravel() for name, box in boxes]
    pairs = [np.corrcoef(first, second)[0, 1] for first, second in combinations(crops, 2)]
    assert result.within[2] == pytest.approx(np.mean(pairs))
    assert result.mean_within == pytest.approx(result.within.mean())
    assert result.labels.tolist() == list(range(5))
    assert result.random.shape == (5,)


def test_random_patients_depend_on_the_seed_and_are_for_training(found: tuple[VolumeCache, PatternTable]) -> None:
    cache, table = found
    first = pattern_correlation(cache, table, HU, patients=3)
    assert np.array_equal(first.random, pattern_correlation(cache, table, HU, patients=3).random)
    assert not np.array_equal(first.random, pattern_correlation(cache, table, HU, patients=3, seed=1).random)
    training = pattern_correlation(cache, table, HU, patients=3, ids=cache.ids[:8])
    assert np.array_equal(first.random, training.random)


def test_constant_crops_have_no_correlation(found: tuple[VolumeCache, PatternTable]) -> None:
    cache, table = found
    result = pattern_correlation(cache, table, (2000.0, 3000.0))
    assert np.isnan(result.within).all()
    assert np.isnan(result.mean_random)


def test_images_are_read_one_after_the_other(
    found: tuple[VolumeCache, PatternTable], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, table = found
    read: list[str] = []
    original = VolumeCache.array
    monkeypatch.setattr(VolumeCache, "array", lambda self, name: read.append(name) or original(self, name))
    sample_crops(cache, table, [0, 1, 2, 3, 4], 3)
    assert read == sorted(read)


def test_sampled_crops_start_with_the_reference(found: tuple[VolumeCache, PatternTable]) -> None:
    cache, table = found
    crops = sample_crops(cache, table, [3, 1], 2)
    assert crops.shape == (2, 2, *table.grid["crop_size"])
    first = next(row for row in table.training if row["label"] == 3)
    assert np.array_equal(crops[0, 0], cache.read_box(first["id"], first["box"], table.grid["crop_size"]))
    with pytest.raises(ValueError, match=r"labels \[9\] are not among the 5"):
        sample_crops(cache, table, [9], 2)


def test_crops_can_be_scaled_by_the_window_of_their_image(found: tuple[VolumeCache, PatternTable]) -> None:
    cache, table = found
    crop = sample_crops(cache, table, [3], 1, "percentile")[0, 0]
    first = next(row for row in table.training if row["label"] == 3)
    low, high = cache.windows(first["id"], "percentile")[0]
    physical = cache.read_box(first["id"], first["box"], table.grid["crop_size"])
    np.testing.assert_allclose(crop, np.clip((physical - low) / (high - low), 0, 1), atol=1e-6)
    drawn = random_crops(cache, table, [3], 2, cache.ids, intensity_range="zscore")
    assert 0 <= drawn.min() < drawn.max() <= 1
    boxes = [(row["id"], row["box"]) for row in table.training if row["label"] == 2 and row["scale"] == 1][:3]
    size = table.grid["crop_size"]
    crops = [cache.read_box(name, box, size).clip(*cache.windows(name, "zscore")[0]).ravel() for name, box in boxes]
    pairs = [np.corrcoef(one, other)[0, 1] for one, other in combinations(crops, 2)]
    result = pattern_correlation(cache, table, "zscore", size=size, patients=3)
    assert result.within[2] == pytest.approx(np.mean(pairs), abs=1e-5)


def test_mean_correlation_is_the_mean_over_pairs() -> None:
    crops = torch.rand(4, 5, 6, 7, generator=torch.Generator().manual_seed(0))
    flat = np.corrcoef(crops.flatten(1).numpy())
    assert np.isclose(mean_correlation(crops), flat[np.triu_indices(4, 1)].mean())
    assert mean_correlation(torch.stack([crops[0], crops[0] * 2 + 1])) == pytest.approx(1)
    assert np.isnan(mean_correlation(crops[:1]))
    assert mean_correlation(torch.stack([crops[0], crops[0], torch.zeros_like(crops[0])])) == pytest.approx(1)


def test_bits_that_label_and_patient_share_by_hand() -> None:
    def table(pairs: list[tuple[int, str]]) -> PatternTable:
        rows = [{"id": name, "label": label, "scale": 1, "box": []} for label, name in pairs]
        return PatternTable(0, "default", {}, "", [{}, {}], rows, [], [])

    same = table([(0, "a"), (0, "b"), (1, "a"), (1, "b")])
    own = table([(0, "a"), (0, "b"), (1, "c"), (1, "d")])
    # b in both, a and c in one each: labels 1 bit, patients 1.5 bits, pairs 2 bits.
    half = table([(0, "a"), (0, "b"), (1, "b"), (1, "c")])
    assert shared_bits(same, {}) == (0, 1)
    assert shared_bits(own, {}) == (1, 1)
    assert shared_bits(half, {}) == (pytest.approx(0.5), 1)
    assert shared_bits(own, {"c": "a", "d": "b"}) == (0, 1)  # two images of each patient


def test_random_crops_are_read_at_the_anchors_of_their_classes(found: tuple[VolumeCache, PatternTable]) -> None:
    cache, table = found
    first = random_crops(cache, table, [0, 1], 3, cache.ids)
    assert first.shape == (2, 3, *table.grid["crop_size"])
    assert np.array_equal(first, random_crops(cache, table, [0, 1], 3, cache.ids))
    assert not np.array_equal(first, random_crops(cache, table, [0, 1], 3, cache.ids, seed=1))
