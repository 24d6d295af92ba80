from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.discovery.embed import Embedding, embed
from monai_sg.networks.non_skip_unet import NonSkipUNet

MakeCache = Callable[..., VolumeCache]
HU = (-1000.0, 1000.0)


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_features_are_the_mean_of_the_bottleneck(make_cache: MakeCache, spatial_dims: int) -> None:
    cache = make_cache([(24, 20, 16)[:spatial_dims]] * 3)
    network = NonSkipUNet(spatial_dims=spatial_dims, width=2).train()
    size = (16, 16, 8)[:spatial_dims]
    embedding = embed(network, cache, cache.ids, size, HU, batch_size=2)
    assert network.training
    assert embedding.ids == cache.ids
    overview = ((torch.from_numpy(cache.overview("scan001", size)) + 1000) / 2000).clamp(0, 1)
    expected = network.eval().forward_features(overview[None, None])[-1].flatten(2).mean(-1)[0]
    torch.testing.assert_close(embedding.features[1], expected, rtol=1e-5, atol=1e-6)
    one_by_one = embed(network, cache, cache.ids, size, HU, batch_size=1)
    torch.testing.assert_close(embedding.features, one_by_one.features, rtol=1e-5, atol=1e-6)


def test_an_unreadable_image_is_left_out_and_named(make_cache: MakeCache, caplog: pytest.LogCaptureFixture) -> None:
    cache = make_cache([(16, 16, 8)] * 3)
    (cache.cache_dir / "arrays" / "scan001.npy").write_bytes(b"cut off")
    network = NonSkipUNet(spatial_dims=3, width=2)
    with caplog.at_level(logging.WARNING):
        embedding = embed(network, cache, cache.ids, (8, 8, 8), HU)
    assert embedding.ids == ["scan000", "scan002"]
    assert "scan001 is left out" in caplog.text
    with pytest.raises(ValueError, match="None of the images"):
        embed(network, cache, ["scan001"], (8, 8, 8), HU)


def test_levels_can_be_chosen(make_cache: MakeCache) -> None:
    cache = make_cache([(16, 16, 8)] * 2)
    network = NonSkipUNet(spatial_dims=3, width=2)
    every, deepest, two = (
        embed(network, cache, cache.ids, (8, 8, 8), HU, levels=levels).features for levels in (None, (-1,), (0, 3))
    )
    assert every.shape == (2, 4 + 8 + 16 + 32)
    assert torch.equal(every[:, -32:], deepest)
    assert torch.equal(torch.cat([every[:, :4], every[:, -32:]], dim=1), two)
    for levels in ((4,), ()):
        with pytest.raises(ValueError, match=r"levels is .*0 \(shallow\) to 3"):
            embed(network, cache, cache.ids, (8, 8, 8), HU, levels=levels)


def test_saved_features_keep_their_ids(tmp_path: Path) -> None:
    embedding = Embedding(["a", "b"], torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    loaded = Embedding.load(embedding.save(tmp_path / "features.npz"))
    assert loaded.ids == ["a", "b"]
    assert torch.equal(loaded.select(["b"]), torch.tensor([[3.0, 4.0]]))
    assert loaded.sha256 == embedding.sha256
    assert Embedding(["b", "a"], embedding.features).sha256 != embedding.sha256
    assert sorted(np.load(tmp_path / "features.npz").files) == ["features", "ids"]


def test_refuses_features_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="2 ids do not fit"):
        Embedding(["a", "b"], torch.zeros(3, 2))
    with pytest.raises(ValueError, match="repeated"):
        Embedding(["a", "a"], torch.zeros(2, 2))
    with pytest.raises(ValueError, match=r"\['b'\] are not finite"):
        Embedding(["a", "b"], torch.tensor([[0.0], [float("inf")]]))
