from __future__ import annotations

import logging
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import itk
import nibabel as nib
import numpy as np
import pytest

from monai_sg.data.cache import filling
from monai_sg.data.cache.opening import open_cache
from monai_sg.data.readers.reading import open_source
from monai_sg.data.readers.volumes import read_volume
from monai_sg.data.records import Datalist
from tests.data.conftest import write_nifti

SHAPE = (96, 96, 80)
HU = np.random.default_rng(0).integers(-1000, 1000, SHAPE).astype(np.int16)


def _scaled(path: Path) -> Path:
    image = nib.Nifti1Image(HU, np.eye(4))
    image.header.set_slope_inter(0.5, 3)
    nib.save(image, path)
    return path


def _nrrd(path: Path) -> Path:
    itk.imwrite(itk.image_from_array(HU), str(path))
    return path


WAYS: dict[str, Callable[[Path], Path]] = {
    "int16": lambda folder: write_nifti(folder / "a.nii", HU),
    "packed": lambda folder: write_nifti(folder / "a.nii.gz", HU),
    "uint8": lambda folder: write_nifti(folder / "a.nii", (HU > 0).astype(np.uint8)),
    "float32": lambda folder: write_nifti(folder / "a.nii", HU.astype(np.float32) / 3),
    "float64": lambda folder: write_nifti(folder / "a.nii", HU.astype(np.float64) / 3),
    "scaled": lambda folder: _scaled(folder / "a.nii"),
    "nrrd": lambda folder: _nrrd(folder / "a.nrrd"),
}


@pytest.mark.parametrize("spacing", [None, (2.0, 2.0, 2.0)])
@pytest.mark.parametrize("way", WAYS)
def test_what_reading_takes_is_known_before(tmp_path: Path, way: str, spacing: tuple[float, ...] | None) -> None:
    source = WAYS[way](tmp_path)
    read_volume(source, spacing=spacing)  # imports what is imported on the way
    tracemalloc.start()
    volume = read_volume(source, spacing=spacing)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    told = open_source(source).header.reading_bytes(spacing)
    assert volume.array.size > 0
    assert peak <= 1.1 * told + 3e6
    assert told <= 8 * peak


def test_volumes_larger_than_the_memory_are_left_out_with_the_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    write_nifti(tmp_path / "data/large.nii", HU)
    write_nifti(tmp_path / "data/small.nii", HU[:40, :40, :40])
    monkeypatch.setattr(filling, "free_memory", lambda: 5_000_000)
    records = [{"image": f"{name}.nii", "id": name, "patient": name} for name in ("large", "small")]
    cache = open_cache(Datalist(records), tmp_path / "data", tmp_path / "cache", num_workers=4, progress=False)
    assert cache.ids == ["small"]
    assert cache.skipped["large"] == "takes about 0.01 GB of memory to be read, but 0.01 GB are free"
    assert "1 threads read, each with up to about 0.01 GB of memory of 0.0 GB that are free" in caplog.text
    monkeypatch.setattr(filling, "free_memory", lambda: None)
    assert len(open_cache(Datalist(records), tmp_path / "data", tmp_path / "cache", progress=False)) == 2, "tried again"
