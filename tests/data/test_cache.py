from __future__ import annotations

import logging
import os
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from monai_sg.data import cache_build
from monai_sg.data.cache import VolumeCache, open_cache
from monai_sg.data.cache_build import CacheBuilder
from monai_sg.data.cache_index import CacheIndex
from monai_sg.data.records import Datalist
from monai_sg.data.resampling import resize
from monai_sg.utils.files import write_json

from .conftest import ct_like, write_nifti

NAMES = ("a", "b", "c")


@pytest.fixture
def datalist(tmp_path: Path) -> Datalist:
    for seed, name in enumerate(NAMES):
        write_nifti(tmp_path / f"data/{name}.nii.gz", ct_like(seed=seed))
    return Datalist([{"image": f"{name}.nii.gz", "id": name, "patient": name} for name in NAMES])


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the sources that were read, in order."""
    names: list[str] = []
    original = cache_build.read_volume

    def spy(source: Path, *arguments: Any) -> Any:
        names.append(source.name)
        return original(source, *arguments)

    monkeypatch.setattr(cache_build, "read_volume", spy)
    return names


def _open(tmp_path: Path, datalist: Datalist, **arguments: Any) -> VolumeCache:
    return open_cache(datalist, tmp_path / "data", tmp_path / "cache", progress=False, **arguments)


def test_arrays_and_entries(tmp_path: Path, datalist: Datalist) -> None:
    cache = _open(tmp_path, datalist)
    assert (cache.ids, len(cache), cache.skipped) == (list(NAMES), 3, {})
    np.testing.assert_array_equal(cache.array("b"), ct_like(seed=1))
    assert isinstance(cache.array("b"), np.memmap)
    entry = cache.entry("b")
    assert (entry.source, entry.shape, entry.spacing, entry.dtype) == ("b.nii.gz", (12, 10, 9), (2, 3, 4), "int16")
    assert (entry.scale, entry.offset, entry.minimum) == (1, 0, ct_like(seed=1).min())
    with pytest.raises(KeyError, match="unknown id"):
        cache.entry("d")


def test_sources_are_read_once(tmp_path: Path, datalist: Datalist, read: list[str]) -> None:
    write_json(tmp_path / "cache/index.json", {"version": 0})  # of another version, hence ignored
    first = _open(tmp_path, datalist)
    assert sorted(read) == ["a.nii.gz", "b.nii.gz", "c.nii.gz"]
    second = _open(tmp_path, datalist)
    assert len(read) == 3
    assert [second.entry(name) for name in NAMES] == [first.entry(name) for name in NAMES]


def test_changed_source_is_made_again(tmp_path: Path, datalist: Datalist, read: list[str]) -> None:
    cache = _open(tmp_path, datalist)
    before = cache.overview("b", (4, 4, 4))
    write_nifti(tmp_path / "data/b.nii.gz", ct_like((14, 10, 9), seed=9))
    cache = _open(tmp_path, datalist)
    assert read[3:] == ["b.nii.gz"]
    assert cache.entry("b").shape == (14, 10, 9)
    assert not np.allclose(cache.overview("b", (4, 4, 4)), before)


def test_time_stamp_and_lost_array_count(tmp_path: Path, datalist: Datalist, read: list[str]) -> None:
    _open(tmp_path, datalist)
    os.utime(tmp_path / "data/a.nii.gz", ns=(1, 1))
    (tmp_path / "cache/arrays/c.npy").unlink()
    _open(tmp_path, datalist)
    assert sorted(read[3:]) == ["a.nii.gz", "c.nii.gz"]


def test_spacing_counts(tmp_path: Path, datalist: Datalist, read: list[str]) -> None:
    _open(tmp_path, datalist)
    cache = _open(tmp_path, datalist, spacing=(4, 3, 4))
    assert len(read) == 6
    assert cache.entry("a").spacing == (4, 3, 4)
    assert len(_open(tmp_path, datalist, spacing=(4.0, 3.0, 4.0))) == 3
    assert len(read) == 6


def test_run_that_was_cut_off_is_continued(
    tmp_path: Path, datalist: Datalist, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = cache_build.find_boxes

    def killed(*arguments: Any) -> Any:
        if len(read) == 2:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(cache_build, "find_boxes", killed)
    with pytest.raises(KeyboardInterrupt):
        _open(tmp_path, datalist, num_workers=1)
    monkeypatch.setattr(cache_build, "find_boxes", original)
    done = set(CacheIndex.load(tmp_path / "cache/index.json").entries)
    assert done == {"a"}
    read.clear()
    assert _open(tmp_path, datalist).ids == list(NAMES)
    assert sorted(read) == ["b.nii.gz", "c.nii.gz"]


def test_bad_images_never_end_the_run(
    tmp_path: Path, datalist: Datalist, read: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    write_nifti(tmp_path / "data/a.nii.gz", np.full((12, 10, 9), 5, dtype=np.int16))
    (tmp_path / "data/b.nii.gz").write_bytes((tmp_path / "data/b.nii.gz").read_bytes()[:900])
    datalist.test.append({"image": "gone.nii.gz", "id": "gone", "patient": "gone"})
    cache = _open(tmp_path, datalist)
    assert cache.ids == ["c"]
    assert cache.skipped["a"] == "has the same value 5 in every voxel"
    assert cache.skipped["b"].startswith("cannot be read (EOFError: Compressed file ended")
    assert cache.skipped["gone"] == "cannot be found (No such file or directory)"
    assert "a.nii.gz has the same value 5 in every voxel; it is left out." in caplog.text
    with pytest.raises(KeyError, match="same value 5"):
        cache.array("a")
    read.clear()
    assert _open(tmp_path, datalist).skipped == cache.skipped
    assert read == ["b.nii.gz"]  # what could not be read is tried again, what was refused is not


def test_no_image_at_all(tmp_path: Path) -> None:
    record = {"image": "gone.nii.gz", "id": "gone", "patient": "gone"}
    with pytest.raises(ValueError, match=r"None of the 1 images under .* can be used: gone cannot be found"):
        _open(tmp_path, Datalist([record]))


def test_disk_too_small(tmp_path: Path, datalist: Datalist, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=6000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OSError, match=r"needs 0\.00 GB, but .* has 0\.00 GB left\. Set cache_dir"):
        _open(tmp_path, datalist)  # three times 12 * 10 * 9 * 2 bytes
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=6480))
    assert len(_open(tmp_path, datalist)) == 3


def test_ids_must_be_file_names(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'\.\./a' cannot be a file name"):
        _open(tmp_path, Datalist([{"image": "a.nii.gz", "id": "../a", "patient": "a"}]))


def test_cache_serves_part_of_what_it_holds(tmp_path: Path, datalist: Datalist, read: list[str]) -> None:
    _open(tmp_path, datalist)
    assert _open(tmp_path, Datalist(validation=datalist.training[1:])).ids == ["b", "c"]
    assert _open(tmp_path, datalist).ids == list(NAMES)
    assert len(read) == 3


def test_full_cache_needs_no_write_access(tmp_path: Path, datalist: Datalist, monkeypatch: pytest.MonkeyPatch) -> None:
    _open(tmp_path, datalist)
    monkeypatch.setattr(CacheBuilder, "_lock", lambda self: pytest.fail("locks a cache that is complete"))
    assert len(_open(tmp_path, datalist)) == 3


def test_second_process_waits_for_the_first(
    tmp_path: Path, datalist: Datalist, read: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with ThreadPoolExecutor() as pool:
        caches = list(pool.map(lambda _: _open(tmp_path, datalist), range(3)))
    assert [cache.ids for cache in caches] == [list(NAMES)] * 3
    assert len(read) == 3
    assert "Another process fills the volume cache" in caplog.text


def test_box_is_the_slice(tmp_path: Path, datalist: Datalist) -> None:
    cache = pickle.loads(pickle.dumps(_open(tmp_path, datalist)))
    box = cache.read_box("a", [[2, 7], [0, 10], [3, 4]])
    assert box.dtype == np.float32
    np.testing.assert_array_equal(box, ct_like()[2:7, 0:10, 3:4])


def test_box_outside_has_the_background(tmp_path: Path, datalist: Datalist) -> None:
    cache = _open(tmp_path, datalist)
    low = ct_like().min()
    expected = np.pad(ct_like(), ((2, 1), (0, 3), (4, 0)), constant_values=low)[:, 5:, :6]
    np.testing.assert_array_equal(cache.read_box("a", [[-2, 13], [5, 13], [-4, 2]]), expected)
    np.testing.assert_array_equal(cache.read_box("a", [[-9, -4], [0, 2], [0, 2]]), np.full((5, 2, 2), low))
    np.testing.assert_array_equal(cache.read_box("a", [[20, 22], [0, 2], [0, 2]]), np.full((2, 2, 2), low))


def test_box_is_resampled(tmp_path: Path) -> None:
    ramp = np.broadcast_to(np.arange(-1000, 200, 100, dtype=np.int16), (10, 11, 12))
    write_nifti(tmp_path / "data/a.nii.gz", ramp)
    cache = _open(tmp_path, Datalist([{"image": "a.nii.gz", "id": "a", "patient": "a"}]))
    box = cache.read_box("a", [[0, 4], [2, 6], [2, 4]], size=(4, 4, 4))
    np.testing.assert_allclose(box[0, 0], [-800, -775, -725, -700], atol=1e-3)
    box = cache.read_box("a", [[0, 4], [2, 6], [0, 12]], size=(2, 8, 6))
    assert box.shape == (2, 8, 6)
    np.testing.assert_allclose(box[1, 3, 1:-1], [-750, -550, -350, -150], atol=1e-3)


def test_wrong_boxes(tmp_path: Path, datalist: Datalist) -> None:
    cache = _open(tmp_path, datalist)
    with pytest.raises(ValueError, match="does not fit a of shape"):
        cache.read_box("a", [[0, 4], [2, 6]])
    with pytest.raises(ValueError, match="start < stop"):
        cache.read_box("a", [[0, 4], [2, 6], [3, 3]])


def test_overview_is_kept(tmp_path: Path, datalist: Datalist, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = _open(tmp_path, datalist)
    overview = cache.overview("a", (6, 5, 4))
    np.testing.assert_allclose(overview, resize(ct_like(), (6, 5, 4)), atol=0.5)
    monkeypatch.setattr(VolumeCache, "array", lambda self, name: pytest.fail("reads the volume again"))
    np.testing.assert_array_equal(cache.overview("a", (6, 5, 4)), overview)
    assert (tmp_path / "cache/overviews/6x5x4/a.npy").is_file()


def test_fractions_keep_their_values(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((10, 11, 12)).astype(np.float32) * 3 - 1
    write_nifti(tmp_path / "data/a.nii.gz", values)
    cache = _open(tmp_path, Datalist([{"image": "a.nii.gz", "id": "a", "patient": "a"}]))
    assert cache.entry("a").dtype == "uint16"
    np.testing.assert_allclose(cache.read_box("a", [[0, 10], [0, 11], [0, 12]]), values, atol=3 / 65535)
    np.testing.assert_allclose(cache.entry("a").minimum, values.min(), atol=1e-6)
    np.testing.assert_allclose(cache.overview("a", (3, 3, 3)), resize(values, (3, 3, 3)), atol=1e-4)


def test_two_axes(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    picture = np.random.default_rng(0).integers(0, 200, (20, 30), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "data/a.png")
    cache = _open(tmp_path, Datalist([{"image": "a.png", "id": "a", "patient": "a"}]))
    assert cache.entry("a").shape == (30, 20)
    assert len(cache.entry("a").body_box) == 2
    np.testing.assert_array_equal(cache.read_box("a", [[5, 9], [0, 4]]), picture.T[5:9, 0:4])
    assert cache.overview("a", (8, 8)).shape == (8, 8)
