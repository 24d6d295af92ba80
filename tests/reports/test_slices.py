from __future__ import annotations

import numpy as np
import pytest

from monai_sg.reports.slices import central_slice, planes_of


def test_axial_slice_has_the_right_of_the_patient_at_the_left_and_the_front_at_the_top() -> None:
    volume = np.zeros((4, 6, 3))
    volume[3, 5, 1] = 1  # right, front
    volume[0, 0, 1] = 2  # left, back
    shown = central_slice(volume, "axial", (2, 3, 5))
    assert shown.pixels.shape == (6, 4)
    assert shown.pixels[0, 0] == 1
    assert shown.pixels[-1, -1] == 2
    assert shown.size == (8, 18)
    assert shown.names == ("x (mm)", "y (mm)")


def test_coronal_slice_has_the_head_at_the_top() -> None:
    volume = np.zeros((4, 6, 3))
    volume[3, 3, 2] = 1  # right, head
    shown = central_slice(volume, "coronal")
    assert shown.pixels[0, 0] == 1
    assert shown.size == (4, 3)
    assert shown.names == ("x (voxel)", "z (voxel)")


def test_an_image_is_shown_as_it_is() -> None:
    image = np.zeros((4, 6))
    image[3, 0] = 1  # x to the right, first row
    assert central_slice(image, "image").pixels[0, 3] == 1
    assert planes_of(image) == ("image",)
    assert planes_of(np.zeros((2, 2, 2))) == ("axial", "coronal")


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(1, 4, 4, 4\)"):
        central_slice(np.zeros((1, 4, 4, 4)), "axial")
    with pytest.raises(ValueError, match="one per axis"):
        central_slice(np.zeros((4, 4, 4)), "axial", (1, 1))
