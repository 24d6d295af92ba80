"""Pictures are images of two axes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from PIL import Image

from tests.bundles.families.segmentation import INFERENCE, TRAIN, run

FLAT: dict[str, Any] = {
    "spatial_dims": 2,
    "roi_size": [16, 16],
    "structures": {"object": [255]},
    "known_labels": [0, 255],
}


def test_pictures_are_trained_on_and_segmented_without_a_word_about_their_axes(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for folder in ("images", "labels"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    for index in range(3):
        mask = np.zeros((24, 20), np.uint8)
        mask[8:16, 4:12] = 255
        grey = np.where(mask, 200, 50) + generator.integers(0, 30, mask.shape)
        for folder, array in (("images", grey.astype(np.uint8)), ("labels", mask)):
            Image.fromarray(array).save(tmp_path / "data" / folder / f"p{index}.png")
    more = {**FLAT, "intensity_range": [0, 255], "ckpt_dir": str(tmp_path / "models")}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(TRAIN, tmp_path / "data", tmp_path / "run", **more, image_size=[32, 32])
        run(INFERENCE, tmp_path / "data/images", tmp_path / "run", **more, image_size=[32, 32])
    assert not [item for item in caught if "axcodes" in str(item.message)]
    shapes = {nibabel.load(path).shape for path in (tmp_path / "run/predictions").rglob("*.nii.gz")}
    assert shapes == {(20, 24)}
