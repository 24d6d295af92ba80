from __future__ import annotations

from pathlib import Path

import numpy as np

from monai_sg.data.readers.reading import header_of
from monai_sg.data.readers.shear import straight_grid, straighten
from monai_sg.data.readers.volumes import read_volume
from tests.data.conftest import WriteSeries

RADIUS = 30.0


def _ball(points: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Return the distance in mm of points (..., 3) from the surface of a ball, negative inside."""
    return np.linalg.norm(points - centre, axis=-1) - RADIUS


def test_ball_under_a_tilted_gantry_stays_a_ball(tmp_path: Path, write_series: WriteSeries) -> None:
    shape, tilt_mm = (44, 34, 24), 1.3  # 18 degrees
    x, y, z = np.meshgrid(*map(np.arange, shape), indexing="ij")
    seen = np.stack([2.0 * x, 3.0 * y + tilt_mm * z, 4.0 * z], axis=-1)  # LPS mm of column, row and slice
    centre = np.array([44.0, 60.0, 46.0])
    pixels = np.where(_ball(seen, centre) < 0, 1000, -1000).astype(np.int16)
    series = write_series(tmp_path, pixels[::-1, ::-1], tilt_mm=tilt_mm)

    volume = read_volume(tmp_path, series)
    assert volume.spacing == (2.0, 3.0, 4.0) == header_of(tmp_path, series).spacing
    assert volume.array.shape == (44, 34 + 10, 24)  # 23 slices on, rows have moved by 29.9 mm
    columns = volume.affine[:3, :3] / volume.spacing
    np.testing.assert_allclose(columns.T @ columns, np.eye(3), atol=1e-9)
    indices = np.moveaxis(np.indices(volume.array.shape), 0, -1)
    world = indices @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    distance = _ball(world * [-1, -1, 1], centre)
    wrong = (volume.array > 0) != (distance < 0)
    assert np.abs(distance[wrong]).max() < 1.6  # half a row
    assert abs((volume.array > 0).sum() / (distance < 0).sum() - 1) < 0.02


def test_drift_of_less_than_a_pixel_is_not_interpolated() -> None:
    values = np.random.default_rng(0).normal(size=(6, 5, 9)).astype(np.float32)
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    affine[1, 2] = 0.3
    assert straighten(values, affine) is values
    shape, turned = straight_grid(values.shape, affine)
    assert shape == values.shape
    np.testing.assert_allclose(turned, np.diag([2.0, 3.0, 4.0, 1.0]))


def test_whole_pixels_are_moved_unchanged_and_the_grid_grows() -> None:
    values = np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32)
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    affine[:2, 2] = [-2.0, 6.0]  # one column back, two rows on
    straight = straighten(values, affine)
    shape, turned = straight_grid(values.shape, affine)
    assert straight.shape == shape == (6, 9, 3)
    for index in range(3):
        np.testing.assert_allclose(
            straight[2 - index : 6 - index, 2 * index : 2 * index + 5, index], values[..., index]
        )
    assert (straight == values.min()).sum() == straight.size - values.size + 1
    np.testing.assert_allclose(turned[:3, 3], [-4.0, 0.0, 0.0])
