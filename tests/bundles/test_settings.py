"""Settings that do not fit stop every config before anything is read, and pictures are images of two axes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image

from tests.bundles import small_liver, small_run
from tests.bundles.folders import NAMES, config, content, full_configs, workflow
from tests.bundles.small_liver import INFERENCE, TRAIN, cause, run

FLAT: dict[str, Any] = {"spatial_dims": 2, "roi_size": [16, 16], "foreground": [255], "known_labels": [0, 255]}


@pytest.mark.parametrize("bundle", NAMES)
def test_settings_are_looked_at_after_the_command_line_and_before_data(bundle: str) -> None:
    for name in full_configs(bundle):
        assert content(config(bundle, name))["initialize"][:2] == ["$@command_line", "$@setting_check"]


@pytest.mark.parametrize(
    ("bundle", "name", "wrong"),
    [
        (small_liver.BUNDLE, "train.json", {"roi_size": [16, 16]}),
        (small_liver.BUNDLE, "train.json", {"spacing": [2, 2]}),
        (small_liver.BUNDLE, "train.json", {"foreground": 1}),
        (small_liver.BUNDLE, "train.json", {"known_labels": 1}),
        (small_liver.BUNDLE, "train.json", {"batch_size": 0}),
        (small_liver.BUNDLE, "inference.json", {"image_size": [2, 2]}),
        (small_liver.BUNDLE, "inference.json", {"orientation": "RA"}),
        (small_run.BUNDLE, "autoencoder.json", {"epochs": 0}),
        (small_run.BUNDLE, "discover.json", {"overview_size": [16, 16]}),
        (small_run.BUNDLE, "train.json", {"crop_size": [16, 16]}),
        (small_run.BUNDLE, "embed.json", {"spacing": [2, 2]}),
        (small_run.BUNDLE, "inference.json", {"crop_size": [16, 16]}),
    ],
)
def test_a_setting_that_does_not_fit_stops_before_anything_is_read(
    tmp_path: Path, bundle: str, name: str, wrong: dict[str, Any]
) -> None:
    small = small_liver if bundle == small_liver.BUNDLE else small_run
    with pytest.raises((RuntimeError, ValueError)) as error:
        workflow(bundle, [name], small.overrides(tmp_path / "absent", tmp_path / "run", **wrong))
    ((key, value),) = wrong.items()
    assert str(cause(error.value)).startswith(f"{key} = {value!r} does not fit: write ")
    assert not (tmp_path / "run").exists()


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
