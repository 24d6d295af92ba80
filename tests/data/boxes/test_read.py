from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from monai_sg.data.boxes.read import ReadBoxd
from monai_sg.data.cache.opening import open_cache
from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.data.records import Datalist
from monai_sg.transforms.resampling import resize
from tests.data.boxes.conftest import ramps
from tests.data.conftest import ct_like, write_nifti

SHAPE = (14, 12, 10)


def _labelled(folder: Path, ndim: int = 3) -> tuple[VolumeCache, np.ndarray, np.ndarray]:
    """Return a cache of an image of two channels with a label map, and what was written."""
    shape = SHAPE[:ndim]
    image = np.stack([ct_like(shape, seed=1), ct_like(shape, seed=2)])
    labels = np.random.default_rng(0).integers(0, 4, shape).astype(np.uint8)
    (folder / "data").mkdir()
    if ndim == 3:
        names, label = ["a_0.nii.gz", "a_1.nii.gz"], "a_label.nii.gz"
        for name, channel in zip(names, image, strict=True):
            write_nifti(folder / "data" / name, channel)
        write_nifti(folder / "data" / label, labels)
    else:
        image = image.astype(np.uint8)
        names, label = ["a_0.png", "a_1.png"], "a_label.png"
        for name, picture in zip([*names, label], [*image, labels], strict=True):
            Image.fromarray(picture.T).save(folder / "data" / name)
    datalist = Datalist([{"image": names, "label": label, "id": "a", "patient": "a"}])
    opened = open_cache(datalist, folder / "data", folder / "cache", progress=False, channels=2, labels=True)
    return opened, image.astype(np.float32), labels


def test_a_box_becomes_a_crop_with_what_is_known_of_it(tmp_path: Path) -> None:
    cache = ramps(tmp_path)
    box = {"id": "near", "label": 3, "scale": 2, "box": [[4, 12], [5, 13], [6, 10]], "group": "training"}
    item = pickle.loads(pickle.dumps(ReadBoxd(cache, (8, 8, 4))))(box)
    assert item["image"].shape == (1, 8, 8, 4)
    assert (item["image"].dtype, item["label"].dtype) == (torch.float32, torch.int64)
    assert (item["label"].item(), item["id"], item["scale"], item["group"]) == (3, "near", 2, "training")
    assert set(item) == {"image", "label", "id", "scale", "group"}
    assert item["image"][0].numpy().tolist() == cache.array("near")[4:12, 5:13, 6:10].tolist()


def test_other_boxes_are_resampled_to_the_size(cache: VolumeCache) -> None:
    ndim = len(cache.entry("near").shape)
    image = ReadBoxd(cache, (8,) * ndim)({"id": "near", "box": [[-3, 9]] * ndim})["image"]
    padded = np.full((12,) * ndim, -1000.0, np.float32)
    padded[(slice(3, None),) * ndim] = cache.array("near")[(slice(0, 9),) * ndim]
    np.testing.assert_array_equal(image[0], resize(padded, (8,) * ndim))


def test_whole_images(cache: VolumeCache) -> None:
    ndim = len(cache.entry("near").shape)
    small = ReadBoxd(cache, (4,) * ndim)({"id": "near", "box": None})["image"]
    np.testing.assert_array_equal(small[0], np.rint(resize(cache.array("near"), (4,) * ndim)))
    own = ReadBoxd(cache)({"id": "near", "box": None})["image"]
    np.testing.assert_array_equal(own[0], cache.array("near"))


@pytest.mark.parametrize("ndim", [2, 3])
def test_channels_and_label_maps_are_of_the_same_voxels(tmp_path: Path, ndim: int) -> None:
    cache, image, labels = _labelled(tmp_path, ndim)
    extent = [[2, 10], [-2, 6], [4, 8]][:ndim]
    size = [stop - start for start, stop in extent]
    item = ReadBoxd(cache, size, label_map="label")({"id": "a", "box": extent, "label": 1})
    assert item["image"].shape == (2, *size)
    inside = (slice(2, 10), slice(0, 6), slice(4, 8))[:ndim]
    np.testing.assert_array_equal(item["image"][:, :, 2:], image[(slice(None), *inside)])
    for channel in range(2):
        assert (item["image"][channel, :, :2] == image[channel].min()).all()
    assert (item["label"].shape, item["label"].dtype) == ((1, *size), torch.int32)
    np.testing.assert_array_equal(item["label"][0, :, 2:], labels[inside])
    assert not item["label"][0, :, :2].any()
    half = [length // 2 for length in size]
    smaller = ReadBoxd(cache, half, label_map="seg")({"id": "a", "box": extent, "label": 1})
    assert smaller["label"].item() == 1
    every_other = (slice(None), *(slice(1, None, 2),) * ndim)
    np.testing.assert_array_equal(smaller["seg"], item["label"][every_other])
    whole = ReadBoxd(cache, label_map="label")({"id": "a", "box": None})
    np.testing.assert_array_equal(whole["image"], image)
    np.testing.assert_array_equal(whole["label"][0], labels)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_slice_of_a_volume_is_a_picture(tmp_path: Path, axis: int) -> None:
    cache, image, labels = _labelled(tmp_path)
    extent = [[0, length] for length in SHAPE]
    extent[axis] = [5, 6]
    size = [length for number, length in enumerate(SHAPE) if number != axis]
    item = ReadBoxd(cache, size, label_map="label")({"id": "a", "box": extent})
    np.testing.assert_array_equal(item["image"], image.take(5, axis=axis + 1))
    np.testing.assert_array_equal(item["label"][0], labels.take(5, axis=axis))
    smaller = ReadBoxd(cache, [6, 5])({"id": "a", "box": extent})["image"]
    np.testing.assert_allclose(smaller[1], resize(image[1].take(5, axis=axis), (6, 5)), atol=1e-3)
    with pytest.raises(ValueError, match=r"does not fit the size \[6, 5\]: give one number per axis, or one less"):
        ReadBoxd(cache, [6, 5])({"id": "a", "box": [[0, 4]] * 3})


def test_an_image_without_label_map_is_named(tmp_path: Path) -> None:
    cache = ramps(tmp_path)
    with pytest.raises(KeyError, match="'near' has no label map in"):
        ReadBoxd(cache, (8, 8, 4), label_map="label")({"id": "near", "box": [[0, 8], [0, 8], [0, 4]]})
