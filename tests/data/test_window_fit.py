from __future__ import annotations

import logging

import numpy as np
import pytest

from monai_sg.data.intensity import foreground_quantiles
from monai_sg.data.window_fit import check_fit, why_unfit
from monai_sg.utils.errors import UserError

CHEST, LIVER, BRAIN, FILM = (-1000.0, 1000.0), (-160.0, 240.0), (0.0, 80.0), (0.0, 255.0)
HU = np.concatenate([np.full(400, -1000.0), np.linspace(-1020, -990, 200), np.linspace(-900, 300, 300), [1500.0] * 5])


def _why(values: np.ndarray, window: tuple[float, float]) -> str:
    return why_unfit(foreground_quantiles(values), window)


@pytest.mark.parametrize("window", [CHEST, LIVER, BRAIN, (-1000.0, -200.0)])
@pytest.mark.parametrize("padding", [None, -2000.0, -3024.0, -32768.0])
def test_hu_fit_every_window_in_hu_padded_or_not(window: tuple[float, float], padding: float | None) -> None:
    values = HU if padding is None else np.concatenate([HU, np.full(300, padding)])
    assert _why(values, window) == ""


@pytest.mark.parametrize(
    ("values", "window", "reason"),
    [
        (HU + 1024, CHEST, "none below 0"),
        (HU + 1024, LIVER, "none below 0"),
        ((HU + 1250) / 1500 * 255, CHEST, "none below 0"),
        ((HU.clip(-160, 240) + 160) / 400, CHEST, "which fill 0.05% of it"),
        (HU - 1024, CHEST, "below what HU can be"),
        (HU + 5000, CHEST, "all outside"),
        (np.linspace(0, 30_000, 1000), CHEST, "none below 0"),
        (np.linspace(0, 65_535, 1000), FILM, "all outside"),
        (np.linspace(0, 4095, 1000), FILM, "far beyond it"),
        (np.linspace(0, 1, 1000), FILM, "which fill 0.39% of it"),
        (np.linspace(0, 255, 256), FILM, ""),
        (np.linspace(10, 400, 256), FILM, ""),
        (np.linspace(-3, 3, 256), (-3.0, 3.0), ""),
    ],
)
def test_other_values_are_told_with_their_range(values: np.ndarray, window: tuple[float, float], reason: str) -> None:
    assert reason in _why(values, window)
    assert bool(reason) == bool(_why(values, window))


def _cohort(unfit: int, fitting: int) -> dict[str, list[list[float]]]:
    offset, right = foreground_quantiles(HU + 1024), foreground_quantiles(HU)
    return {f"ct_{number}": [offset if number < unfit else right] for number in range(unfit + fitting)}


def test_those_that_do_not_fit_are_named_and_no_others(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    check_fit(_cohort(3, 3), CHEST)
    assert "3 of 6 images do not fit intensity_range [-1000, 1000]: ct_0 has values from 4" in caplog.text
    assert "ct_2" in caplog.text
    assert "ct_3" not in caplog.text
    assert "--intensity_range percentile" in caplog.text
    caplog.clear()
    check_fit(_cohort(0, 5), CHEST)
    assert caplog.text == ""


def test_more_than_half_stop_with_a_window_that_fits() -> None:
    with pytest.raises(UserError, match=r'4 of 6 images .* Give --intensity_range "\[\d+,\d+\]" if that is their unit'):
        check_fit(_cohort(4, 2), CHEST)


def test_different_units_are_given_a_window_each() -> None:
    cohort = {**_cohort(2, 0), "small": [foreground_quantiles(HU / 1e5 + 1)]}
    with pytest.raises(UserError, match=r"Give --intensity_range percentile, by which each image has its own\."):
        check_fit(cohort, CHEST)


def test_one_or_two_validation_images_do_not_stop_a_run(caplog: pytest.LogCaptureFixture) -> None:
    check_fit(_cohort(1, 0), CHEST)
    assert "1 of 1 images do not fit" in caplog.text


def test_an_image_of_one_value_beside_its_background_has_quantiles() -> None:
    assert foreground_quantiles(np.array([[0, 0], [0, 7]])) == [7.0] * 5
    assert foreground_quantiles(np.zeros((3, 3, 3))) == [0.0] * 5
