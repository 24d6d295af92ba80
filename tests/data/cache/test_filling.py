from __future__ import annotations

import logging
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monai_sg.data.cache import filling, images, opening
from monai_sg.data.cache.index import VERSION, CacheEntry, CacheIndex
from monai_sg.data.cache.opening import open_cache
from monai_sg.data.records import Datalist
from monai_sg.transforms.resampling import resize
from monai_sg.utils.files import write_json
from tests.data.conftest import NAMES, ct_like, open_small, write_nifti


def test_sources_are_read_once(tmp_path: Path, datalist: Datalist, read: list[str]) -> None:
    write_json(tmp_path / "cache/index.json", {"version": 0})  # of another version, hence ignored
    first = open_small(tmp_path, datalist)
    assert sorted(read) == ["a.nii.gz", "b.nii.gz", "c.nii.gz"]
    second = open_small(tmp_path, datalist)
    assert len(read) == 3
    assert [second.entry(name) for name in NAMES] == [first.entry(name) for name in NAMES]


def test_changed_source_is_made_again(tmp_path: Path, datalist: Datalist, read: list[str]) -> None:
    cache = open_small(tmp_path, datalist)
    before = cache.overview("b", (4, 4, 4))
    write_nifti(tmp_path / "data/b.nii.gz", ct_like((14, 10, 9), seed=9))
    cache = open_small(tmp_path, datalist)
    assert read[3:] == ["b.nii.gz"]
    assert cache.entry("b").shape == (14, 10, 9)
    assert not np.allclose(cache.overview("b", (4, 4, 4)), before)


def test_time_stamp_and_lost_array_count(tmp_path: Path, datalist: Datalist, read: list[str]) -> None:
    cache = open_small(tmp_path, datalist)
    os.utime(tmp_path / "data/a.nii.gz", ns=(1, 1))
    (lost,) = (tmp_path / "cache/arrays").glob("c-*.npy")
    lost.unlink()
    with pytest.raises(FileNotFoundError, match=r"c-.*\.npy was deleted while it was in use; run again"):
        cache.array("c")
    open_small(tmp_path, datalist)
    assert sorted(read[3:]) == ["a.nii.gz", "c.nii.gz"]
    np.testing.assert_array_equal(cache.array("c"), ct_like(seed=2))


def test_an_open_cache_keeps_its_images_while_another_spacing_is_made(
    tmp_path: Path, datalist: Datalist, read: list[str]
) -> None:
    size = (4, 4, 4)
    native = open_small(tmp_path, datalist)
    coarse = open_small(tmp_path, datalist, spacing=(4, 3, 4))
    assert len(read) == 6
    assert coarse.entry("a").spacing == (4, 3, 4)
    np.testing.assert_array_equal(native.array("a"), ct_like())
    np.testing.assert_allclose(native.overview("a", size), resize(ct_like(), size), atol=0.5)
    np.testing.assert_allclose(coarse.overview("a", size), resize(coarse.array("a"), size), atol=0.5)
    assert len(open_small(tmp_path, datalist)) == len(open_small(tmp_path, datalist, spacing=(4.0, 3.0, 4.0))) == 3
    assert len(read) == 6, "both are still there"


def test_data_sets_with_the_same_ids_share_a_folder(tmp_path: Path, datalist: Datalist, read: list[str]) -> None:
    first = open_small(tmp_path, datalist)
    for seed, name in enumerate(NAMES):
        write_nifti(tmp_path / f"other/{name}.nii.gz", ct_like((9, 12, 10), seed=10 + seed))
    second = open_cache(datalist, tmp_path / "other", tmp_path / "cache", progress=False)
    for cache, shape, seed in (
        (first, (12, 10, 9), 0),
        (second, (9, 12, 10), 10),
        (open_small(tmp_path, datalist), None, 0),
    ):
        np.testing.assert_array_equal(cache.array("a"), ct_like(shape or (12, 10, 9), seed=seed))
    assert len(read) == 6


def test_run_that_was_cut_off_is_continued(
    tmp_path: Path, datalist: Datalist, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = images.find_boxes

    def killed(*arguments: Any) -> Any:
        if len(read) == 2:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(images, "find_boxes", killed)
    with pytest.raises(KeyboardInterrupt):
        open_small(tmp_path, datalist, num_workers=1)
    monkeypatch.setattr(images, "find_boxes", original)
    done = CacheIndex.load(tmp_path / "cache/index.json", CacheEntry, VERSION).entries.values()
    assert {entry.id for entry in done} == {"a"}
    read.clear()
    assert open_small(tmp_path, datalist).ids == list(NAMES)
    assert sorted(read) == ["b.nii.gz", "c.nii.gz"]


def test_bad_images_never_end_the_run(
    tmp_path: Path, datalist: Datalist, read: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    write_nifti(tmp_path / "data/a.nii.gz", np.full((12, 10, 9), 5, dtype=np.int16))
    (tmp_path / "data/b.nii.gz").write_bytes((tmp_path / "data/b.nii.gz").read_bytes()[:900])
    datalist.test.append({"image": "gone.nii.gz", "id": "gone", "patient": "gone"})
    cache = open_small(tmp_path, datalist)
    assert cache.ids == ["c"]
    assert cache.skipped["a"] == "has the same value 5 in every voxel"
    assert cache.skipped["b"].startswith("is cut short or damaged")
    assert cache.skipped["gone"] == "cannot be found (No such file or directory)"
    assert "a.nii.gz has the same value 5 in every voxel; it is left out." in caplog.text
    with pytest.raises(KeyError, match="same value 5"):
        cache.array("a")
    read.clear()
    assert open_small(tmp_path, datalist).skipped == cache.skipped
    assert read == []  # what was refused is not tried again before it changes


def test_an_image_that_resampling_makes_constant_is_left_out(tmp_path: Path, datalist: Datalist) -> None:
    spot = np.zeros((12, 10, 9), dtype=np.int16)
    spot[1, 0, 0] = 1  # rounded to 0 when four voxels are averaged
    write_nifti(tmp_path / "data/a.nii.gz", spot)
    cache = open_small(tmp_path, datalist, spacing=(8, 3, 4))
    assert cache.ids == ["b", "c"]
    assert cache.skipped["a"] == "has the same value 0 in every voxel once it is resampled to (8, 3, 4) mm"


def test_an_image_whose_anatomy_cannot_be_searched_is_left_out(
    tmp_path: Path, datalist: Datalist, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = images.find_boxes

    def fails_for_b(array: np.ndarray, *more: Any) -> Any:
        if np.array_equal(array, ct_like(seed=1)):
            raise ValueError("no such axis")
        return original(array, *more)

    monkeypatch.setattr(images, "find_boxes", fails_for_b)
    cache = open_small(tmp_path, datalist)
    assert cache.ids == ["a", "c"]
    assert cache.skipped["b"] == "cannot be read (ValueError: no such axis)"


def test_disk_too_small(tmp_path: Path, datalist: Datalist, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=6000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OSError, match=r"needs 0\.00 GB, but .* has 0\.00 GB left\. Set cache_dir"):
        open_small(tmp_path, datalist)  # three times 12 * 10 * 9 * 2 bytes
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=6480))
    assert len(open_small(tmp_path, datalist)) == 3


def test_full_cache_needs_no_write_access(tmp_path: Path, datalist: Datalist, monkeypatch: pytest.MonkeyPatch) -> None:
    open_small(tmp_path, datalist)
    monkeypatch.setattr(filling, "folder_lock", lambda *_: pytest.fail("locks a cache that is complete"))
    assert len(open_small(tmp_path, datalist)) == 3


def test_second_process_waits_for_the_first(
    tmp_path: Path, datalist: Datalist, read: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with ThreadPoolExecutor() as pool:
        caches = list(pool.map(lambda _: open_small(tmp_path, datalist), range(3)))
    assert [cache.ids for cache in caches] == [list(NAMES)] * 3
    assert len(read) == 3
    assert "Another process fills the volume cache" in caplog.text


def test_a_lost_array_that_cannot_be_made_again_is_left_out(
    tmp_path: Path, datalist: Datalist, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = open_small(tmp_path, datalist).entry("b").key
    (tmp_path / f"cache/arrays/{key}.npy").unlink()
    monkeypatch.setattr(images, "read_channels", lambda *_: (tmp_path / "gone").read_bytes())
    cache = open_small(tmp_path, datalist)
    assert cache.ids == ["a", "c"]
    assert cache.skipped["b"].startswith("cannot be read (FileNotFoundError")


def test_what_another_process_cannot_read_is_left_out_here_too(
    tmp_path: Path, datalist: Datalist, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "gathered", lambda mine: [mine, {"b": "cannot be read (OSError: disk)"}])
    cache = open_small(tmp_path, datalist)
    assert cache.ids == ["a", "c"]
    assert cache.skipped == {"b": "cannot be read (OSError: disk)"}
