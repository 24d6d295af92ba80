from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, RandomizableTransform

from monai_sg.transforms.bezier_intensity import BezierIntensity, RandBezierIntensity, RandBezierIntensityd
from monai_sg.transforms.elastic_warp import RandElasticWarp, RandElasticWarpd
from monai_sg.transforms.genesis_corruption import RandGenesisCorruption, RandGenesisCorruptiond
from monai_sg.transforms.in_paint import RandInPaint, RandInPaintd
from monai_sg.transforms.local_shuffle import RandLocalShuffle, RandLocalShuffled
from monai_sg.transforms.one_of_four import RandOneOfFour, RandOneOfFourd
from monai_sg.transforms.out_paint import RandOutPaint, RandOutPaintd
from monai_sg.transforms.patch_swap import RandPatchSwap, RandPatchSwapd
from monai_sg.transforms.rand_corruption import RandCorruption, RandCorruptiond

SINGLE = [
    RandBezierIntensity,
    RandLocalShuffle,
    RandInPaint,
    RandOutPaint,
    RandGenesisCorruption,
    RandElasticWarp,
    RandPatchSwap,
    RandOneOfFour,
]
DICTIONARY = [
    RandBezierIntensityd,
    RandLocalShuffled,
    RandInPaintd,
    RandOutPaintd,
    RandGenesisCorruptiond,
    RandElasticWarpd,
    RandPatchSwapd,
    RandOneOfFourd,
]


def metatensor(*shape: int) -> MetaTensor:
    return MetaTensor(torch.rand(shape), affine=torch.diag(torch.tensor([2.0, 2.0, 3.0, 1.0])))


@pytest.mark.parametrize("kind", SINGLE)
@pytest.mark.parametrize("shape", [(1, 32, 24), (2, 32, 20, 20)])
def test_type_and_affine_of_an_image_are_kept(kind: type[RandCorruption], shape: tuple[int, ...]) -> None:
    image = metatensor(*shape)
    before = image.clone()
    out = kind().set_random_state(1)(image)
    assert isinstance(out, MetaTensor)
    assert torch.equal(out.affine, image.affine)
    assert torch.equal(image, before)
    assert isinstance(kind()(np.zeros(shape, np.float32)), torch.Tensor)


@pytest.mark.parametrize("kind", SINGLE)
def test_random_state_decides(kind: type[RandCorruption]) -> None:
    image = torch.rand(1, 32, 32)
    transform = kind()
    runs = [[transform(image) for _ in range(12)] for _ in range(2) if transform.set_random_state(seed=5)]
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))
    assert len(torch.stack([r.as_tensor() for r in runs[0]]).flatten(1).unique(dim=0)) > 3


@pytest.mark.parametrize("kind", DICTIONARY)
def test_dictionaries(kind: type[RandCorruptiond]) -> None:
    data = {"image": metatensor(1, 32, 32), "other": 3}
    before = data["image"].clone()
    transform = kind(["image", "absent"], allow_missing_keys=True)
    first, second = (transform.set_random_state(seed=7)(data)["image"] for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(data["image"], before)
    assert isinstance(first, MetaTensor)
    with pytest.raises(KeyError, match="absent"):
        kind(["absent"])(data)


def test_keys_get_the_same_corruption() -> None:
    image = torch.rand(1, 32, 32)
    out = RandBezierIntensityd(["a", "b"], prob=1.0).set_random_state(0)({"a": image, "b": image / 2 + 0.5})
    alone = RandBezierIntensityd(["b"], prob=1.0).set_random_state(0)({"b": image / 2 + 0.5})
    assert not torch.equal(out["a"], image)
    assert torch.equal(out["b"], alone["b"])


def test_prob() -> None:
    image = torch.rand(1, 8, 8)
    transform = RandCorruption(BezierIntensity(1.0), prob=0.25).set_random_state(0)
    changed = sum(not torch.equal(transform(image), image) for _ in range(400))
    assert changed / 400 == pytest.approx(0.25, abs=0.07)


def test_composed_transforms_share_the_seed() -> None:
    chain = Compose([RandLocalShuffled("image", prob=1.0), RandBezierIntensityd("image", prob=1.0)])
    data = {"image": torch.rand(1, 32, 32)}
    first, second = (chain.set_random_state(seed=2)(data)["image"] for _ in range(2))
    assert torch.equal(first, second)
    assert isinstance(chain.transforms[0].transform, RandomizableTransform)


def test_integer_images_are_refused() -> None:
    with pytest.raises(TypeError, match=r"torch\.uint8"):
        RandInPaint()(torch.zeros(1, 16, 16, dtype=torch.uint8))
