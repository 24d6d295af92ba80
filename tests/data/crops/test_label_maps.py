from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from monai_sg.data.cache.index import CacheEntry
from monai_sg.data.crops.label_maps import labels_on_image
from monai_sg.data.readers.formats import UnusableImageError


def entry_of(shape: tuple[int, ...], affine: np.ndarray) -> CacheEntry:
    spacing = tuple(np.linalg.norm(affine[:3, :3], axis=0)[: len(shape)].tolist())
    box = [[0, length] for length in shape]
    values = ("int16", 1.0, 0.0, 0.0)
    return CacheEntry("a", "a", "a.nii", shape, spacing, affine.tolist(), *values, box, None, windows={})


def test_labels_are_laid_on_the_voxels_of_the_image(tmp_path: Path) -> None:
    labels = np.arange(512, dtype=np.int16).reshape(8, 8, 8)
    # The file runs from right to left at 2 mm; the image is RAS at 1 mm and begins 2 mm further to the left.
    to_file = np.diag([-2.0, 2.0, 2.0, 1.0])
    to_file[0, 3] = 14.0
    nibabel.save(nibabel.Nifti1Image(labels, to_file), tmp_path / "a.nii")
    affine = np.eye(4)
    affine[:3, 3] = [-2.5, -0.5, -0.5]
    found = labels_on_image(tmp_path / "a.nii", entry_of((12, 16, 16), affine))
    assert not found[:2].any()
    assert np.array_equal(found[2:], labels[::-1].repeat(2, 0).repeat(2, 1).repeat(2, 2)[:10])


def test_a_map_of_fractions_is_refused(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.linspace(0, 1, 512, dtype=np.float32).reshape(8, 8, 8), np.eye(4))
    nibabel.save(image, tmp_path / "a.nii")
    with pytest.raises(UnusableImageError, match=r"The label map .*a\.nii holds values that are not whole"):
        labels_on_image(tmp_path / "a.nii", entry_of((8, 8, 8), np.eye(4)))


def test_a_map_of_one_label_is_laid_too(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.ones((8, 8, 8), dtype=np.uint8), np.eye(4)), tmp_path / "a.nii")
    assert labels_on_image(tmp_path / "a.nii", entry_of((8, 8, 8), np.eye(4))).all()
