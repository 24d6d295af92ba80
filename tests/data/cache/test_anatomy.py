from __future__ import annotations

import numpy as np
import pytest

from monai_sg.data.cache.anatomy import find_boxes, shows_ct

SPACING = (4.0, 4.0, 4.0)


def _trunk() -> np.ndarray:
    """Return an elliptic trunk in air, 80 x 60 x 50 voxels of 4 mm, on a thin table."""
    x, y, _ = np.meshgrid(np.arange(80), np.arange(60), np.arange(50), indexing="ij")
    image = np.full((80, 60, 50), -1000, dtype=np.int16)
    image[((x - 40) / 30) ** 2 + ((y - 32) / 20) ** 2 <= 1] = 40
    image[5:75, 4:5] = 100
    return image


def _with_lungs(air: int = -850, centres: tuple[int, ...] = (26, 54)) -> np.ndarray:
    image = _trunk()
    x, y, z = np.meshgrid(np.arange(80), np.arange(60), np.arange(50), indexing="ij")
    for centre in centres:
        image[((x - centre) / 9) ** 2 + ((y - 32) / 13) ** 2 + ((z - 25) / 18) ** 2 <= 1] = air
    image[39:42, 30:33, 25:] = -1000  # the trachea, up to the top
    return image


@pytest.mark.parametrize(
    ("values", "expected"),
    [([-500, 1], True), ([-499, 1], False), ([-1000, 0], False), ([0, 255], False)],
)
def test_a_ct_has_air_and_something_denser_than_water_in_three_axes(values: list[int], expected: bool) -> None:
    assert shows_ct(np.array(values).reshape(2, 1, 1)) is expected
    assert not shows_ct(np.array(values).reshape(2, 1))


def test_body_is_found_without_the_table() -> None:
    body, lungs = find_boxes(_trunk(), SPACING, 1.0, 0.0)
    np.testing.assert_allclose(body, [[10, 71], [12, 53], [0, 50]], atol=1)  # thin tips are cut
    assert lungs is None


def test_lungs_are_found_without_the_trachea() -> None:
    _, lungs = find_boxes(_with_lungs(), SPACING, 1.0, 0.0)
    assert lungs is not None
    np.testing.assert_allclose(lungs, [[17, 64], [19, 46], [7, 44]], atol=1)


def test_boxes_are_in_voxels_of_the_image() -> None:
    fine = _with_lungs().repeat(2, axis=0).repeat(2, axis=1)
    _, lungs = find_boxes(fine, (2.0, 2.0, 4.0), 1.0, 0.0)
    coarse = find_boxes(_with_lungs(), SPACING, 1.0, 0.0)[1]
    assert coarse is not None
    assert lungs == [[2 * edge for edge in coarse[0]], [2 * edge for edge in coarse[1]], coarse[2]]


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(_with_lungs(air=-1000), id="gas in the bowel"),
        pytest.param(_with_lungs(centres=(26,)), id="one lung"),
        pytest.param(_with_lungs()[..., 20:30], id="too low"),
        pytest.param(_with_lungs()[20:60, 20:44], id="cut by the sides"),
        pytest.param(np.maximum(_with_lungs(), 0), id="not CT"),
    ],
)
def test_no_lungs(image: np.ndarray) -> None:
    assert find_boxes(np.ascontiguousarray(image), SPACING, 1.0, 0.0)[1] is None


def test_scale_and_offset_count() -> None:
    stored = (_with_lungs() + 1024).astype(np.uint16)
    assert find_boxes(stored, SPACING, 1.0, -1024.0) == find_boxes(_with_lungs(), SPACING, 1.0, 0.0)


def test_bright_part_of_other_images() -> None:
    image = np.zeros((40, 48), dtype=np.uint8)
    image[8:32, 4:40] = 200
    assert find_boxes(image, (1.0, 1.0), 1.0, 0.0) == ([[8, 32], [4, 40]], None)
