from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from monai_sg.data.cache.index import CacheEntry
from monai_sg.data.cache.label_maps import labels_on_image
from monai_sg.data.cache.opening import open_cache
from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.data.readers.formats import UnusableImageError
from monai_sg.data.records import Datalist
from tests.data.conftest import ct_like, write_nifti


def entry_of(shape: tuple[int, ...], affine: np.ndarray) -> CacheEntry:
    spacing = tuple(np.linalg.norm(affine[:3, :3], axis=0)[: len(shape)].tolist())
    box = [[0, length] for length in shape]
    values = ("int16", (1.0,), (0.0,), (0.0,))
    return CacheEntry("a", "a", ("a.nii",), shape, spacing, affine.tolist(), *values, box, None, windows={})


def test_labels_are_laid_on_the_voxels_of_the_image(tmp_path: Path) -> None:
    labels = np.arange(512, dtype=np.int16).reshape(8, 8, 8)
    # The file runs from right to left at 2 mm; the image is RAS at 1 mm and begins 2 mm further to the left.
    to_file = np.diag([-2.0, 2.0, 2.0, 1.0])
    to_file[0, 3] = 14.0
    nibabel.save(nibabel.Nifti1Image(labels, to_file), tmp_path / "a.nii")
    affine = np.eye(4)
    affine[:3, 3] = [-2.5, -0.5, -0.5]
    found = labels_on_image(tmp_path / "a.nii", entry_of((12, 16, 16), affine))
    assert not found[:2].any()
    assert np.array_equal(found[2:], labels[::-1].repeat(2, 0).repeat(2, 1).repeat(2, 2)[:10])


def test_a_map_of_fractions_is_refused(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.linspace(0, 1, 512, dtype=np.float32).reshape(8, 8, 8), np.eye(4))
    nibabel.save(image, tmp_path / "a.nii")
    with pytest.raises(UnusableImageError, match=r"label map .*a\.nii holds the label values .* which are not whole"):
        labels_on_image(tmp_path / "a.nii", entry_of((8, 8, 8), np.eye(4)))


def test_a_map_of_one_label_is_laid_too(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.ones((8, 8, 8), dtype=np.uint8), np.eye(4)), tmp_path / "a.nii")
    assert labels_on_image(tmp_path / "a.nii", entry_of((8, 8, 8), np.eye(4))).all()


def _datalist(folder: Path, labels: np.ndarray, affine: np.ndarray) -> Datalist:
    """Write an image of two canonical axes and a label map under ``affine``, and list them beside an unlabelled one."""
    write_nifti(folder / "data/a.nii", ct_like((8, 8, 8)), np.eye(4))
    write_nifti(folder / "data/b.nii", ct_like((8, 8, 8), seed=1), np.eye(4))
    write_nifti(folder / "data/a_label.nii", labels, affine)
    records = [{"image": f"{name}.nii", "id": name, "patient": name} for name in "ab"]
    return Datalist(training=[{**records[0], "label": "a_label.nii"}, {**records[1], "label": 3}])


def _open(folder: Path, datalist: Datalist, **more: Any) -> VolumeCache:
    return open_cache(datalist, folder / "data", folder / "cache", progress=False, labels=True, **more)


def test_cached_labels_are_on_the_grid_of_the_cached_image(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 3, (8, 8, 8)).astype(np.float32)
    flipped = np.diag([-1.0, 1.0, 1.0, 1.0])
    flipped[0, 3] = 7.0
    cache = _open(tmp_path, _datalist(tmp_path, labels[::-1], flipped))
    assert (cache.has_label("a"), cache.has_label("b")) == (True, False)
    np.testing.assert_array_equal(cache.label("a"), labels)
    assert isinstance(cache.label("a"), np.memmap)
    assert (cache.label("a").dtype, cache.label_entry("a").values) == (np.uint8, [0, 1, 2])
    box = cache.read_label_box("a", [[-1, 3], [2, 6], [7, 9]])
    assert (box.dtype, box.shape) == (np.int32, (4, 4, 2))
    np.testing.assert_array_equal(box[1:, :, 0], labels[:3, 2:6, 7])
    assert not box[0].any()
    assert not box[..., 1].any()
    np.testing.assert_array_equal(cache.read_label_box("a", [[0, 8]] * 3, (4, 4, 4)), labels[1::2, 1::2, 1::2])
    with pytest.raises(KeyError, match="'b' has no label map"):
        cache.label("b")


def test_labels_follow_the_spacing_of_the_image(tmp_path: Path) -> None:
    labels = np.arange(8, dtype=np.int16).repeat(64).reshape(8, 8, 8) * 300
    cache = _open(tmp_path, _datalist(tmp_path, labels, np.eye(4)), spacing=(2.0, 1.0, 1.0))
    assert cache.entry("a").shape == cache.label("a").shape
    assert cache.label("a").dtype == np.uint16
    np.testing.assert_array_equal(cache.label("a")[:, 0, 0], labels[::2, 0, 0])


def test_labels_are_kept_and_made_again_when_their_file_or_their_image_changes(tmp_path: Path) -> None:
    datalist = _datalist(tmp_path, np.ones((8, 8, 8), np.uint8), np.eye(4))
    key = _open(tmp_path, datalist).label_entry("a").key
    path = tmp_path / f"cache/arrays/{key}.npy"
    before = path.stat().st_mtime_ns
    assert _open(tmp_path, datalist).label_entry("a").key == key
    assert path.stat().st_mtime_ns == before
    write_nifti(tmp_path / "data/a_label.nii", np.full((8, 8, 8), 2, np.uint8), np.eye(4))
    changed = _open(tmp_path, datalist).label_entry("a")
    assert (changed.key != key, changed.values) == (True, [2])
    write_nifti(tmp_path / "data/a.nii", ct_like((8, 8, 8), seed=9), np.eye(4))
    assert _open(tmp_path, datalist).label_entry("a").key not in (key, changed.key)


def test_a_label_map_that_cannot_be_used_is_named_and_its_image_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    datalist = _datalist(tmp_path, np.linspace(0, 1, 512, dtype=np.float32).reshape(8, 8, 8), np.eye(4))
    cache = _open(tmp_path, datalist)
    assert (cache.ids, cache.has_label("a")) == (["a", "b"], False)
    assert "a_label.nii" in caplog.text
    assert (
        "which are not whole; was it interpolated? Resample label maps with nearest neighbour; it is left out."
        in caplog.text
    )


def test_a_label_map_beside_its_image_in_space_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    affine = np.eye(4)
    affine[0, 3] = 100.0
    cache = _open(tmp_path, _datalist(tmp_path, np.ones((8, 8, 8), np.uint8), affine))
    assert not cache.has_label("a")
    assert "has labels, but none of them lies on its image; it is left out." in caplog.text
