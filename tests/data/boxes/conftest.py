"""The small cohort of the tests of discovery, and cached ramps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monai_sg.data.cache.index import CacheEntry
from monai_sg.data.cache.volume_cache import VolumeCache
from tests.discovery.conftest import make_cache

__all__ = ["make_cache"]

SHAPES = {"near": (40, 30, 20), "far": (20, 30, 20), "small": (6, 6, 6)}


def ramps(folder: Path, ndim: int = 3) -> VolumeCache:
    """Return a cache of three images that count their voxels; the voxels of `far` are twice as long along x."""
    (folder / "arrays").mkdir()
    entries = {}
    for name, full in SHAPES.items():
        shape = full[:ndim]
        np.save(folder / "arrays" / f"{name}.npy", np.arange(np.prod(shape)).reshape(shape).astype(np.int16) - 1000)
        entries[name] = CacheEntry(
            key=name,
            id=name,
            source=(name,),
            shape=shape,
            spacing=(2.0 if name == "far" else 1.0, 1.0, 1.0)[:ndim],
            affine=np.eye(4).tolist(),
            dtype="int16",
            scales=(1.0,),
            offsets=(0.0,),
            minima=(-1000.0,),
            body_box=[[2, length - 1] for length in shape],
            lung_box=None,
        )
    return VolumeCache(folder, entries, {"bad": "is cut off"})


@pytest.fixture(params=[2, 3])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> VolumeCache:
    return ramps(tmp_path, request.param)
