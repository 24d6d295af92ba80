from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Spacing

from monai_sg.transforms.resampling import AxisGrid, grid_of_size, grid_of_spacing, resample, resize


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
    np.testing.assert_allclose(resize(image, (9, 31)), expected[0, 0].numpy(), atol=1e-5)


def test_size_must_fit() -> None:
    with pytest.raises(ValueError, match="give one per axis"):
        resize(np.zeros((3, 3, 3)), (2, 2))
    with pytest.raises(ValueError, match="give mm above 0"):
        grid_of_spacing((3, 3, 3), (1, 1, 1), (2, 0, 2))


def test_an_axis_of_one_voxel_changes_nothing_along_the_others() -> None:
    image = np.random.default_rng(0).random((14, 12), dtype=np.float32)
    expected = resize(image, (6, 5))
    for axis in range(3):
        size = list(np.expand_dims(expected, axis).shape)
        np.testing.assert_allclose(resize(np.expand_dims(image, axis), size), np.expand_dims(expected, axis), rtol=1e-5)


@pytest.mark.parametrize("size", [(4, 3), (12, 2), (5, 6)])
def test_labels_take_the_voxel_in_which_the_new_centre_lies(size: tuple[int, int]) -> None:
    labels = np.arange(24).reshape(6, 4)
    rows, columns = (
        [int((index + 0.5) * old / new) for index in range(new)] for old, new in zip(labels.shape, size, strict=True)
    )
    found = resample(labels, grid_of_size(labels.shape, size), nearest=True)
    np.testing.assert_array_equal(found, [[labels[row, column] for column in columns] for row in rows])


def by_matrices(image: np.ndarray, grid: list[AxisGrid]) -> np.ndarray:
    for axis, line in enumerate(grid):
        distance = np.abs(np.arange(image.shape[axis]) - line.places.clip(0, image.shape[axis] - 1)[:, None])
        weight = (1 - distance / max(1, line.step)).clip(0)
        image = np.moveaxis(np.tensordot(weight / weight.sum(1, keepdims=True), image, (1, axis)), 0, axis)
    return image


@pytest.mark.parametrize(
    "grid",
    [
        [AxisGrid(5, 2.3, 0.0), AxisGrid(12, 1.0, 0.0), AxisGrid(30, 0.45, -0.2)],
        [AxisGrid(3, 4.0, 1.5), AxisGrid(6, 2.0, 0.5), AxisGrid(2, 7.5, 3.25)],
    ],
)
def test_any_grid_is_a_product_of_matrices(grid: list[AxisGrid]) -> None:
    image = np.random.default_rng(0).integers(-1000, 1000, (12, 12, 15)).astype(np.int16)
    np.testing.assert_allclose(resample(image, grid), by_matrices(image, grid), atol=1e-3)


def test_a_spacing_begins_at_the_first_voxel_like_that_of_monai() -> None:
    grid = grid_of_spacing((11, 9, 4), (0.7, 0.7, 5.0), (1.5, 0.7, 2.0))
    affine = torch.diag(torch.tensor([0.7, 0.7, 5.0, 1.0], dtype=torch.float64))
    monai = Spacing((1.5, 0.7, 2.0))(MetaTensor(torch.zeros(1, 11, 9, 4), affine=affine))
    assert [line.size for line in grid] == list(monai.shape[1:]) == [6, 9, 8]
    assert torch.equal(monai.affine[:3, 3], affine[:3, 3])
    np.testing.assert_allclose([line.step for line in grid], [1.5 / 0.7, 1, 0.4])


def test_finer_grids_are_those_of_monai() -> None:
    image = np.random.default_rng(0).normal(size=(11, 9, 4)).astype(np.float32)
    affine = torch.diag(torch.tensor([0.7, 0.7, 5.0, 1.0], dtype=torch.float64))
    monai = Spacing((0.5, 0.7, 2.0), mode="bilinear")(MetaTensor(torch.from_numpy(image)[None], affine=affine))
    ours = resample(image, grid_of_spacing(image.shape, (0.7, 0.7, 5.0), (0.5, 0.7, 2.0)))
    np.testing.assert_allclose(ours, monai[0].numpy(), atol=1e-5)


def test_a_reversed_grid_leads_back() -> None:
    line = AxisGrid(7, 2.5, 0.75)
    back = line.reversed(20)
    np.testing.assert_allclose(line.offset + line.step * back.places, np.arange(20))


def test_nearest_keeps_labels_and_their_type() -> None:
    labels = np.array([[0, 3, 3, 7, 7, 7]], dtype=np.uint8)
    nearest = resample(labels, [AxisGrid(1, 1.0, 0.0), AxisGrid(3, 2.0, 0.6)], nearest=True)
    assert nearest.dtype == np.uint8
    assert nearest.tolist() == [[3, 7, 7]]  # at 0.6, 2.6 and 4.6: voxels 1, 3 and 5


def test_channels_come_first() -> None:
    image = np.random.default_rng(0).normal(size=(2, 9, 8)).astype(np.float32)
    grid = [AxisGrid(4, 2.0, 0.5), AxisGrid(11, 0.7, 0.0)]
    assert np.array_equal(resample(image, grid), np.stack([resample(channel, grid) for channel in image]))


def test_noise_falls_like_in_thicker_slices() -> None:
    # Weights 1/8, 3/8, 3/8, 1/8 along each of three axes: a standard deviation of 20 becomes 20 * (20/64)^1.5.
    noise = np.random.default_rng(0).normal(0, 20, (60, 60, 60)).astype(np.float32)
    assert resize(noise, (30, 30, 30))[1:-1, 1:-1, 1:-1].std() == pytest.approx(20 * 0.3125**1.5, rel=0.03)
