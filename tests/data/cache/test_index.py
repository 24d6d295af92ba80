from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monai_sg.data.cache.opening import open_cache
from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.data.records import Datalist
from monai_sg.utils.files import read_json, write_json
from tests.data.conftest import ct_like, write_nifti

IMAGES = {"whole": ct_like(), "fractions": ct_like(seed=1).astype(np.float32) / 3}


def _open(folder: Path) -> VolumeCache:
    records = [{"image": f"{name}.nii.gz", "id": name, "patient": name} for name in IMAGES]
    return open_cache(Datalist(records), folder / "data", folder / "cache", progress=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, values in IMAGES.items():
        write_nifti(tmp_path / f"data/{name}.nii.gz", values)
    _open(tmp_path)
    return tmp_path


def test_entries_hold_the_windows_of_their_images(folder: Path) -> None:
    cache = _open(folder)
    for name, values in IMAGES.items():
        foreground = values[values > values.min()].astype(float)
        assert cache.windows(name, "percentile")[0] == pytest.approx(np.percentile(foreground, (0.5, 99.5)), abs=0.05)
        ends = (foreground.mean() - 3 * foreground.std(), foreground.mean() + 3 * foreground.std())
        assert cache.windows(name, "zscore")[0] == pytest.approx(ends, abs=0.05)
    assert cache.windows("whole", [-160, 240])[0] == (-160.0, 240.0)
    with pytest.raises(ValueError, match="'foo' is neither"):
        cache.windows("whole", "foo")[0]


def test_an_index_without_windows_is_made_again(folder: Path) -> None:
    before = _open(folder).windows("whole", "zscore")[0]
    index = read_json(folder / "cache/index.json")
    index["version"] = 1
    for entry in index["entries"].values():
        del entry["windows"]
    write_json(folder / "cache/index.json", index)
    assert _open(folder).windows("whole", "zscore")[0] == before
