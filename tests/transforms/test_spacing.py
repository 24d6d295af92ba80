from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Spacingd

from monai_sg.transforms.spacing import SafeSpacingd


def scan() -> MetaTensor:
    affine = torch.diag(torch.tensor([2.0, 2.0, 2.0, 1.0]))
    return MetaTensor(torch.arange(64.0).reshape(1, 4, 4, 4), affine=affine, meta={"filename_or_obj": "a.nii"})


def test_texts_beside_the_image_stay() -> None:
    data = {"image": scan(), "image_path": "a.nii", "image_id": 3, "other": "b"}
    with pytest.raises(AttributeError):
        Spacingd("image", pixdim=(1, 1, 1))(data)
    done = SafeSpacingd("image", pixdim=(1, 1, 1))(data)
    assert {name: done[name] for name in ("image_path", "image_id", "other")} == {
        "image_path": "a.nii",
        "image_id": 3,
        "other": "b",
    }
    assert torch.equal(done["image"], Spacingd("image", pixdim=(1, 1, 1))({"image": scan()})["image"])


def test_it_can_be_inverted() -> None:
    transform = SafeSpacingd("image", pixdim=(1, 1, 1))
    back = transform.inverse(transform({"image": scan(), "image_path": "a.nii"}))
    assert back["image"].shape == (1, 4, 4, 4)
    assert torch.allclose(back["image"].affine, scan().affine)
