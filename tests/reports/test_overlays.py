from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monai_sg.reports.overlays import _busiest, _window, overlay_montage
from tests.reports.test_figures import is_picture


@pytest.mark.parametrize("shape", [(20, 16), (20, 16, 12)])
def test_outlines_are_drawn(shape: tuple[int, ...], tmp_path: Path) -> None:
    image = np.random.default_rng(0).random(shape, dtype=np.float32)
    truth, empty = image > 0.5, np.zeros(shape, bool)
    made = overlay_montage(
        tmp_path / "new" / "overlays.png",
        [image, image],
        [truth, empty],
        {"a": [truth, empty], "b": [empty, truth]},
        ["one", "two"],
        spacings=[[2.0] * len(shape)] * 2,
    )
    assert is_picture(made)


def test_the_slice_with_the_most_foreground_is_shown() -> None:
    truth = np.zeros((4, 4, 5), bool)
    truth[0, 0, 1] = truth[:2, :2, 3] = True
    assert _busiest(truth)[2] == slice(3, 4)
    assert truth[0, :][_busiest(truth[0])].shape == (4, 5)


def test_lists_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    image = np.zeros((4, 4), np.float32)
    with pytest.raises(ValueError, match=r"'a': 1.*give as many of each"):
        overlay_montage(tmp_path / "x.png", [image] * 2, [image] * 2, {"a": [image]}, ["1", "2"])
    with pytest.raises(ValueError, match=r"one has an image of shape \(4, 4\) and a mask of \(2, 2\)"):
        overlay_montage(tmp_path / "x.png", [image], [image], {"a": [image[:2, :2]]}, ["one"])
    assert not list(tmp_path.iterdir())


def test_grey_values_are_those_around_the_foreground() -> None:
    image = np.linspace(0, 1, 101, dtype=np.float32)[:, None].repeat(3, axis=1)
    truth = np.zeros(image.shape, bool)
    truth[40:61] = True
    low, high = _window(image, truth)
    assert low == pytest.approx(0.42 - 0.16, abs=1e-6)
    assert high == pytest.approx(0.58 + 0.16, abs=1e-6)
    assert _window(image, ~truth & truth) == pytest.approx((0.1 - 0.8, 0.9 + 0.8), abs=1e-6)
