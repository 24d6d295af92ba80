from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Invertd, LoadImage, Resized, Spacingd

from monai_sg.data.cache.opening import open_cache
from monai_sg.data.records import Datalist
from monai_sg.transforms.resampled import Resampled
from monai_sg.transforms.resampling import resize


def scan(*shape: int) -> MetaTensor:
    affine = torch.tensor(
        [[0.0, -1.5, 0.0, 10.0], [0.8, 0.0, 0.0, -4.0], [0.0, 0.0, 3.0, 7.0], [0.0, 0.0, 0.0, 1.0]],
        dtype=torch.float64,
    )
    values = torch.from_numpy(np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32))
    return MetaTensor(values, affine=affine, meta={"filename_or_obj": "a.nii"})


@pytest.mark.parametrize(
    ("ours", "monai"),
    [
        (Resampled("image", pixdim=(0.5, 1.0, 2.0)), Spacingd("image", pixdim=(0.5, 1.0, 2.0), mode="bilinear")),
        (Resampled("image", spatial_size=(15, -1, 9)), Resized("image", spatial_size=(15, -1, 9), mode="trilinear")),
    ],
    ids=["spacing", "size"],
)
def test_finer_grids_are_those_of_monai_and_can_be_undone(ours: Resampled, monai: Spacingd | Resized) -> None:
    image = scan(12, 10, 6)
    found, expected = ours({"image": image})["image"], monai({"image": image})["image"]
    assert torch.allclose(found.as_tensor(), expected.as_tensor(), atol=1e-5)
    assert torch.allclose(found.affine, expected.affine)
    assert found.meta["filename_or_obj"] == "a.nii"
    back = ours.inverse({"image": found})["image"]
    assert back.shape == image.shape
    assert torch.allclose(back.affine, image.affine)
    assert not back.applied_operations


def test_coarser_grids_average_and_have_the_affine_of_monai() -> None:
    image, size = scan(24, 20, 12), {"spatial_size": (12, 10, 6)}
    found = Resampled("image", **size)({"image": image})["image"]
    assert np.array_equal(found[0].numpy(), resize(image[0].numpy(), (12, 10, 6)))
    assert torch.allclose(found.affine, Resized("image", **size)({"image": image})["image"].affine)


def test_labels_keep_their_values() -> None:
    label = MetaTensor(torch.tensor([[[0.0, 0, 1, 1, 2, 2, 2, 2]]]).expand(1, 8, 8))
    transform = Resampled(["image", "label"], pixdim=(2.0, 2.0), mode=["bilinear", "nearest"])
    done = transform({"image": label.clone(), "label": label})
    assert done["label"].unique().tolist() == [0, 1, 2]
    assert len(done["image"].unique()) > 3
    assert torch.equal(done["label"].affine, done["image"].affine)


def test_texts_beside_the_image_stay() -> None:
    data = {"image": scan(4, 4, 4), "image_path": "a.nii", "image_id": 3, "other": "b"}
    done = Resampled("image", pixdim=(2, 2, 2))(data)
    assert {name: done[name] for name in ("image_path", "image_id", "other")} == {
        "image_path": "a.nii",
        "image_id": 3,
        "other": "b",
    }


@pytest.mark.parametrize(("nearest", "values"), [(True, 2), (False, 50)])
def test_a_prediction_is_brought_back(nearest: bool, values: int) -> None:
    transform = Resampled("image", pixdim=(1.0, 1.0, 1.0))
    data = transform({"image": scan(12, 10, 6)})
    data["pred"] = (data["image"] > 0).float()
    back = Invertd("pred", transform, orig_keys="image", nearest_interp=nearest, to_tensor=True)(data)["pred"]
    assert back.shape == (1, 12, 10, 6)
    assert (len(back.unique()) == 2) if values == 2 else (len(back.unique()) > values)


def test_fine_tuning_sees_the_noise_that_the_cache_holds(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 20, (60, 50, 40)).round()
    nibabel.save(nibabel.Nifti1Image(noise.astype(np.int16), np.diag([0.8, 0.8, 2.5, 1])), tmp_path / "a.nii")
    record = {"image": "a.nii", "id": "a", "patient": "a"}
    spacing = (2.0, 1.7, 5.0)
    cached = open_cache(Datalist([record]), tmp_path, tmp_path / "cache", spacing, progress=False)
    image = LoadImage(ensure_channel_first=True)(tmp_path / "a.nii")
    found = Resampled("image", pixdim=spacing)({"image": image})["image"]
    assert found.pixdim.tolist() == pytest.approx(spacing)
    assert tuple(found.shape[1:]) == cached.entry("a").shape
    assert float(found.std()) == pytest.approx(cached.array("a").std(), rel=0.03)
    assert float(found.std()) < 5  # of 20; single points would keep 11
    np.testing.assert_allclose(found[0].numpy(), cached.array("a"), atol=0.51)  # the cache holds whole HU


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="give one of the two"):
        Resampled("image")
    with pytest.raises(ValueError, match="'area'"):
        Resampled("image", pixdim=(1, 1, 1), mode="area")
    with pytest.raises(ValueError, match="give mm above 0"):
        Resampled("image", pixdim=(1, 1))({"image": scan(4, 4, 4)})
