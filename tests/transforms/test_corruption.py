"""What every corruption promises, tried on all of them."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from monai_sg.transforms.bezier_intensity import BezierIntensity
from monai_sg.transforms.corruption import Corruption, random_integers, strides_of
from monai_sg.transforms.elastic_warp import ElasticWarp
from monai_sg.transforms.genesis_corruption import GenesisCorruption
from monai_sg.transforms.identity import Identity
from monai_sg.transforms.in_paint import InPaint
from monai_sg.transforms.local_shuffle import LocalShuffle
from monai_sg.transforms.one_of_four import OneOfFour
from monai_sg.transforms.out_paint import OutPaint
from monai_sg.transforms.patch_swap import PatchSwap

CORRUPTIONS = {
    "bezier": BezierIntensity(),
    "shuffle tiled": LocalShuffle(),
    "shuffle exact": LocalShuffle(blocks=200, mode="exact"),
    "in-paint": InPaint(),
    "out-paint": OutPaint(),
    "genesis": GenesisCorruption(),
    "genesis exact": GenesisCorruption(shuffle_mode="exact"),
    "warp": ElasticWarp(prob=0.8),
    "swap": PatchSwap(prob=0.8),
    "one of four": OneOfFour(),
    "one of four tiled": OneOfFour(0.5, 10_000, "tiled", 5, 0.95),
    "identity": Identity(),
}
SHAPES = [(6, 2, 40, 24), (6, 1, 24, 32, 16), (3, 1, 8, 8, 8)]

every_corruption = pytest.mark.parametrize("corruption", CORRUPTIONS.values(), ids=CORRUPTIONS.keys())
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@every_corruption
@every_shape
def test_output_is_like_the_input_and_the_input_is_untouched(corruption: Corruption, shape: tuple[int, ...]) -> None:
    x = torch.rand(shape, generator=seeded(1))
    before = x.clone()
    out = corruption(x, seeded())
    assert out.shape == x.shape
    assert out.dtype == x.dtype
    assert torch.equal(x, before)
    assert out.isfinite().all()
    assert 0 <= out.min() <= out.max() <= 1


@every_corruption
@every_shape
def test_a_batch_is_its_crops_one_by_one(corruption: Corruption, shape: tuple[int, ...]) -> None:
    x = torch.rand(shape, generator=seeded(1))
    params = corruption.sample(shape, seeded())
    batched = corruption.apply(x, params)
    for i in range(shape[0]):
        alone = corruption.apply(x[i : i + 1], {name: value[i : i + 1] for name, value in params.items()})
        assert torch.equal(alone[0], batched[i])


@every_corruption
@every_shape
def test_everything_made_on_the_way_is_where_the_batch_is(
    corruption: Corruption, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # there is none for this device
    params = corruption.sample(shape, seeded())
    out = corruption.apply(torch.empty(shape, device="meta"), params)  # refuses to mix devices, as a GPU does
    assert out.is_meta
    assert out.shape == shape


@every_corruption
@every_shape
def test_devices_agree(corruption: Corruption, shape: tuple[int, ...], device: torch.device) -> None:
    params = corruption.sample(shape, torch.Generator(device).manual_seed(0))
    assert {value.device.type for value in params.values()} <= {device.type}
    x = torch.rand(shape, generator=seeded(1))
    expected = corruption.apply(x, {name: value.cpu() for name, value in params.items()})
    torch.testing.assert_close(corruption.apply(x.to(device), params).cpu(), expected, rtol=0, atol=1e-5)


@every_corruption
def test_same_seed_same_parameters(corruption: Corruption) -> None:
    first, second, other = (corruption.sample((6, 1, 20, 20), seeded(seed)) for seed in (3, 3, 4))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not first or any(not torch.equal(first[name], other[name]) for name in first)


@every_corruption
def test_crops_of_a_batch_differ(corruption: Corruption) -> None:
    if isinstance(corruption, Identity):
        pytest.skip("leaves all crops alike")
    out = corruption(torch.linspace(0, 1, 32 * 32).view(1, 1, 32, 32).repeat(12, 1, 1, 1), seeded())
    assert len(out.flatten(1).unique(dim=0)) > 4


@every_corruption
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_types_stay_near_float32(corruption: Corruption, dtype: torch.dtype) -> None:
    x = torch.rand((4, 1, 24, 24), generator=seeded(1)).to(dtype)
    params = corruption.sample(x.shape, seeded())
    out = corruption.apply(x, params)
    assert out.dtype == dtype
    assert 0 <= out.min() <= out.max() <= 1
    torch.testing.assert_close(out.float(), corruption.apply(x.float(), params), atol=8e-3, rtol=0)


@every_corruption
def test_apply_is_traced_as_one_graph(corruption: Corruption) -> None:
    x = torch.rand((2, 1, 16, 16), generator=seeded(1))
    params = corruption.sample(x.shape, seeded())
    compiled = torch.compile(corruption.apply, backend="eager", fullgraph=True)
    assert torch.equal(compiled(x, params), corruption.apply(x, params))


@every_corruption
def test_mixed_precision_does_not_reach_into_corruptions(corruption: Corruption) -> None:
    x = torch.rand((4, 1, 24, 24, 16), generator=seeded(1))
    params = corruption.sample(x.shape, seeded())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = corruption.apply(x, params)
    assert torch.equal(inside, corruption.apply(x, params))


@every_corruption
def test_gradients_reach_the_input(corruption: Corruption) -> None:
    x = torch.rand((4, 1, 24, 24), generator=seeded(1), requires_grad=True)
    corruption(x, seeded()).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert x.grad.abs().sum() > 0


@every_corruption
def test_other_numbers_of_axes_are_refused(corruption: Corruption) -> None:
    if isinstance(corruption, Identity):
        pytest.skip("takes anything")
    with pytest.raises(ValueError, match=r"got shape \(2, 1, 8\)"):
        corruption.sample((2, 1, 8), seeded())


@pytest.mark.parametrize("kind", [BezierIntensity, LocalShuffle, InPaint, OutPaint, ElasticWarp, PatchSwap])
def test_impossible_probabilities_are_refused(kind: type[Corruption]) -> None:
    with pytest.raises(ValueError, match=r"prob is 1\.5"):
        kind(1.5)  # type: ignore[call-arg]


def test_the_text_of_a_corruption_tells_all_its_settings() -> None:
    shuffle = "LocalShuffle(prob=0.5, blocks=7, mode='exact')"
    assert repr(LocalShuffle(blocks=7, mode="exact")) == shuffle
    genesis = repr(GenesisCorruption(shuffle_mode="exact", shuffle_blocks=7))
    assert genesis.startswith(f"GenesisCorruption(shuffle={shuffle}, intensity=BezierIntensity(")
    assert genesis == repr(GenesisCorruption(shuffle_mode="exact", shuffle_blocks=7))
    assert repr(Identity()) == "Identity()"


def test_corruptions_with_other_settings_have_other_texts() -> None:
    assert len({repr(corruption) for corruption in CORRUPTIONS.values()}) == len(CORRUPTIONS)


def test_random_integers_reach_both_ends_equally_often() -> None:
    drawn = random_integers(torch.full((30_000,), 2), torch.full((30_000,), 4), seeded())
    assert torch.allclose(torch.bincount(drawn) / 30_000, torch.tensor([0, 0, 1, 1, 1]) / 3, atol=0.015)


def test_strides_of_a_flattened_crop() -> None:
    assert strides_of((64, 64, 32)) == (2048, 32, 1)
    assert strides_of((5, 7)) == (7, 1)
