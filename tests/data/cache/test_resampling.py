from __future__ import annotations

import numpy as np
import pytest
import torch

from monai_sg.data.cache.resampling import nearest, resize


def test_enlarged_ramp_by_hand() -> None:
    ramp = np.broadcast_to(np.array([0.0, 4.0, 8.0, 12.0]), (3, 2, 4))
    enlarged = resize(ramp, (3, 2, 8))  # centres at -0.25, 0.25, 0.75, ... with the ends repeated
    np.testing.assert_allclose(enlarged[1, 1], [0, 1, 3, 5, 7, 9, 11, 12], atol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_shrunk_ramp_by_hand(axis: int) -> None:
    lengths = [8 if other == axis else 3 for other in range(3)]
    image = np.broadcast_to(np.moveaxis((np.arange(8.0) * 2)[:, None, None], 0, axis), lengths)
    size = [4 if other == axis else 3 for other in range(3)]
    shrunk = np.moveaxis(resize(image, size), axis, 0)[:, 1, 1]
    # A triangle of half width 2 around 0.5, 2.5, ...: weights 1/8, 3/8, 3/8, 1/8, cut to 3/7, 3/7, 1/7 at the ends.
    np.testing.assert_allclose(shrunk, [10 / 7, 5, 9, 14 - 10 / 7], atol=1e-5)


def test_every_voxel_counts_when_shrinking() -> None:
    image = np.zeros((64, 64, 64), dtype=np.float32)
    image[13, 17, 29] = 64.0
    assert resize(image, (8, 8, 8)).sum() == pytest.approx(64.0 / 8**3, rel=0.1)


def test_two_axes_are_those_of_torch() -> None:
    image = np.random.default_rng(0).normal(size=(17, 23)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(image)[None, None], (9, 31), mode="bilinear", antialias=True
    )
    np.testing.assert_allclose(resize(image, (9, 31)), expected[0, 0].numpy(), atol=1e-6)


def test_slabs_do_not_matter() -> None:
    image = np.random.default_rng(0).normal(size=(70, 6, 7)).astype(np.float32)
    turned = resize(image.transpose(1, 2, 0), (4, 5, 33)).transpose(2, 0, 1)
    np.testing.assert_allclose(resize(image, (33, 4, 5)), turned, atol=1e-5)


def test_size_must_fit() -> None:
    with pytest.raises(ValueError, match="give one per axis"):
        resize(np.zeros((3, 3, 3)), (2, 2))


def test_an_axis_of_one_voxel_changes_nothing_along_the_others() -> None:
    image = np.random.default_rng(0).random((14, 12), dtype=np.float32)
    expected = resize(image, (6, 5))
    for axis in range(3):
        size = list(np.expand_dims(expected, axis).shape)
        np.testing.assert_allclose(resize(np.expand_dims(image, axis), size), np.expand_dims(expected, axis), rtol=1e-5)
    column = resize(image[:, :1], (7, 1))
    np.testing.assert_allclose(column[:, 0], resize(np.repeat(image[:, :1], 2, axis=1), (7, 2))[:, 0], rtol=1e-6)


@pytest.mark.parametrize("size", [(4, 3), (12, 2), (5, 6)])
def test_labels_take_the_voxel_in_which_the_new_centre_lies(size: tuple[int, int]) -> None:
    labels = np.arange(24).reshape(6, 4)
    rows, columns = (
        [int((index + 0.5) * old / new) for index in range(new)] for old, new in zip(labels.shape, size, strict=True)
    )
    np.testing.assert_array_equal(nearest(labels, size), [[labels[row, column] for column in columns] for row in rows])
    with pytest.raises(ValueError, match="does not fit labels of shape"):
        nearest(labels, (3, 3, 3))
