from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch

from monai_sg.data.boxes.box import Box
from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.discovery import features as extraction
from monai_sg.discovery.features import box_features, extract_features, global_average
from monai_sg.networks.non_skip_unet import NonSkipUNet

MakeCache = Callable[..., VolumeCache]
HU = (-1000.0, 1000.0)
SIZE = (8, 8, 8)


def test_maps_are_averaged_and_put_side_by_side() -> None:
    maps = [torch.tensor([[[[1.0, 3.0]], [[0.0, 4.0]]]]), torch.tensor([[[[5.0]]]])]
    assert global_average(maps).tolist() == [[2.0, 2.0, 5.0]]


def test_rows_keep_the_numbers_of_their_batches() -> None:
    network = NonSkipUNet(spatial_dims=3, width=2).train()
    images = torch.rand(3, 1, *SIZE)
    rows, features, channels = extract_features(network, [([4, 0], images[:2]), ([7], images[2:])])
    assert rows == [4, 0, 7]
    assert features.shape == (3, 60)
    assert channels == [4, 8, 16, 32]
    assert network.training
    assert extract_features(network, []).rows == []


def test_images_and_boxes_that_can_be_read_keep_their_order(make_cache: MakeCache) -> None:
    cache = make_cache([(16, 16, 8)] * 3)
    (cache.cache_dir / "arrays" / "scan001.npy").write_bytes(b"cut off")
    network = NonSkipUNet(spatial_dims=3, width=2)
    box = [[4, 12], [2, 10], [0, 8]]
    placed = [("scan000", None), ("scan001", None), ("scan002", box), ("scan000", box)]
    boxes = [Box(id=name, box=extent) for name, extent in placed]
    rows, features, channels = box_features(network, cache, boxes, SIZE, HU, batch_size=2)
    assert rows == [0, 2, 3]
    assert features.shape == (3, sum(channels))
    with pytest.raises(ValueError, match="None of the images or boxes"):
        box_features(network, cache, boxes[1:2], SIZE, HU, batch_size=2)


@pytest.mark.parametrize("ranks", [2, 5])
def test_ranks_together_find_what_one_process_finds(
    make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, ranks: int
) -> None:
    cache = make_cache([(12, 12, 8)] * 7)
    (cache.cache_dir / "arrays" / "scan003.npy").write_bytes(b"cut off")
    network = NonSkipUNet(spatial_dims=3, width=2)
    boxes = [Box(id=name, box=None) for name in cache.ids]
    whole = box_features(network, cache, boxes, SIZE, HU, batch_size=2)
    parts: list[Any] = []

    def of_rank(number: int, gathered: Callable[[Any], list[Any]]) -> Any:
        monkeypatch.setattr(extraction, "world_size", lambda: ranks)
        monkeypatch.setattr(extraction, "rank", lambda: number)
        monkeypatch.setattr(extraction, "gathered", gathered)
        return box_features(network, cache, boxes, SIZE, HU, batch_size=2)

    for number in range(ranks):
        with caplog.at_level(logging.ERROR), pytest.raises(StopIteration):
            of_rank(number, lambda part: parts.append(part) or next(iter(())))
    assert [len(part.rows) for part in parts] == ([4, 2] if ranks == 2 else [2, 1, 2, 1, 0])
    together = of_rank(1, lambda part: parts)
    assert together.rows == whole.rows == [0, 1, 2, 4, 5, 6]
    assert together.channels == whole.channels
    assert torch.equal(together.features, whole.features)
