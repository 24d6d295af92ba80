from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose

from monai_sg.transforms.bezier_intensity import BezierIntensity
from monai_sg.transforms.corruption import Corruption
from monai_sg.transforms.elastic_warp import ElasticWarp
from monai_sg.transforms.genesis_corruption import GenesisCorruption
from monai_sg.transforms.in_paint import InPaint
from monai_sg.transforms.local_shuffle import LocalShuffle
from monai_sg.transforms.one_of_four import OneOfFour
from monai_sg.transforms.out_paint import OutPaint
from monai_sg.transforms.patch_swap import PatchSwap
from monai_sg.transforms.rand_corruption import RandCorruptiond

ALL = pytest.mark.parametrize(
    "corruption",
    [
        BezierIntensity(),
        LocalShuffle(),
        InPaint(),
        OutPaint(),
        GenesisCorruption(),
        ElasticWarp(),
        PatchSwap(),
        OneOfFour(),
    ],
    ids=lambda corruption: type(corruption).__name__,
)


@ALL
@pytest.mark.parametrize("shape", [(1, 32, 24), (2, 32, 20, 20)])
def test_type_and_affine_of_an_image_are_kept(corruption: Corruption, shape: tuple[int, ...]) -> None:
    image = MetaTensor(torch.rand(shape), affine=torch.diag(torch.tensor([2.0, 2.0, 3.0, 1.0])))
    data = {"image": image, "other": 3}
    before = image.clone()
    out = RandCorruptiond("image", corruption).set_random_state(1)(data)
    assert isinstance(out["image"], MetaTensor)
    assert torch.equal(out["image"].affine, image.affine)
    assert out["other"] == 3
    assert data["image"] is image
    assert torch.equal(image, before)


@ALL
def test_random_state_decides(corruption: Corruption) -> None:
    data = {"image": torch.rand(1, 32, 32)}
    transform = RandCorruptiond("image", corruption)
    runs = [[transform(data)["image"] for _ in range(12)] for _ in range(2) if transform.set_random_state(seed=5)]
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))
    assert len(torch.stack([r.as_tensor() for r in runs[0]]).flatten(1).unique(dim=0)) > 3


def test_missing_keys_are_refused_or_left_out() -> None:
    data = {"image": np.random.default_rng(0).random((1, 32, 32), np.float32)}
    out = RandCorruptiond(["image", "absent"], InPaint(), allow_missing_keys=True)(data)
    assert list(out) == ["image"]
    with pytest.raises(KeyError, match="absent"):
        RandCorruptiond(["absent"], InPaint())(data)


def test_keys_get_the_same_corruption() -> None:
    image = torch.rand(1, 32, 32)
    curve = BezierIntensity(1.0)
    out = RandCorruptiond(["a", "b"], curve).set_random_state(0)({"a": image, "b": image / 2 + 0.5})
    alone = RandCorruptiond(["b"], curve).set_random_state(0)({"b": image / 2 + 0.5})
    assert not torch.equal(out["a"], image)
    assert torch.equal(out["b"], alone["b"])


def test_probability_is_that_of_the_corruption() -> None:
    data = {"image": torch.rand(1, 8, 8)}
    transform = RandCorruptiond("image", BezierIntensity(0.25)).set_random_state(0)
    changed = sum(not torch.equal(transform(data)["image"], data["image"]) for _ in range(400))
    assert changed / 400 == pytest.approx(0.25, abs=0.07)  # 3 standard errors


def test_composed_transforms_share_the_seed() -> None:
    chain = Compose([RandCorruptiond("image", LocalShuffle(1.0)), RandCorruptiond("image", BezierIntensity(1.0))])
    data = {"image": torch.rand(1, 32, 32)}
    first, second = (chain.set_random_state(seed=2)(data)["image"] for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(chain(data)["image"], first)


def test_integer_images_are_refused() -> None:
    with pytest.raises(TypeError, match=r"torch\.uint8"):
        RandCorruptiond("image", InPaint())({"image": torch.zeros(1, 16, 16, dtype=torch.uint8)})
