from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, Orientationd

from monai_sg.data.labels import PrepareLabeld
from monai_sg.data.readers.formats import UnusableImageError
from tests.data.conftest import ct_like, write_nifti

AFFINE = torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0], dtype=torch.float64))
VALUES = torch.tensor([[0.0, 1.0], [2.0, 0.0]])


def _tensor(values: torch.Tensor, affine: torch.Tensor = AFFINE) -> MetaTensor:
    return MetaTensor(values[None], affine=affine, meta={"filename_or_obj": "labels/a.nii.gz"})


def _prepare(label: MetaTensor, image: MetaTensor | None = None, **arguments: object) -> MetaTensor:
    data = {"image": _tensor(torch.zeros(label.shape[1:])) if image is None else image, "label": label}
    transform = PrepareLabeld("label", **{"structures": {"object": [1]}, "known_labels": [0, 1, 2], **arguments})  # type: ignore[arg-type]
    return transform(data)["label"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8, torch.int16, torch.int64])
@pytest.mark.parametrize("values", [VALUES, VALUES[..., None]])
@pytest.mark.parametrize(("foreground", "expected"), [([1], [0, 1, 0, 0]), ([2], [0, 0, 1, 0]), ([1, 2], [0, 1, 1, 0])])
def test_foreground_becomes_one(
    foreground: list[int], expected: list[int], values: torch.Tensor, dtype: torch.dtype
) -> None:
    prepared = _prepare(_tensor(values.to(dtype)), structures={"object": foreground})
    assert prepared.dtype == torch.uint8
    assert prepared.shape == (1, *values.shape)
    assert prepared.flatten().tolist() == expected
    assert isinstance(prepared, MetaTensor)
    assert torch.equal(prepared.affine, AFFINE)


def test_other_entries_and_the_given_label_stay(tmp_path: Path) -> None:
    data = {"image": _tensor(VALUES), "label": _tensor(VALUES), "id": "a"}
    result = PrepareLabeld("label", {"object": [1]})(data)
    assert result["image"] is data["image"]
    assert result["id"] == "a"
    assert torch.equal(data["label"].as_tensor(), VALUES[None])


def test_a_missing_label_is_passed_on_if_allowed() -> None:
    data = {"image": _tensor(VALUES)}
    assert PrepareLabeld("label", {"object": [1]}, allow_missing_keys=True)(data) == data
    with pytest.raises(KeyError):
        PrepareLabeld("label", {"object": [1]})(data)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([0.0, 7.0, 1.0, 9.0], r"^holds the label values \[7, 9\], which are none of \[0, 1, 2\]; correct the label"),
        ([0.0, 0.5, 1.0, 1.0], r"^holds the label values \[0.5\], which are not whole; was it interpolated"),
        ([0.0, float("nan"), 1.0, 1.0], "^holds NaN or infinite values"),
        ([0.0, float("inf"), 1.0, 1.0], "^holds NaN or infinite values"),
        ([-1.0, 0.0, 1.0, 1.0], r"values \[-1\], which are none of"),
    ],
)
def test_wrong_values(values: list[float], reason: str) -> None:
    with pytest.raises(UnusableImageError, match=reason):
        _prepare(_tensor(torch.tensor(values).reshape(2, 2)))


def test_any_whole_number_is_known_unless_values_are_named() -> None:
    label = torch.tensor([[0, 300], [-4, 7]])
    assert _prepare(_tensor(label), structures={"object": [300]}, known_labels=None).flatten().tolist() == [0, 1, 0, 0]
    with pytest.raises(UnusableImageError, match="not whole"):
        _prepare(_tensor(label + 0.25), known_labels=None)


def test_values_that_the_type_cannot_hold_are_not_wrapped() -> None:
    label = torch.tensor([[0, 44]], dtype=torch.uint8)  # 300 - 256
    assert not _prepare(_tensor(label), structures={"object": [300, 1]}, known_labels=None).any()


@pytest.mark.parametrize("num_channels", [1, 4])
def test_another_shape(num_channels: int) -> None:
    image = MetaTensor(torch.zeros(num_channels, 2, 3), affine=AFFINE)
    with pytest.raises(UnusableImageError, match=r"^has shape \(2, 2\), but its image has \(2, 3\); draw"):
        _prepare(_tensor(VALUES), image)
    assert _prepare(_tensor(torch.zeros(2, 3)), image).shape == (1, 2, 3)
    with pytest.raises(UnusableImageError, match=r"^has 3 channels; a label map has one$"):
        _prepare(MetaTensor(torch.zeros(3, 2, 3), affine=AFFINE), image)


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        ((2, 3), 4.0, r"^has another position or orientation than its image .* up to 4\.00 mm apart\); resample"),
        ((0, 3), 0.05, "^has another position"),
        (
            (1, 1),
            3.1,
            r"^lies on another grid than its image: voxels of 2 x 3\.1 x 4 mm, those of the image",
        ),
        ((0, 0), -2.0, r"^has another position .* axis 1 runs the other way in its header"),
    ],
)
def test_another_place(place: tuple[int, int], value: float, reason: str) -> None:
    affine = AFFINE.clone()
    affine[place] = value
    with pytest.raises(UnusableImageError, match=reason):
        _prepare(_tensor(torch.ones(5, 4, 3), affine))


@pytest.mark.parametrize("size", [8, 512])
def test_what_formats_round_is_the_same_place(size: int) -> None:
    turned = AFFINE.clone()
    turned[0, 1], turned[1, 0] = 3e-4, -2e-4
    turned[2, 3] = 0.03
    label = _tensor(torch.ones(size, size, 3), turned)
    assert torch.equal(_prepare(label).affine, turned)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
@pytest.mark.parametrize("flipped", [(), (0,), (0, 2)])
def test_a_label_with_other_axes_on_the_same_place_is_turned(order: tuple[int, ...], flipped: tuple[int, ...]) -> None:
    values = torch.zeros(5, 4, 3)
    values[1, 0, 2] = values[4, 3, 0] = 1
    image = _tensor(torch.zeros(5, 4, 3))
    affine = AFFINE.numpy()[:, [*order, 3]].copy()
    turned = values.permute(order)
    for axis in flipped:
        affine[:3, 3] += affine[:3, axis] * (turned.shape[axis] - 1)
        affine[:3, axis] *= -1
        turned = turned.flip(axis)
    prepared = _prepare(_tensor(turned, torch.from_numpy(affine)), image)
    assert torch.equal(prepared[0].as_tensor().float(), values)
    assert torch.equal(prepared.affine, AFFINE)


def test_a_label_of_a_picture_is_turned_too() -> None:
    values = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    flipped = MetaTensor(values.flip(0)[None], affine=torch.tensor([[-1.0, 0, 1], [0, 1, 0], [0, 0, 1]]))
    image = MetaTensor(torch.zeros(1, 2, 3), affine=torch.eye(3))
    assert torch.equal(_prepare(flipped, image)[0].as_tensor().float(), values)


def test_a_wrong_header_can_be_overruled(caplog: pytest.LogCaptureFixture) -> None:
    prepared = _prepare(_tensor(VALUES[..., None], -AFFINE), match_affine=False)
    assert torch.equal(prepared.affine, AFFINE)
    assert "labels/a.nii.gz: the label has another position than its image" in caplog.text


def test_affines_of_pictures() -> None:
    image = MetaTensor(VALUES[None], affine=torch.eye(3, dtype=torch.float64))
    assert _prepare(MetaTensor(VALUES[None], affine=torch.eye(4, dtype=torch.float64)), image).sum() == 1


def test_no_foreground_is_allowed_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    assert not _prepare(_tensor(torch.zeros(2, 2))).any()
    assert "labels/a.nii.gz: no voxel of the label has a value of {'object': [1]}; it holds [0]." in caplog.text
    assert _prepare(_tensor(VALUES), structures={"object": [7]}, known_labels=None).meta["label_values"] == [0, 1, 2]
    assert "label_values" not in _prepare(_tensor(VALUES)).meta
    PrepareLabeld("label", {"object": [1]})(
        {"image": _tensor(VALUES), "label": _tensor(torch.zeros(2, 2)), "id": "case 7"}
    )
    assert "case 7: no voxel" in caplog.text


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match=r"structures is \{\}; name what"):
        PrepareLabeld("label", {})
    with pytest.raises(ValueError, match=r"object has the values \[3\], which are not among the known_labels \[0, 1\]"):
        PrepareLabeld("label", {"object": [1, 3]}, [0, 1])


def test_files_keep_their_geometry_for_later_transforms(tmp_path: Path) -> None:
    affine = np.diag([-2.0, -3.0, 4.0, 1.0])
    label = np.zeros((12, 10, 9), np.uint8)
    label[0, 1, 2] = 2
    data = {
        "image": write_nifti(tmp_path / "image.nii.gz", ct_like(), affine),
        "label": write_nifti(tmp_path / "label.nii.gz", label, affine),
    }
    keys = ["image", "label"]
    read = [LoadImaged(keys), EnsureChannelFirstd(keys), PrepareLabeld("label", {"object": [2]}, [0, 1, 2])]
    result = Compose([*read, Orientationd(keys, axcodes="RAS", labels=None)])(data)
    assert torch.nonzero(result["label"]).tolist() == [[0, 11, 8, 2]]
    assert torch.equal(result["label"].affine, result["image"].affine)
