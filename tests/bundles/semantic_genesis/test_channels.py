"""Images of several channels, in one file or in a file each, through cache, boxes and every stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from monai_sg.data.records import Datalist
from monai_sg.handlers.history import read_history
from tests.bundles.families.segmentation import cause
from tests.bundles.families.semantic_genesis import BUNDLE, overrides
from tests.bundles.folders import workflow
from tests.data.conftest import write_nifti

PATIENTS = 8
SHAPE = (24, 28, 20)


def _write(folder: Path, channels: int, in_one_file: bool) -> Path:
    """Write a cohort of blobs that each channel shows at another brightness, and its data list."""
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, length) for length in SHAPE), indexing="ij"))
    records = []
    for number in range(PATIENTS):
        rng = np.random.default_rng(number)
        centre = rng.uniform(-0.2, 0.2, (3, 1, 1, 1))
        blob = np.exp(-4 * ((grid - centre) ** 2).sum(axis=0)) + 0.05 * rng.random(SHAPE)
        pictures = [(blob ** (1 + channel) * 1000 * (channel + 1)).astype(np.int16) for channel in range(channels)]
        if in_one_file:
            image: str | list[str] = write_nifti(folder / f"p{number}.nii", np.stack(pictures, axis=-1)).name
        else:
            names = [f"p{number}_{channel}.nii" for channel in range(channels)]
            image = [write_nifti(folder / name, picture).name for name, picture in zip(names, pictures, strict=True)]
        records.append({"image": image, "id": f"p{number}", "patient": f"p{number}"})
    return Datalist(records[:5], records[5:7], records[7:]).save(folder / "datalist.json")


CHAIN = (["autoencoder.json"], ["discover.json"], ["classify.json"], ["train.json"], ["train.json", "evaluate.json"])
ALONE = (["train.json", "method_models_genesis.json"],)


@pytest.mark.parametrize(("channels", "in_one_file", "stages"), [(2, False, ALONE), (4, True, CHAIN)])
def test_every_stage_trains_on_all_channels(
    tmp_path: Path, channels: int, in_one_file: bool, stages: tuple[list[str], ...]
) -> None:
    datalist = _write(tmp_path / "data", channels, in_one_file)
    more = {"datalist": str(datalist), "in_channels": channels, "intensity_range": "percentile", "num_classes": 2}
    values = overrides(tmp_path / "data", tmp_path / "out", **more)
    for names in stages:
        made = workflow(BUNDLE, names, values)
        made.run()
        made.finalize()
    get = made.parser.get_parsed_content
    item = get("train::dataset")[0]
    assert item["image"].shape == (channels, 16, 16, 16)
    assert (item["image"].amin((1, 2, 3)) >= 0).all()
    assert (item["image"].amax((1, 2, 3)) <= 1).all()
    assert len({tuple(channel.flatten().tolist()) for channel in item["image"]}) == channels
    weights = torch.load(tmp_path / "out/models/model.pt", weights_only=True)
    stem = next(iter(weights.values()))
    assert stem.shape[1] == channels
    (row,) = read_history(tmp_path / "out/train/metrics.csv")
    assert 0 < row["validation_restoration"] < 1


def test_a_network_for_other_images_finds_none(tmp_path: Path) -> None:
    datalist = _write(tmp_path / "data", 2, in_one_file=False)
    values = overrides(tmp_path / "data", tmp_path / "out", datalist=str(datalist))
    with pytest.raises(RuntimeError) as error:
        workflow(BUNDLE, ["autoencoder.json"], values).parser.get_parsed_content("cache")
    assert "p0 has 2 channels; images with 1 are used" in str(cause(error.value))
