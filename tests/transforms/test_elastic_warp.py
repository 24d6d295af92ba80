from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, gaussian_filter1d, map_coordinates

from monai_sg.transforms.elastic_warp import ElasticWarp, smoothing_basis


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def displacement(corruption: ElasticWarp, field: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    """Displacements along the first and the second axis, (B, 2, *size)."""
    return corruption.expand(field, size).permute(0, 4, 2, 3, 1).flip(1).reshape(len(field), 2, *size)


@pytest.mark.parametrize("size", [1, 5, 16, 32, 64])
def test_factors_have_the_covariance_of_noise_smoothed_by_scipy(size: int) -> None:
    smoothing = gaussian_filter1d(np.eye(size), 8.0, axis=0, mode="constant", truncate=4.0)
    exact = torch.from_numpy(smoothing @ smoothing.T).float()
    basis = smoothing_basis(size, 8.0)
    torch.testing.assert_close(basis @ basis.T, exact, atol=2e-6 * float(exact.max()), rtol=0)
    assert basis.shape[1] <= size / 8 + 4  # few numbers instead of the noise


def test_displacements_are_as_large_as_published() -> None:
    # One field of 64 x 64 x 32 has few independent parts: its mean square varies by 30 %, its maximum by 18 %.
    rng, fields = np.random.default_rng(0), 16
    published = np.stack(
        [991 * gaussian_filter(rng.uniform(-1, 1, (64, 64, 32)), 8, mode="constant") for _ in range(fields)]
    )
    corruption = ElasticWarp()
    ours = displacement(corruption, corruption.sample((24, 1, 64, 64, 32), seeded())["field"], (64, 64, 32))
    assert ours.square().mean().sqrt() == pytest.approx(np.sqrt((published**2).mean()), rel=0.12)  # 3 standard errors
    assert ours.square().mean().sqrt() == pytest.approx(3.27, rel=0.08)  # from the covariance
    largest = ours.abs().amax((2, 3, 4)).mean()
    assert largest == pytest.approx(np.abs(published).max((1, 2, 3)).mean(), rel=0.15)
    assert 8 < largest < 11


@pytest.mark.parametrize("size", [(48, 40, 24), (16, 16, 16), (24, 16, 8), (3, 20, 5), (1, 1, 6), (40, 56), (8, 6)])
def test_crops_are_read_where_scipy_reads_them(size: tuple[int, ...]) -> None:
    corruption = ElasticWarp()
    x = torch.rand((2, 2, *size), generator=seeded(1))
    params = corruption.sample(x.shape, seeded())
    params["field"] *= 6  # far beyond the borders
    moves = displacement(corruption, params["field"], size).double().numpy()
    own = np.stack(np.meshgrid(*(np.arange(length) for length in size), indexing="ij")).astype(float)
    expected = np.empty(x.shape)
    for crop in range(2):
        places = own.copy()
        places[:2] += moves[crop]
        for channel in range(2):
            expected[crop, channel] = map_coordinates(x[crop, channel].double(), places, order=1, mode="reflect")
    torch.testing.assert_close(corruption.apply(x, params), torch.from_numpy(expected).float(), atol=1e-4, rtol=0)


def test_a_constant_displacement_by_hand() -> None:
    # Half a pixel up and two pixels to the right, of a 3 x 4 image; d c b a | a b c d | d c b a beyond the borders.
    class Constant(ElasticWarp):
        def expand(self, field: torch.Tensor, spatial: tuple[int, ...]) -> torch.Tensor:
            return field.flip(1).view(1, 1, 1, 1, 2).repeat(1, 1, *spatial, 1)

    x = torch.tensor([[0.0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]).view(1, 1, 3, 4)
    params = {"warped": torch.tensor([True]), "field": torch.tensor([[-0.5, 2.0]])}
    expected = torch.tensor([[2.0, 3, 3, 2], [4, 5, 5, 4], [8, 9, 9, 8]]).view(1, 1, 3, 4)
    torch.testing.assert_close(Constant().apply(x, params), expected)


def test_nothing_moves_along_the_third_axis() -> None:
    x = torch.rand(12, generator=seeded()).expand(2, 1, 20, 24, 12)
    torch.testing.assert_close(ElasticWarp()(x, seeded()), x, atol=1e-6, rtol=0)


def test_both_axes_move_independently() -> None:
    corruption = ElasticWarp()
    moves = displacement(corruption, corruption.sample((600, 1, 16, 16), seeded())["field"], (16, 16))
    first, second = moves[:, :, 8, 8].T
    assert torch.corrcoef(torch.stack([first, second]))[0, 1].abs() < 0.13  # 3 standard errors
    assert first.std() == pytest.approx(float(second.std()), rel=0.15)


def test_the_middle_of_an_image_moves_like_the_middle_of_a_volume() -> None:
    corruption = ElasticWarp()
    moves = displacement(corruption, corruption.sample((150, 1, 72, 72), seeded())["field"], (72, 72))
    expected = 991 / math.sqrt(3) * (2 * 8 * math.sqrt(math.pi)) ** -1.5
    assert expected == pytest.approx(3.79, abs=0.01)
    assert moves[..., 30:42, 30:42].square().mean().sqrt() == pytest.approx(expected, rel=0.12)  # 300 middles


@pytest.mark.parametrize("shape", [(60, 1, 12, 16), (60, 2, 12, 16, 8)])
def test_crops_left_out_come_back_bit_for_bit(shape: tuple[int, ...]) -> None:
    x = torch.rand(shape, generator=seeded(1), dtype=torch.float64)
    corruption = ElasticWarp(prob=0.5)
    params = corruption.sample(shape, seeded())
    same = (corruption.apply(x, params) == x).flatten(1).all(1)
    assert torch.equal(same, ~params["warped"])
    assert 12 < same.sum() < 48


@pytest.mark.parametrize("sigma", [0.0, -1.0])
def test_widths_that_are_not_positive_are_refused(sigma: float) -> None:
    with pytest.raises(ValueError, match=f"sigma is {sigma}"):
        ElasticWarp(sigma=sigma)
