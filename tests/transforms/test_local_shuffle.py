from __future__ import annotations

import pytest
import torch

from monai_sg.transforms.local_shuffle import LocalShuffle

BOTH_MODES = pytest.mark.parametrize("mode", ["tiled", "exact"])


def displacement(index: torch.Tensor, size: tuple[int, ...]) -> list[torch.Tensor]:
    own = torch.unravel_index(torch.arange(index.shape[1]), size)
    return [a - b for a, b in zip(torch.unravel_index(index.long(), size), own, strict=True)]


def draw(mode: str, size: tuple[int, ...], crops: int, **arguments: float) -> torch.Tensor:
    corruption = LocalShuffle(1.0, mode=mode, **arguments)  # type: ignore[arg-type]
    return corruption.sample((crops, 1, *size), torch.Generator().manual_seed(0))["index"]


@BOTH_MODES
@pytest.mark.parametrize("size", [(50, 30), (33, 27), (30, 20, 40), (64, 64, 32)])
def test_no_voxel_leaves_its_block(mode: str, size: tuple[int, ...]) -> None:
    moves = displacement(draw(mode, size, 3), size)
    for axis, move in enumerate(moves):
        assert move.abs().max() == size[axis] // 10 - 1


@pytest.mark.parametrize("size", [(50, 30), (33, 27), (30, 20, 40)])
def test_tiles_keep_every_voxel_once(size: tuple[int, ...]) -> None:
    index = draw("tiled", size, 4)
    assert torch.equal(index.sort(1).values, torch.arange(index.shape[1], dtype=index.dtype).expand_as(index))


def test_one_exact_block_is_a_permutation_of_a_box() -> None:
    for seed in range(20):
        corruption = LocalShuffle(1.0, blocks=1, mode="exact")
        index = corruption.sample((1, 1, 40, 40), torch.Generator().manual_seed(seed))["index"][0]
        assert torch.equal(index.sort().values, torch.arange(1600, dtype=index.dtype))
        rows, columns = torch.unravel_index((index != torch.arange(1600)).nonzero()[:, 0], (40, 40))
        assert not len(rows) or max(int(v.max() - v.min()) for v in (rows, columns)) <= 3


@BOTH_MODES
def test_permutations_are_uniform(mode: str) -> None:
    # With edges of 1 or 2 along a single line the source of a voxel is itself or a neighbour, both sides alike.
    index = draw(mode, (20, 9), 2500, blocks=20)
    move = displacement(index, (20, 9))[0].float()
    right, left = (move == 1).float().mean(), (move == -1).float().mean()
    assert abs(right / left - 1) < 0.06
    assert (displacement(index, (20, 9))[1] == 0).all()


def test_later_blocks_overwrite_earlier_ones_from_the_unshuffled_crop() -> None:
    index = draw("exact", (64, 64, 32), 2)
    copies = torch.stack([torch.bincount(row, minlength=row.numel()) for row in index])
    assert copies.max() > 1  # a voxel taken by two blocks
    assert (copies == 0).float().mean() > 0.1  # and others overwritten everywhere


def test_exact_coverage_of_a_chest_crop() -> None:
    # Coverage 82 % with 10,000 blocks; a voxel stays in place with 1 / volume: 4 % of the covered ones.
    index = draw("exact", (64, 64, 32), 4)
    moved = (index != torch.arange(index.shape[1])).float().mean()
    assert moved == pytest.approx(0.82 * 0.96, abs=0.01)


def test_five_blocks_move_one_voxel_in_a_thousand() -> None:
    # A block of 1-6 x 1-6 x 1-3 voxels has 24.5 on average, of which one stays in place.
    index = draw("exact", (64, 64, 32), 100, blocks=5)
    moved = (index != torch.arange(index.shape[1])).float().mean()
    assert moved == pytest.approx(5 * 23.5 / 131_072, rel=0.15)  # 3 standard errors: 500 blocks, volume +- 24


def test_block_edges_are_as_often_one_voxel_as_the_longest() -> None:
    # An edge of 1 or 2 voxels, 0.5 each; two voxels change places in half of their permutations.
    index = draw("exact", (20, 10), 4000, blocks=1)
    assert (index != torch.arange(200)).any(1).float().mean() == pytest.approx(0.25, abs=0.02)  # 3 standard errors


@pytest.mark.parametrize(("size", "tiled_crops", "exact_crops"), [((64, 64, 32), 24, 4), ((224, 224), 24, 2)])
def test_tiles_move_voxels_like_exact_blocks(size: tuple[int, ...], tiled_crops: int, exact_crops: int) -> None:
    tiled, exact = draw("tiled", size, tiled_crops), draw("exact", size, exact_crops)
    own = torch.arange(tiled.shape[1])
    assert abs((tiled != own).float().mean() - (exact != own).float().mean()) < 0.02
    for axis, (a, b) in enumerate(zip(displacement(tiled, size), displacement(exact, size), strict=True)):
        reach = size[axis] // 10
        p, q = (torch.histc(move.float(), 2 * reach - 1, -reach + 0.5, reach - 0.5) / move.numel() for move in (a, b))
        assert 0.5 * (p - q).abs().sum() < 0.02


@BOTH_MODES
def test_apply_gathers_all_channels_alike(mode: str) -> None:
    x = torch.rand(3, 2, 20, 30)
    x[:, 1] = x[:, 0] / 2
    out = LocalShuffle(1.0, mode=mode)(x, torch.Generator().manual_seed(0))
    assert torch.equal(out[:, 1], out[:, 0] / 2)
    assert not torch.equal(out, x)


def test_probability() -> None:
    index = LocalShuffle(0.5).sample((400, 1, 20, 20), torch.Generator().manual_seed(0))["index"]
    assert 0.42 < (index != torch.arange(400)).any(1).float().mean() < 0.58


@BOTH_MODES
def test_axes_too_short_for_a_block_are_left_in_order(mode: str) -> None:
    assert torch.equal(draw(mode, (8, 8, 8), 2), torch.arange(512, dtype=torch.int32).expand(2, -1))


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="blocks is 0"):
        LocalShuffle(blocks=0)
    with pytest.raises(ValueError, match="fast"):
        LocalShuffle(mode="fast")
