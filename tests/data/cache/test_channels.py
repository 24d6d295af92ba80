from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from monai_sg.data.cache.opening import open_cache
from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.data.records import Datalist
from monai_sg.data.window_intensity import WindowIntensityd
from monai_sg.transforms.resampling import resize
from tests.data.conftest import ct_like, write_nifti

SHAPE = (12, 10, 9)
CHANNELS = np.stack([ct_like(SHAPE, seed) for seed in range(3)]) * np.array([1, 2, 4], np.int16).reshape(3, 1, 1, 1)


def _open(folder: Path, image: str | list[str], channels: int = 3, **more: object) -> VolumeCache:
    datalist = Datalist([{"image": image, "id": "a", "patient": "a"}])
    return open_cache(datalist, folder, folder / "cache", progress=False, channels=channels, **more)  # type: ignore[arg-type]


def _in_one_file(folder: Path) -> str:
    turned = np.diag([-2.0, 3.0, 4.0, 1.0])  # stored from right to left
    write_nifti(folder / "a.nii.gz", np.moveaxis(CHANNELS, 0, -1)[::-1], turned)
    return "a.nii.gz"


def _in_three_files(folder: Path) -> list[str]:
    return [write_nifti(folder / f"a_{number}.nii.gz", channel).name for number, channel in enumerate(CHANNELS)]


@pytest.mark.parametrize("write", [_in_one_file, _in_three_files])
def test_channels_come_first_in_canonical_axes(tmp_path: Path, write: object) -> None:
    cache = _open(tmp_path, write(tmp_path))  # type: ignore[operator]
    entry = cache.entry("a")
    assert (entry.shape, entry.channels, entry.spacing, entry.dtype) == (SHAPE, 3, (2, 3, 4), "int16")
    np.testing.assert_array_equal(cache.array("a"), CHANNELS)
    assert isinstance(cache.array("a"), np.memmap)
    assert cache.shapes == [SHAPE]
    np.testing.assert_array_equal(cache.channel("a", 2).stored, CHANNELS[2])
    box = cache.read_box("a", [[2, 7], [-1, 4], [3, 5]])
    np.testing.assert_array_equal(box[:, :, 1:], CHANNELS[:, 2:7, :4, 3:5])
    np.testing.assert_array_equal(box[:, 0, 0, 0], CHANNELS.min(axis=(1, 2, 3)))
    np.testing.assert_allclose(
        cache.overview("a", (6, 5, 4)), [resize(channel, (6, 5, 4)) for channel in CHANNELS], atol=0.5
    )
    np.testing.assert_array_equal(cache.overview("a", (6, 5, 4)), cache.overview("a", (6, 5, 4)))


def test_each_channel_has_its_own_window(tmp_path: Path) -> None:
    cache = _open(tmp_path, _in_three_files(tmp_path))
    for number, (low, high) in enumerate(cache.windows("a", "percentile")):
        foreground = CHANNELS[number][CHANNELS[number] > CHANNELS[number].min()]
        assert (low, high) == pytest.approx(np.percentile(foreground, (0.5, 99.5)), abs=1e-6)
    assert cache.windows("a", [0, 10]) == [(0.0, 10.0)] * 3
    image = torch.from_numpy(cache.read_box("a", [[0, length] for length in SHAPE]))
    scaled = WindowIntensityd("image", "percentile", cache)({"image": image, "id": "a"})["image"]
    torch.testing.assert_close(scaled, cache.scaled("a", image, "percentile"))
    assert scaled.amin((1, 2, 3)).tolist() == [0, 0, 0]
    assert scaled.amax((1, 2, 3)).tolist() == [1, 1, 1]


def test_channels_of_different_kinds_keep_their_values(tmp_path: Path) -> None:
    suv = np.random.default_rng(0).random(SHAPE).astype(np.float32) * 12
    names = [write_nifti(tmp_path / name, array).name for name, array in (("ct.nii", ct_like()), ("pet.nii", suv))]
    cache = _open(tmp_path, names, channels=2)
    box = cache.read_box("a", [[0, length] for length in SHAPE])
    np.testing.assert_array_equal(box[0], ct_like())
    np.testing.assert_allclose(box[1], suv, atol=12 / 65535)


def test_the_body_is_that_of_all_channels(tmp_path: Path) -> None:
    pictures = np.zeros((2, 20, 16, 12), np.int16)
    pictures[0, 4:10, 4:8, 2:9], pictures[1, 8:15, 6:11, 3:11] = 500, 300
    grid = np.diag([4.0, 4.0, 4.0, 1.0])
    names = [write_nifti(tmp_path / f"{n}.nii", picture, grid).name for n, picture in enumerate(pictures)]
    cache = _open(tmp_path, names, channels=2)
    assert cache.entry("a").body_box == [[4, 15], [4, 11], [2, 11]]
    assert cache.entry("a").lung_box is None


def test_images_with_another_number_of_channels_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_nifti(tmp_path / "b.nii.gz", ct_like())
    records = [{"image": name, "id": name[0], "patient": name[0]} for name in (_in_one_file(tmp_path), "b.nii.gz")]
    with caplog.at_level(logging.WARNING):
        cache = open_cache(Datalist(records), tmp_path, tmp_path / "cache", progress=False)
    assert (cache.ids, cache.skipped) == (["b"], {"a": "has 3 channels; images with 1 are used"})
    assert "a has 3 channels; images with 1 are used; it is left out." in caplog.messages


def test_a_channel_of_one_value_is_refused(tmp_path: Path) -> None:
    channels = np.moveaxis(CHANNELS, 0, -1).copy()
    channels[..., 1] = 7
    write_nifti(tmp_path / "a.nii.gz", channels)
    with pytest.raises(ValueError, match="has the same value 7 in every voxel of channel 1"):
        _open(tmp_path, "a.nii.gz")


def test_a_file_of_a_channel_counts_for_what_is_kept(tmp_path: Path) -> None:
    names = _in_three_files(tmp_path)
    key = _open(tmp_path, names).entry("a").key
    assert _open(tmp_path, names).entry("a").key == key
    assert _open(tmp_path, names[::-1]).entry("a").key != key
    write_nifti(tmp_path / names[1], ct_like(SHAPE, seed=8))
    assert _open(tmp_path, names).entry("a").key != key
    (tmp_path / names[2]).unlink()
    with pytest.raises(ValueError, match="a cannot be found"):
        _open(tmp_path, names)


@pytest.mark.parametrize("damage", [lambda whole: whole[:-7], lambda whole: b"", lambda whole: b"\0" * len(whole)])
def test_damaged_arrays_are_named_and_made_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: object
) -> None:
    name = _in_one_file(tmp_path)
    cache = _open(tmp_path, name)
    cache.overview("a", (4, 4, 4))
    (array,) = (tmp_path / "cache/arrays").iterdir()
    (overview,) = (tmp_path / "cache/overviews/4x4x4").iterdir()
    for path in (array, overview):
        path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    caplog.clear()
    cache = _open(tmp_path, name)
    np.testing.assert_array_equal(cache.array("a"), CHANNELS)
    assert cache.overview("a", (4, 4, 4)).shape == (3, 4, 4, 4)
    assert [
        sum(str(path) in text and "made again" in text for text in caplog.messages) for path in (array, overview)
    ] == [1, 1]
