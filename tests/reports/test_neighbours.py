from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_sg.reports.neighbours import Example, neighbour_montage


def example(name: str, shape: tuple[int, ...], label: str = "") -> Example:
    image = np.random.default_rng(0).random(shape) * 500
    return Example(name, image, (2.0,) * len(shape), label)


@pytest.mark.parametrize("num_axes", [2, 3])
def test_images_of_different_shape_are_shown(tmp_path: Path, num_axes: int) -> None:
    queries = [example("one", (12, 10, 6)[:num_axes]), example("two", (8, 16, 6)[:num_axes], "lung")]
    near = [[example("a", (10, 10, 9)[:num_axes]), queries[1]], [queries[0]]]
    path = neighbour_montage(tmp_path / "new" / "a.png", queries, near, [[0.5, 1.0], [2.0]])
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert len(set(image.convert("L").tobytes())) > 10


def test_the_end_of_a_long_name_is_shown() -> None:
    assert example("1.3.6.1.4.1.14519.5279", (4, 4), "lung").caption == "....1.14519.5279\nlung"
    assert example("scan", (4, 4)).caption == "scan"


def test_lists_of_different_length_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neighbours"):
        neighbour_montage(tmp_path / "a.png", [example("a", (4, 4))], [], [])
