from __future__ import annotations

from typing import Any

import pytest

from monai_sg.runs.setting_check import check_settings

GOOD: dict[str, Any] = {
    "spatial_dims": 3,
    "sizes": {"roi_size": [64, 64, 32]},
    "grids": {"spacing": [0.7, -1, 2], "image_size": []},
    "orientation": "LPS",
    "labels": {"known_labels": None},
    "structures": {"head": [1, 255], "tail": [2]},
    "counts": {"epochs": 1},
}


def test_what_a_bundle_takes_passes() -> None:
    check_settings(**GOOD)
    check_settings(3, {"roi_size": (64, 64, 32)}, {"spacing": None, "image_size": [256, 256, -1]})
    check_settings(2, {"roi_size": [64, 64]}, {"spacing": [1, 1.5]}, orientation="RAS")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"spatial_dims": 4}, "spatial_dims = 4 is unknown; write 2 for pictures or 3 for volumes."),
        (
            {"sizes": {"roi_size": [16, 16]}},
            "roi_size = [16, 16] does not fit: write whole numbers of voxels along each of the 3 axes (spatial_dims "
            "3), such as [64, 64, 64].",
        ),
        ({"sizes": {"crop_size": [16, 16, 0]}}, "crop_size = [16, 16, 0] does not fit: write whole numbers"),
        ({"sizes": {"crop_size": [16, 16, -1]}}, "crop_size = [16, 16, -1] does not fit: write whole numbers"),
        ({"sizes": {"roi_size": 16}}, "roi_size = 16 does not fit"),
        ({"sizes": {"roi_size": "[16,16,16"}}, "roi_size = '[16,16,16' does not fit"),
        (
            {"grids": {"spacing": [2, 2]}},
            "spacing = [2, 2] does not fit: write a number above 0, or -1 to keep it, along each of the 3 axes "
            "(spatial_dims 3); [] changes nothing.",
        ),
        ({"grids": {"spacing": 2}}, "spacing = 2 does not fit"),
        ({"grids": {"spacing": [1, 1, 0]}}, "spacing = [1, 1, 0] does not fit"),
        ({"grids": {"spacing": [1, 1, True]}}, "spacing = [1, 1, True] does not fit"),
        ({"orientation": "RA"}, "orientation = 'RA' does not fit: write a letter of each of L or R, A or P, I or S"),
        ({"orientation": "RAL"}, "orientation = 'RAL' does not fit"),
        ({"orientation": "ras"}, "orientation = 'ras' does not fit"),
        ({"labels": {"known_labels": 1}}, "known_labels = 1 does not fit: write a list of whole numbers, such as [1]."),
        (
            {"structures": [1]},
            "structures = [1] does not fit: write names with their label values, such as {'liver': [1, 2]}.",
        ),
        ({"structures": {}}, "structures = {} does not fit"),
        ({"structures": {"liver": 1}}, "structures = {'liver': 1} does not fit"),
        ({"structures": {"liver": []}}, "structures = {'liver': []} does not fit"),
        ({"labels": {"known_labels": [0, 0.5]}}, "known_labels = [0, 0.5] does not fit"),
        ({"labels": {"known_labels": "1"}}, "known_labels = '1' does not fit"),
        ({"counts": {"epochs": 0}}, "epochs = 0 does not fit: write a whole number of at least 1."),
        ({"counts": {"epochs": 2.5}}, "epochs = 2.5 does not fit"),
    ],
)
def test_what_does_not_fit_is_named_with_its_value_and_what_to_write(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=r"does not fit|unknown") as error:
        check_settings(**{**GOOD, **changed})
    assert str(error.value).startswith(sentence)


def test_each_setting_that_does_not_fit_has_its_sentence() -> None:
    with pytest.raises(ValueError, match=r"roi_size = \[64, 64, 32\] .* 2 axes .*\. epochs = 0 does not fit"):
        check_settings(2, {"roi_size": [64, 64, 32]}, counts={"epochs": 0})
