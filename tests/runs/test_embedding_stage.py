from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.data.records import Datalist
from monai_sg.discovery.embed import Embedding
from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.runs.embedding_stage import EmbeddingStage

MakeCache = Callable[..., VolumeCache]
MakeDatalist = Callable[..., Datalist]


def stage(cache: VolumeCache, datalist: Datalist, path: Path, **more: Any) -> EmbeddingStage:
    num_axes = len(cache.shapes[0])
    fixed = {
        "network": GenesisUNet(num_axes, width=2),
        "boxes": None,
        "crop_size": (8,) * num_axes,
        "overview_size": (16,) * num_axes,
        "intensity_range": (-1000, 1000),
        "batch_size": 2,
        "device": "cpu",
    }
    return EmbeddingStage(datalist=datalist, cache=cache, path=path, **{**fixed, **more})


@pytest.mark.parametrize("num_axes", [2, 3])
def test_features_of_whole_images_are_those_of_all_levels(
    make_cache: MakeCache, split_ids: MakeDatalist, tmp_path: Path, num_axes: int
) -> None:
    cache = make_cache([(20, 24, 18)[:num_axes]] * 3)
    made = stage(cache, split_ids(cache.ids), tmp_path / "new" / "features.npz")
    result = made()
    assert result.ids == cache.ids
    assert result.channels == [4, 8, 16, 32]
    assert result.size == (16,) * num_axes
    image = ((torch.from_numpy(cache.overview("scan002", result.size)) + 1000) / 2000).clamp(0, 1)[None, None]
    with torch.no_grad():
        second = made.network.eval().forward_features(image)[1].flatten(2).mean(-1)[0]
    np.testing.assert_allclose(result.features[2, 4:12], second.numpy(), rtol=1e-4, atol=1e-6)
    with np.load(tmp_path / "new" / "features.npz") as content:
        assert sorted(content.files) == ["channels", "features", "ids", "size"]
        assert content["features"].dtype == np.float32
    assert Embedding.load(tmp_path / "new" / "features.npz").ids == cache.ids


def test_levels_can_be_chosen(make_cache: MakeCache, split_ids: MakeDatalist, tmp_path: Path) -> None:
    cache = make_cache([(16, 16, 16)] * 2)
    both = stage(cache, split_ids(cache.ids), tmp_path / "a.npz", levels=[0, 3])
    result = both()
    assert result.channels == [4, 32]
    assert result.features.shape == (2, 36)


def test_boxes_and_labels_are_kept_with_their_features(
    make_cache: MakeCache, split_ids: MakeDatalist, tmp_path: Path
) -> None:
    cache = make_cache([(24, 24, 16)] * 3)
    (cache.cache_dir / "arrays" / "scan001.npy").write_bytes(b"cut off")
    rows = [f"scan00{number},{'ab'[number % 2]},0,12,{number},{number + 12},0,16" for number in (0, 1, 2, 2)]
    (tmp_path / "boxes.csv").write_text("\n".join(["id,label,x0,x1,y0,y1,z0,z1", *rows]))
    datalist = split_ids(cache.ids, test=1)
    result = stage(cache, datalist, tmp_path / "features.npz", boxes=tmp_path / "boxes.csv")()
    assert result.size == (8, 8, 8)
    with np.load(tmp_path / "features.npz") as content:
        assert content["ids"].tolist() == ["scan000", "scan002", "scan002"]
        assert content["boxes"][1].tolist() == [[0, 12], [2, 14], [0, 16]]
        assert content["labels"].tolist() == [0, 0, 0]
        assert content["classes"].tolist() == ["a", "b"]
        assert content["features"].shape == (3, 60)


def test_an_unknown_window_is_refused_before_anything_is_read(
    make_cache: MakeCache, split_ids: MakeDatalist, tmp_path: Path
) -> None:
    cache = make_cache([(16, 16, 16)] * 2)
    with pytest.raises(ValueError, match=r"'median' is neither two numbers.*percentile, zscore"):
        stage(cache, split_ids(cache.ids), tmp_path / "features.npz", intensity_range="median")


def test_features_that_are_no_numbers_are_refused(
    make_cache: MakeCache, split_ids: MakeDatalist, tmp_path: Path
) -> None:
    cache = make_cache([(16, 16, 16)] * 2)
    made = stage(cache, split_ids(cache.ids), tmp_path / "features.npz")
    torch.nn.init.constant_(made.network.get_parameter("encoder.3.1.conv.weight"), float("nan"))
    with pytest.raises(ValueError, match=r"\['scan000', 'scan001'\] are not finite"):
        made()
    assert not (tmp_path / "features.npz").exists()
