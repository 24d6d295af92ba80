from __future__ import annotations

import pytest
import torch

from monai_sg.transforms.genesis_corruption import GenesisCorruption


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_in_or_out_painting_never_both_and_how_often() -> None:
    mask = GenesisCorruption(0.0, 0.0).sample((2500, 1, 24, 24), seeded())["mask"].flatten(1)
    share = mask.float().mean(1)
    corner = mask[:, 0]  # the corner is painted by out-painting only
    assert corner.float().mean() == pytest.approx(0.72, abs=0.03)
    assert (~corner & (share > 0)).float().mean() == pytest.approx(0.18 * 0.95, abs=0.03)  # 5 % of these have no box
    border = mask.view(2500, 24, 24)[:, 0].float().mean(1)
    assert torch.equal(border, corner.float())  # a crop's border is noise altogether, or untouched


def test_order_is_shuffle_then_intensity_then_painting() -> None:
    corruption = GenesisCorruption(1.0, 1.0, 1.0)
    x = torch.rand(4, 1, 32, 32, 16)
    params = corruption.sample(x.shape, seeded())
    by_hand = corruption.intensity.apply(corruption.shuffle.apply(x, params), params)
    mask = params["mask"].expand_as(x)
    out = corruption.apply(x, params)
    assert torch.equal(out[mask], params["noise"][mask])  # the noise is not remapped
    assert torch.equal(out[~mask], by_hand[~mask])


def test_how_often_each_is_done() -> None:
    params = GenesisCorruption().sample((1500, 1, 20, 20), seeded())
    shuffled = (params["index"] != torch.arange(400)).any(1)
    mask = params["mask"].flatten(1)
    outside, inside = mask[:, 0], mask.any(1) & ~mask[:, 0]
    shares = torch.stack([shuffled, params["active"], inside, outside]).float().mean(1)
    expected = torch.tensor([0.5, 0.9, 0.18 * 0.95, 0.72])  # in-painting has no box with 0.05
    assert ((shares - expected).abs() < 3.5 * (expected * (1 - expected) / 1500).sqrt()).all()  # standard errors


def test_number_of_blocks_is_passed_on() -> None:
    corruption = GenesisCorruption(1.0, 0.0, 0.0, shuffle_mode="exact", shuffle_blocks=1)
    moved = (corruption.sample((40, 1, 40, 40), seeded())["index"] != torch.arange(1600)).sum(1)
    assert 0 < moved.max() <= 16  # one block of at most 4 x 4


@pytest.mark.parametrize("shape", [(300, 1, 24, 20), (120, 1, 20, 20, 12)])
def test_the_three_are_independent(shape: tuple[int, ...]) -> None:
    params = GenesisCorruption().sample(shape, seeded())
    shuffled = (params["index"] != torch.arange(params["index"].shape[1])).any(1)
    for happened, prob in ((shuffled, 0.5), (params["active"], 0.9)):
        assert happened.float().mean() == pytest.approx(prob, abs=0.1)
    assert (shuffled & params["active"]).float().mean() == pytest.approx(0.45, abs=0.1)


def test_a_large_batch_is_corrupted_in_parts() -> None:
    corruption = GenesisCorruption()
    x = torch.rand(19, 1, 200, 200)  # 13 crops at a time
    params = corruption.sample(x.shape, seeded())
    out = corruption.apply(x, params)
    for part in (slice(0, 7), slice(7, 14), slice(14, 19)):
        assert torch.equal(out[part], corruption.apply(x[part], {name: value[part] for name, value in params.items()}))


def test_switched_off_it_is_the_identity() -> None:
    x = torch.rand(3, 1, 16, 16)
    assert torch.equal(GenesisCorruption(0.0, 0.0, 0.0)(x, seeded()), x)


def test_positions_are_kept() -> None:
    # A bright half stays in its half: no flips, only blocks of 3 voxels are shuffled.
    x = torch.zeros(64, 1, 30, 30)
    x[:, :, 15:] = 1
    out = GenesisCorruption(1.0, 0.0, 0.0)(x, seeded())
    assert (out[:, :, :12] == 0).all()
    assert (out[:, :, 18:] == 1).all()
