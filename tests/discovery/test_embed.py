from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from monai_sg.data.cache import VolumeCache
from monai_sg.discovery.embed import Embedding, describe, embed, pooled, read_regions
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


def test_maps_are_averaged_and_put_side_by_side() -> None:
    maps = [torch.tensor([[[[1.0, 3.0]], [[0.0, 4.0]]]]), torch.tensor([[[[5.0]]]])]
    assert pooled(maps).tolist() == [[2.0, 2.0, 5.0]]


def test_boxes_are_read_in_batches_and_described_with_their_numbers(make_cache: MakeCache) -> None:
    cache = make_cache([(16, 16, 8)] * 2)
    box = [[4, 12], [2, 10], [0, 8]]
    regions = [("scan001", box), ("scan000", None), ("scan001", [[0, 8], [0, 8]]), ("scan000", box)]
    batches = list(read_regions(cache, regions, (8, 8, 8), HU, batch_size=2))
    assert [numbers for numbers, _ in batches] == [[0, 1], [3]]
    expected = ((torch.from_numpy(cache.read_box("scan001", box)) + 1000) / 2000).clamp(0, 1)
    assert torch.equal(batches[0][1][0, 0], expected)
    network = NonSkipUNet(spatial_dims=3, width=2)
    rows, features, channels = describe(network, batches)
    assert rows == [0, 1, 3]
    assert features.shape == (3, 60)
    assert channels == [4, 8, 16, 32]
    with pytest.raises(ValueError, match="None of the images or boxes"):
        describe(network, [])


def test_each_image_can_have_its_own_window(make_cache: MakeCache) -> None:
    cache = make_cache([(16, 16, 8)] * 2)
    brighter = 3 * cache.array("scan000") + 500
    np.save(cache.cache_dir / "arrays" / "scan001.npy", brighter)
    windows = cache.entry("scan001").windows
    windows.update({mode: [3 * v + 500 for v in window] for mode, window in cache.entry("scan000").windows.items()})
    ((_, images),) = read_regions(cache, [("scan000", None), ("scan001", None)], (8, 8, 8), "percentile", batch_size=2)
    torch.testing.assert_close(images[0], images[1], rtol=0, atol=1e-3)
    assert images[0].std() > 0.1


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
