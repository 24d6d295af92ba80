from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, EnsureChannelFirstd, Invertd, LoadImaged, Orientationd

from monai_sg.data.cache.opening import open_cache
from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.data.intensity import MODES
from monai_sg.data.records import Datalist
from monai_sg.data.window_intensity import InvertibleWindowIntensityd, WindowIntensityd
from tests.data.conftest import write_nifti


@pytest.fixture
def cache(tmp_path: Path) -> VolumeCache:
    """Two images of fractions: noise on a background, and the same a million times as bright."""
    noise = np.random.default_rng(0).gamma(2, 1.5, (12, 10, 8)).astype(np.float32)
    noise[:4] = 0
    for name, factor in (("dark", 1), ("bright", 1e6)):
        write_nifti(tmp_path / f"data/{name}.nii.gz", noise * np.float32(factor), np.diag([-1.0, 1.0, 1.0, 1.0]))
    records = [{"image": f"{name}.nii.gz", "id": name, "patient": name} for name in ("dark", "bright")]
    return open_cache(Datalist(records), tmp_path / "data", tmp_path / "cache", progress=False)


@pytest.mark.parametrize("shape", [(1, 1, 4), (1, 1, 4, 1)])
def test_two_numbers_become_0_and_1(shape: tuple[int, ...]) -> None:
    image = torch.tensor([-2000.0, -500.0, 0.0, 2000.0]).reshape(shape)
    item = WindowIntensityd("image", [-1000, 1000])({"image": image, "id": "a"})
    assert item["image"].flatten().tolist() == [0.0, 0.25, 0.5, 1.0]
    assert item["id"] == "a"


@pytest.mark.parametrize("mode", MODES)
def test_a_crop_has_the_window_of_its_image(cache: VolumeCache, mode: str) -> None:
    scale = WindowIntensityd("image", mode, cache)
    box = [[5, 9], [0, 10], [2, 6]]
    crops = [torch.from_numpy(cache.read_box(name, box))[None] for name in ("dark", "bright")]
    dark, bright = (
        scale({"id": name, "image": crop})["image"] for name, crop in zip(("dark", "bright"), crops, strict=True)
    )
    torch.testing.assert_close(dark, bright, rtol=0, atol=1e-3)
    low, high = cache.windows("bright", mode)[0]
    torch.testing.assert_close(bright, ((crops[1] - low) / (high - low)).clamp(0, 1))


@pytest.mark.parametrize("mode", MODES)
def test_a_whole_image_has_the_window_of_the_cache_and_goes_back_to_its_units(
    cache: VolumeCache, tmp_path: Path, mode: str
) -> None:
    before = Compose(
        [
            LoadImaged("image"),
            EnsureChannelFirstd("image"),
            Orientationd("image", axcodes="RAS", labels=None),
            InvertibleWindowIntensityd("image", mode),
        ]
    )
    item = before({"image": str(tmp_path / "data/bright.nii.gz")})
    cached = torch.from_numpy(cache.read_box("bright", [[0, 12], [0, 10], [0, 8]]))[None]
    expected = WindowIntensityd("image", mode, cache)({"id": "bright", "image": cached})["image"]
    torch.testing.assert_close(item["image"].as_tensor(), expected, rtol=0, atol=1e-3)
    item["pred"] = MetaTensor(torch.full((1, 12, 10, 8), 0.25))
    item["pred"][0, 0] = 1.0
    back = Invertd("pred", before, orig_keys="image")(item)["pred"]
    low, high = cache.windows("bright", mode)[0]
    assert back[0, 0].unique().tolist() == pytest.approx([low + 0.25 * (high - low)], rel=1e-3)
    assert back[0, -1].unique().tolist() == pytest.approx([high], rel=1e-3)


def test_a_prediction_from_a_scaled_image_is_left_as_it_is(cache: VolumeCache, tmp_path: Path) -> None:
    turn = Orientationd("image", axcodes="RAS", labels=None)
    before = Compose([LoadImaged("image"), EnsureChannelFirstd("image"), turn, WindowIntensityd("image", "zscore")])
    item = before({"image": str(tmp_path / "data/dark.nii.gz")})
    item["pred"] = MetaTensor(torch.full((1, 12, 10, 8), 0.25))
    assert Invertd("pred", before, orig_keys="image")(item)["pred"].unique().tolist() == [0.25]


@pytest.mark.parametrize("shape", [(2, 3, 2), (2, 3, 2, 1)])
def test_each_channel_has_a_window_of_its_own(shape: tuple[int, ...]) -> None:
    values = torch.tensor([[0.0, 2, 2, 2, 4, 4], [0.0, 20, 20, 20, 40, 40]]).reshape(shape)  # windows: 2 to 4, 20 to 40
    scale = InvertibleWindowIntensityd("image", "percentile")
    item = scale({"image": MetaTensor(values)})
    expected = torch.tensor([[0.0, 0, 0, 0, 1, 1]] * 2).reshape(shape)
    torch.testing.assert_close(item["image"].as_tensor(), expected)
    back = scale.inverse(item)["image"].as_tensor()
    torch.testing.assert_close(back, values.clamp(min=torch.tensor([2.0, 20]).reshape(2, *[1] * (len(shape) - 1))))


def test_a_wrong_text_is_refused() -> None:
    with pytest.raises(ValueError, match="intensity_range = 'foo' is neither two numbers"):
        WindowIntensityd("image", "foo")
