from __future__ import annotations

import numpy as np
import pytest

from monai_sg.data.boxes.geometry import crop_shapes, fit_boxes, grid_spacing


def test_the_grid_is_the_median_spacing_of_each_axis() -> None:
    assert grid_spacing([[0.5, 0.5, 1], [0.7, 0.7, 2.5], [0.9, 0.9, 1.25]]).tolist() == [0.7, 0.7, 1.25]


def test_crops_cover_the_same_millimetres() -> None:
    sizes = crop_shapes((64, 64, 32), (0.7, 0.7, 1.25), [[0.7, 0.7, 1.25], [0.5, 0.5, 2.5], [1.4, 1.4, 200]])
    assert sizes.tolist() == [[64, 64, 32], [90, 90, 16], [32, 32, 1]]


@pytest.mark.parametrize(
    ("centre", "size", "length", "expected"),
    [
        (10.0, 4, 20, [8, 12]),
        (10.0, 5, 20, [8, 13]),
        (1.0, 4, 20, [0, 4]),
        (19.5, 4, 20, [16, 20]),
        (10.0, 20, 20, [0, 20]),
        (10.0, 24, 20, [-2, 22]),
        (18.0, 24, 20, [0, 24]),
        (0.0, 24, 20, [-4, 20]),
    ],
)
def test_boxes_are_shifted_into_the_image_or_padded(centre: float, size: int, length: int, expected: list[int]) -> None:
    boxes, padded = fit_boxes([[centre, centre]], [size, size], [length, length])
    assert boxes.tolist() == [[expected, expected]]
    assert padded.tolist() == [size > length]


def test_many_boxes_equal_one_by_one() -> None:
    rng = np.random.default_rng(0)
    centres, sizes, shapes = rng.uniform(-5, 40, (50, 3)), rng.integers(1, 30, (50, 3)), rng.integers(8, 40, (50, 3))
    boxes, padded = fit_boxes(centres, sizes, shapes)
    for row in range(50):
        box, mark = fit_boxes(centres[row], sizes[row], shapes[row])
        assert box.tolist() == boxes[row].tolist()
        assert mark == padded[row]
