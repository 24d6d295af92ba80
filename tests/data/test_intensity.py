from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from monai_sg.data import intensity
from monai_sg.data.intensity import checked_range, intensity_window, scaled


def _image(foreground: np.ndarray, ndim: int) -> np.ndarray:
    """Return values beside as much background of value 0, in 2 or 3 axes."""
    return np.stack([foreground, np.zeros_like(foreground)]).reshape((2, -1, 10, 10)[:ndim] if ndim > 2 else (2, -1))


@pytest.mark.parametrize("ndim", [2, 3])
def test_percentiles_are_those_of_the_foreground(ndim: int) -> None:
    image = _image(np.random.default_rng(0).permutation(np.arange(1, 1001)), ndim)
    assert intensity_window(image, "percentile") == pytest.approx((1 + 0.005 * 999, 1 + 0.995 * 999))


@pytest.mark.parametrize("ndim", [2, 3])
def test_z_scores_are_those_of_the_foreground(ndim: int) -> None:
    image = _image(np.repeat([1.0, 3.0], 500), ndim)
    assert intensity_window(image, "zscore") == pytest.approx((2 - 3, 2 + 3))


@pytest.mark.parametrize("mode", intensity.MODES)
def test_images_that_differ_in_scale_look_alike(mode: str) -> None:
    image = np.random.default_rng(0).gamma(2, 50, (8, 9, 10)).astype(np.float32)
    first, second = (
        scaled(torch.from_numpy(one), intensity_window(one, mode)) for one in (image, image * np.float32(1e6) - 7e5)
    )
    torch.testing.assert_close(first, second, rtol=0, atol=1e-5)
    assert (first.min() >= 0, first.max() <= 1, first.std() > 0.1) == (True, True, True)


@pytest.mark.parametrize("mode", intensity.MODES)
def test_a_mask_spans_its_two_values(mode: str) -> None:
    assert intensity_window(np.asarray([[2, 2, 7], [2, 7, 7]], dtype=np.uint8), mode) == (2, 7)


def test_voxels_that_are_no_numbers_take_no_part() -> None:
    image = np.asarray([[0, 1, 3], [np.nan, np.inf, -np.inf]], dtype=np.float32)
    assert intensity_window(image, "zscore") == pytest.approx((2 - 3, 2 + 3))
    for empty in (np.full((2, 2), np.nan), np.full((2, 2), 5)):
        with pytest.raises(ValueError, match="nothing to scale"):
            intensity_window(empty, "percentile")


def test_a_large_image_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intensity, "MOST_VOXELS", 16)
    image = np.full((8, 8), 1e6)
    image[::2, ::2] = np.repeat([0, 0, 1, 3], 4).reshape(4, 4)
    assert intensity_window(image, "zscore") == pytest.approx((2 - 3, 2 + 3))
    image[::2, ::2] = 0  # nothing to be seen on the lattice
    assert intensity_window(image, "zscore") == (0, 1e6)


def test_an_intensity_range_is_two_numbers_or_a_name() -> None:
    assert checked_range([-1000, 1000]) == (-1000.0, 1000.0)
    assert checked_range((np.float64(0), 1)) == (0.0, 1.0)
    assert [checked_range(mode) for mode in ("percentile", "zscore")] == ["percentile", "zscore"]


@pytest.mark.parametrize("wrong", ["foo", "ab", "", [], [1], [1, 1], [2, 1], [1, 2, 3], ["a", "b"], 7, None])
def test_another_intensity_range_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"is neither two numbers, .* nor one of percentile, zscore") as refusal:
        checked_range(wrong)
    assert repr(wrong) in str(refusal.value)
