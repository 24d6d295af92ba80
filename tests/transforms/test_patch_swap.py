from __future__ import annotations

import pytest
import torch

from monai_sg.transforms.patch_swap import PatchSwap

SIZES = [(64, 64, 32), (16, 16, 16), (7, 6, 4), (224, 224), (4, 4), (2, 1)]

every_size = pytest.mark.parametrize("size", SIZES, ids=str)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@every_size
def test_boxes_lie_in_the_crop_and_do_not_overlap(size: tuple[int, ...]) -> None:
    first, second, edge = PatchSwap().sample_pairs((300, 1, *size), seeded())
    assert first.shape == (10, 300, len(size))
    for start in (first, second):
        assert start.min() >= 0
        assert (start + edge <= torch.tensor(size)).all()
    assert ((first - second).abs() >= edge).any(2).all()
    assert edge.amin((0, 1)).tolist() == [max(1, length // 6 // 2) for length in size]
    assert edge.amax((0, 1)).tolist() == [max(1, length // 3 // 2) for length in size]


@every_size
def test_every_voxel_is_kept_once(size: tuple[int, ...]) -> None:
    index = PatchSwap().sample((4, 1, *size), seeded())["index"]
    assert torch.equal(index.sort(1).values, torch.arange(index.shape[1], dtype=torch.int32).expand_as(index))


def test_swaps_by_hand_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    # Crop 0: pixels 0 and 1, then 1 and 7; crop 1: columns 0 and 2 of both rows, then nothing new: 0 and 2 again.
    first = torch.tensor([[[0, 0], [0, 0]], [[0, 1], [0, 0]]])
    second = torch.tensor([[[0, 1], [0, 2]], [[1, 3], [0, 2]]])
    edge = torch.tensor([[[1, 1], [2, 1]], [[1, 1], [1, 1]]])
    monkeypatch.setattr(PatchSwap, "sample_pairs", lambda *_: (first, second, edge))
    index = PatchSwap(swaps=2).sample((2, 1, 2, 4), seeded())["index"]
    assert index.tolist() == [[1, 7, 2, 3, 4, 5, 6, 0], [0, 1, 2, 3, 6, 5, 4, 7]]


def test_all_pairs_of_places_are_equally_likely() -> None:
    first, second, _ = PatchSwap().sample_pairs((3000, 1, 3, 2), seeded())  # boxes of one of six pixels
    pairs = ((first * torch.tensor([2, 1])).sum(2) * 6 + (second * torch.tensor([2, 1])).sum(2)).flatten()
    shares = torch.bincount(pairs, minlength=36) * 30 / len(pairs)
    apart = ~torch.eye(6, dtype=torch.bool).flatten()
    assert (shares[~apart] == 0).all()
    assert (shares[apart] - 1).abs().max() < 0.13  # 4 standard errors


def test_how_much_of_a_chest_crop_is_moved() -> None:
    # Boxes have 5-10 x 5-10 x 2-5 voxels, 197 on average: 20 of them are 3 % of 64 x 64 x 32.
    index = PatchSwap().sample((60, 1, 64, 64, 32), seeded())["index"]
    assert (index != torch.arange(131_072)).float().mean() == pytest.approx(0.03, rel=0.1)


@pytest.mark.parametrize("size", [(30, 24), (24, 20, 12)])
def test_apply_swaps_all_channels_alike(size: tuple[int, ...]) -> None:
    x = torch.rand((3, 2, *size), generator=seeded(1))
    x[:, 1] = x[:, 0] / 2
    out = PatchSwap()(x, seeded())
    assert torch.equal(out[:, 1], out[:, 0] / 2)
    assert torch.equal(out.flatten(2).sort(2).values, x.flatten(2).sort(2).values)
    assert (out != x).flatten(1).any(1).all()


def test_probability() -> None:
    index = PatchSwap(0.3).sample((1000, 1, 8, 8), seeded())["index"]
    assert (index != torch.arange(64)).any(1).float().mean() == pytest.approx(0.3, abs=0.05)


def test_what_cannot_be_swapped_is_refused() -> None:
    with pytest.raises(ValueError, match="swaps is 0"):
        PatchSwap(swaps=0)
    with pytest.raises(ValueError, match=r"\(1, 1\) voxels have nothing to swap"):
        PatchSwap().sample((1, 1, 1, 1), seeded())
