from __future__ import annotations

import numpy as np

from monai_sg.data.phantom.shapes import Canvas, ellipsoid, rotation, smooth_noise, tube


def grid(size: int) -> np.ndarray:
    axis = np.arange(size, dtype=np.float32) - (size - 1) / 2
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij")).astype(np.float32)


def canvas(size: int = 21) -> Canvas:
    return Canvas(grid(size), np.eye(3), np.full(3, (size - 1) / 2), blur=1.0)


def test_ball_has_its_distance() -> None:
    points = np.array([[0.0, 3, 5, 0], [0, 0, 0, 7], [0, 0, 0, 0]], np.float32)
    assert np.allclose(ellipsoid(points, (0, 0, 0), (5, 5, 5)), [-5, -2, 0, 2])


def test_axes_of_an_ellipsoid_turn() -> None:
    points = np.array([[0.0, 9], [9, 0], [0, 0]], np.float32)
    assert np.allclose(ellipsoid(points, (0, 0, 0), (9, 3, 3), rotation(0, 0, 90))[0], 0, atol=1e-5)
    assert ellipsoid(points, (0, 0, 0), (9, 3, 3), rotation(0, 0, 90))[1] > 3


def test_tube_is_round_at_its_ends_and_tapers() -> None:
    points = np.array([[-2.0, 0, 5, 10, 13], [0, 2, 0, 1, 0], [0, 0, 0, 0, 0]], np.float32)
    assert np.allclose(tube(points, (0, 0, 0), (10, 0, 0), 2, 1), [0, 0, -1.5, 0, 2])


def test_paint_weighs_by_the_share_of_a_voxel_and_labels_the_inside() -> None:
    image = canvas()
    image.ellipsoid((0, 0, 0), (5, 5, 5), hu=0.0, label=3)
    assert image.hu[10, 10, 10] == 0
    assert np.isclose(image.hu[15, 10, 10], -500)
    assert image.hu[17, 10, 10] == -1000
    assert (image.labels == 3).sum() == (np.linalg.norm(grid(21), axis=0) < 5 - 1e-4).sum()


def test_box_holds_what_is_painted_and_nothing_outside_the_volume() -> None:
    assert canvas().box((-2, -2, -2), (2, 2, 2))[0].start <= 8
    assert canvas().box((-2, -2, -2), (2, 2, 2))[0].stop >= 13
    assert canvas().box((90, 90, 90), (99, 99, 99)) == (slice(21, 21),) * 3
    image = canvas()
    image.tube([(80, 0, 0), (99, 0, 0)], 3.0, 100)
    assert (image.hu == -1000).all()


def test_slabs_share_memory_and_cover_the_canvas() -> None:
    image = canvas()
    for _, slab in image.slabs():
        slab.ellipsoid((1, 2, 3), (4, 4, 4), hu=50.0, label=1)
    whole = canvas()
    whole.ellipsoid((1, 2, 3), (4, 4, 4), hu=50.0, label=1)
    assert np.array_equal(image.hu, whole.hu)
    assert np.array_equal(image.labels, whole.labels)


def test_noise_is_standardised() -> None:
    noise = smooth_noise(np.random.default_rng(0), (20, 21, 22), 3.0)
    assert noise.shape == (20, 21, 22)
    assert np.isclose(noise.mean(), 0, atol=1e-4)
    assert np.isclose(noise.std(), 1, atol=1e-3)
