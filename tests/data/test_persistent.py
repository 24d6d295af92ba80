from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, RandSpatialCropd, ScaleIntensityRanged
from torch.utils.data import DataLoader

from monai_sg.data.persistent import SeededPersistentDataset
from monai_sg.data.prepared import PreparedDataset
from monai_sg.data.seeded import EpochSampler

Kind = type[SeededPersistentDataset] | type[PreparedDataset]


def records(folder: Path, axes: int) -> list[dict[str, str]]:
    found = []
    for index in range(3):
        array = np.random.default_rng(index).integers(0, 100, (12,) * axes).astype(np.float32)
        np.save(folder / f"image_{index}.npy", array)
        found.append({"image": str(folder / f"image_{index}.npy")})
    return found


def made(kind: Kind, folder: Path, axes: int, data: list[dict[str, str]] | None = None, **more: Any) -> Any:
    inner = Compose([LoadImaged("image"), EnsureChannelFirstd("image", channel_dim="no_channel")])
    preparation = Compose([inner, ScaleIntensityRanged("image", 0, 100, 0, 1)])
    crop = Compose([RandSpatialCropd("image", [8] * axes, random_size=False)])
    given = records(folder, axes) if data is None else data
    return kind(given, preparation, crop, cache_dir=folder / "cache", seed=3, **more)


@pytest.mark.parametrize("axes", [2, 3])
def test_an_item_is_that_of_prepared_records_also_when_it_is_read_again(tmp_path: Path, axes: int) -> None:
    ours = made(SeededPersistentDataset, tmp_path, axes)
    expected = made(PreparedDataset, tmp_path, axes, progress=False)
    for again in range(2):
        assert len(list((tmp_path / "cache").glob("*.pt"))) == 3 * again
        for epoch, index in [(0, 0), (0, 1), (1, 0), (5, 2)]:
            item = ours[epoch, index]
            assert item["image"].shape == (1, *[8] * axes)
            assert torch.equal(item["image"], expected[epoch, index]["image"])
            assert item["id"] == f"image_{index}.npy"
    assert not torch.equal(ours[0, 0]["image"], ours[1, 0]["image"])


@pytest.mark.parametrize("workers", [0, 2])
def test_items_do_not_depend_on_workers(tmp_path: Path, workers: int) -> None:
    dataset = made(SeededPersistentDataset, tmp_path, 2)
    loader = DataLoader(dataset, batch_size=3, sampler=EpochSampler(dataset, seed=0), num_workers=workers)
    (batch,) = loader
    order = [index for _, index in EpochSampler(dataset, seed=0)]
    assert torch.equal(batch["image"], torch.stack([dataset[0, index]["image"] for index in order]))


def test_other_preparation_is_kept_apart(tmp_path: Path) -> None:
    data = records(tmp_path, 2)
    first = SeededPersistentDataset(data, Compose([LoadImaged("image")]), Compose([]), cache_dir=tmp_path / "cache")
    assert first[0]["image"].max() > 1
    assert made(SeededPersistentDataset, tmp_path, 2, data)[0]["image"].max() <= 1


def test_without_records_those_of_the_training_are_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = records(tmp_path, 2)
    assert len(made(SeededPersistentDataset, tmp_path, 2, [], fallback=data)) == 3
    assert "no records of their own, so 3 training records" in caplog.text
