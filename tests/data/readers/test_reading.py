from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_sg.data.readers.formats import UnusableImageError
from monai_sg.data.readers.reading import read_image
from tests.data.conftest import ct_like, write_nifti

BROKEN = np.where(ct_like() < -900, np.nan, ct_like() / 3).astype(np.float32)


def test_an_image_keeps_its_axes_and_is_filled(tmp_path: Path) -> None:
    affine = np.diag([-2.0, -3.0, 4.0, 1.0])
    image = read_image(write_nifti(tmp_path / "a.nii.gz", BROKEN, affine))
    np.testing.assert_array_equal(image.values, np.where(np.isnan(BROKEN), np.nanmin(BROKEN), BROKEN))
    np.testing.assert_allclose(image.affine, affine)
    assert (image.values.dtype, image.num_axes) == (np.float32, 3)


def test_a_label_map_is_exact(tmp_path: Path) -> None:
    whole = np.random.default_rng(0).integers(0, 70_000, (12, 10, 9)).astype(np.int32)
    values = read_image(write_nifti(tmp_path / "a.nii.gz", whole), is_label=True).values
    np.testing.assert_array_equal(values, whole)
    values = read_image(write_nifti(tmp_path / "nan.nii.gz", BROKEN), is_label=True).values
    np.testing.assert_array_equal(values, BROKEN, "a label that is not a number is refused later, not filled")


@pytest.mark.parametrize("mode", ["P", "1"])
@pytest.mark.parametrize("stack", [False, True])
def test_a_picture_of_labels_keeps_its_indices(tmp_path: Path, mode: str, stack: bool) -> None:
    indices = np.random.default_rng(0).integers(0, 3 if mode == "P" else 2, (20, 30), dtype=np.uint8)
    picture = Image.fromarray(indices * 255).convert("1") if mode == "1" else Image.fromarray(indices, "P")
    if mode == "P":
        picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    for number in range(9):
        picture.save(tmp_path / f"label_{number}.png")
    source = (tmp_path, "label_*.png") if stack else (tmp_path / "label_0.png", None)
    values = read_image(*source, is_label=True).values
    np.testing.assert_array_equal(values[..., 4] if stack else values, indices.T)


def test_channels_come_last(tmp_path: Path) -> None:
    array = np.stack([ct_like(seed=seed) for seed in range(4)], axis=-1)
    image = read_image(write_nifti(tmp_path / "a.nii.gz", array))
    np.testing.assert_array_equal(image.values, array)
    assert image.num_axes == 3
    colours = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(image.values, colours.transpose(1, 0, 2))
    assert image.num_axes == 2


def test_what_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    np.save(tmp_path / "thin.npy", ct_like((12, 10, 3)))
    write_nifti(tmp_path / "constant.nii.gz", np.full((12, 10, 9), 7, dtype=np.int16))
    (tmp_path / "empty").mkdir()
    for name, reason in (
        ("notes.txt", "is of no known format, which are DICOM and .nii.gz"),
        ("thin.npy", "3 slices, at least 8 are needed"),
        ("constant.nii.gz", "same value 7 in every voxel"),
        ("empty", "holds no DICOM images"),
    ):
        with pytest.raises(UnusableImageError, match=reason):
            read_image(tmp_path / name)
