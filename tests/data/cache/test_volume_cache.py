from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.data.records import Datalist
from monai_sg.transforms.resampling import resize
from tests.data.conftest import NAMES, ct_like, open_small, write_nifti


def test_arrays_and_entries(tmp_path: Path, datalist: Datalist) -> None:
    cache = open_small(tmp_path, datalist)
    assert (cache.ids, len(cache), cache.skipped) == (list(NAMES), 3, {})
    np.testing.assert_array_equal(cache.array("b"), ct_like(seed=1))
    assert isinstance(cache.array("b"), np.memmap)
    entry = cache.entry("b")
    assert (entry.source, entry.shape, entry.spacing, entry.dtype) == (("b.nii.gz",), (12, 10, 9), (2, 3, 4), "int16")
    assert (entry.scales, entry.offsets, entry.minima) == ((1,), (0,), (ct_like(seed=1).min(),))
    with pytest.raises(KeyError, match="unknown id"):
        cache.entry("d")


def test_an_array_that_does_not_hold_what_the_index_says_is_refused(tmp_path: Path, datalist: Datalist) -> None:
    cache = open_small(tmp_path, datalist)
    (path,) = (tmp_path / "cache/arrays").glob("a-*.npy")
    for spoilt in (ct_like((12, 10, 8)), ct_like().astype(np.uint16)):
        np.save(path, spoilt)
        with pytest.raises(
            ValueError, match=r"the index .* says int16 of shape \(12, 10, 9\); run again to make it anew"
        ):
            cache.read_box("a", [[0, 4], [0, 4], [0, 4]])
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"a-.*npy is damaged .*; run again to make it anew"):
        cache.array("a")


def test_no_image_at_all(tmp_path: Path) -> None:
    record = {"image": "gone.nii.gz", "id": "gone", "patient": "gone"}
    with pytest.raises(ValueError, match=r"None of the 1 images under .* can be used: gone cannot be found"):
        open_small(tmp_path, Datalist([record]))


def test_ids_must_be_file_names(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'\.\./a' cannot be a file name"):
        open_small(tmp_path, Datalist([{"image": "a.nii.gz", "id": "../a", "patient": "a"}]))


def test_cache_serves_part_of_what_it_holds(tmp_path: Path, datalist: Datalist, read: list[str]) -> None:
    open_small(tmp_path, datalist)
    assert open_small(tmp_path, Datalist(validation=datalist.training[1:])).ids == ["b", "c"]
    assert open_small(tmp_path, datalist).ids == list(NAMES)
    assert len(read) == 3


def test_box_is_the_slice(tmp_path: Path, datalist: Datalist) -> None:
    cache = pickle.loads(pickle.dumps(open_small(tmp_path, datalist)))
    box = cache.read_box("a", [[2, 7], [0, 10], [3, 4]])
    assert box.dtype == np.float32
    np.testing.assert_array_equal(box, ct_like()[2:7, 0:10, 3:4])


def test_box_outside_has_the_background(tmp_path: Path, datalist: Datalist) -> None:
    cache = open_small(tmp_path, datalist)
    low = ct_like().min()
    expected = np.pad(ct_like(), ((2, 1), (0, 3), (4, 0)), constant_values=low)[:, 5:, :6]
    np.testing.assert_array_equal(cache.read_box("a", [[-2, 13], [5, 13], [-4, 2]]), expected)
    np.testing.assert_array_equal(cache.read_box("a", [[-9, -4], [0, 2], [0, 2]]), np.full((5, 2, 2), low))
    np.testing.assert_array_equal(cache.read_box("a", [[20, 22], [0, 2], [0, 2]]), np.full((2, 2, 2), low))


def test_box_is_resampled(tmp_path: Path) -> None:
    ramp = np.broadcast_to(np.arange(-1000, 200, 100, dtype=np.int16), (10, 11, 12))
    write_nifti(tmp_path / "data/a.nii.gz", ramp)
    cache = open_small(tmp_path, Datalist([{"image": "a.nii.gz", "id": "a", "patient": "a"}]))
    box = cache.read_box("a", [[0, 4], [2, 6], [2, 4]], size=(4, 4, 4))
    np.testing.assert_allclose(box[0, 0], [-800, -775, -725, -700], atol=1e-3)
    box = cache.read_box("a", [[0, 4], [2, 6], [0, 12]], size=(2, 8, 6))
    assert box.shape == (2, 8, 6)
    np.testing.assert_allclose(box[1, 3, 1:-1], [-750, -550, -350, -150], atol=1e-3)


def test_wrong_boxes(tmp_path: Path, datalist: Datalist) -> None:
    cache = open_small(tmp_path, datalist)
    with pytest.raises(ValueError, match="does not fit a of shape"):
        cache.read_box("a", [[0, 4], [2, 6]])
    with pytest.raises(ValueError, match="start < stop"):
        cache.read_box("a", [[0, 4], [2, 6], [3, 3]])


def test_overview_is_kept(tmp_path: Path, datalist: Datalist, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = open_small(tmp_path, datalist)
    overview = cache.overview("a", (6, 5, 4))
    np.testing.assert_allclose(overview, resize(ct_like(), (6, 5, 4)), atol=0.5)
    monkeypatch.setattr(VolumeCache, "array", lambda self, name: pytest.fail("reads the volume again"))
    np.testing.assert_array_equal(cache.overview("a", (6, 5, 4)), overview)
    assert [path.name for path in (tmp_path / "cache/overviews/6x5x4").iterdir()] == [f"{cache.entry('a').key}.npy"]


def test_fractions_keep_their_values(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((10, 11, 12)).astype(np.float32) * 3 - 1
    write_nifti(tmp_path / "data/a.nii.gz", values)
    cache = open_small(tmp_path, Datalist([{"image": "a.nii.gz", "id": "a", "patient": "a"}]))
    assert cache.entry("a").dtype == "uint16"
    np.testing.assert_allclose(cache.read_box("a", [[0, 10], [0, 11], [0, 12]]), values, atol=3 / 65535)
    np.testing.assert_allclose(cache.entry("a").minima[0], values.min(), atol=1e-6)
    np.testing.assert_allclose(cache.overview("a", (3, 3, 3)), resize(values, (3, 3, 3)), atol=1e-4)


def test_two_axes(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    picture = np.random.default_rng(0).integers(0, 200, (20, 30), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "data/a.png")
    cache = open_small(tmp_path, Datalist([{"image": "a.png", "id": "a", "patient": "a"}]))
    assert cache.entry("a").shape == (30, 20)
    assert len(cache.entry("a").body_box) == 2
    np.testing.assert_array_equal(cache.read_box("a", [[5, 9], [0, 4]]), picture.T[5:9, 0:4])
    assert cache.overview("a", (8, 8)).shape == (8, 8)
