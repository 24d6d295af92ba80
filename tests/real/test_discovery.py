from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from monai_sg.data.cache.opening import open_cache
from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.data.records import Datalist
from monai_sg.discovery.diagnostics import PatternCorrelation, pattern_correlation, sample_crops
from monai_sg.discovery.discover import discover
from monai_sg.discovery.embed import Embedding

HU = (-1000.0, 1000.0)
FOLDERS = ("ct_chest_abdomen", "ct_chest_abdomen2", "ct_nsclc_nc")


@pytest.fixture(scope="module")
def cache(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> VolumeCache:
    files = [path for folder in FOLDERS for path in sorted((real_data / folder / "images").glob("*.nii.gz"))]
    if len(files) < 8:
        pytest.skip(f"needs the chest CTs of {FOLDERS}")
    records = [
        {"image": str(path.relative_to(real_data)), "id": path.name[:-7], "patient": path.name[:-7]} for path in files
    ]
    folder = tmp_path_factory.mktemp("cache")
    return open_cache(Datalist(training=records), real_data, folder, progress=False)


def _correlation(cache: VolumeCache, frame: str) -> PatternCorrelation:
    """Discover on the intensities of small overviews, which need no training."""
    overviews = [np.clip((cache.overview(name, (16, 16, 8)) + 1000) / 2000, 0, 1) for name in cache.ids]
    embedding = Embedding(cache.ids, torch.from_numpy(np.stack(overviews)).flatten(1))
    records = [{"image": name, "id": name, "patient": name} for name in cache.ids]
    table = discover(cache, Datalist(training=records), embedding, crop_size=(64, 64, 32), frame=frame)
    assert table.num_classes == 44
    assert sample_crops(cache, table, [0, 43], 3).shape == (2, 3, 64, 64, 32)
    return pattern_correlation(cache, table, HU)


def test_crops_of_a_class_are_more_alike_when_lungs_are_aligned(cache: VolumeCache) -> None:
    voxel, lung = _correlation(cache, "voxel"), _correlation(cache, "lung")
    assert lung.mean_within > voxel.mean_within + 0.1
    assert voxel.mean_within > voxel.mean_random


def test_mixed_chests_and_abdomens_use_the_body(cache: VolumeCache) -> None:
    body = _correlation(cache, "auto")
    assert body.mean_within > 0.15
