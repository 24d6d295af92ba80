from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch

from monai_sg.data.boxes.batches import READERS, box_batches
from monai_sg.data.boxes.box import Box
from monai_sg.data.cache.volume_cache import VolumeCache

MakeCache = Callable[..., VolumeCache]
HU = (-1000.0, 1000.0)


def test_boxes_are_read_in_batches_with_their_numbers(make_cache: MakeCache) -> None:
    cache = make_cache([(16, 16, 8)] * 2)
    box = [[4, 12], [2, 10], [0, 8]]
    wrong = [[0, 8], [0, 8]]
    placed = [("scan001", box), ("scan000", None), ("scan001", wrong), ("scan000", box)]
    boxes = [Box(id=name, box=extent) for name, extent in placed]
    batches = list(box_batches(cache, boxes, (8, 8, 8), HU, batch_size=2))
    assert [numbers for numbers, _ in batches] == [[0, 1], [3]]
    expected = ((torch.from_numpy(cache.read_box("scan001", box)) + 1000) / 2000).clamp(0, 1)
    assert torch.equal(batches[0][1][0, 0], expected)


def test_each_image_can_have_its_own_window(make_cache: MakeCache) -> None:
    cache = make_cache([(16, 16, 8)] * 2)
    brighter = 3 * cache.array("scan000") + 500
    np.save(cache.cache_dir / "arrays" / "scan001.npy", brighter)
    windows = cache.entry("scan001").windows
    windows.update(
        {mode: [[3 * v + 500 for v in window]] for mode, (window,) in cache.entry("scan000").windows.items()}
    )
    ((_, images),) = box_batches(
        cache, [Box(id=name, box=None) for name in ("scan000", "scan001")], (8, 8, 8), "percentile", batch_size=2
    )
    torch.testing.assert_close(images[0], images[1], rtol=0, atol=1e-3)
    assert images[0].std() > 0.1


@pytest.mark.parametrize("unreadable", [None, "scan003"])
def test_ranks_share_the_batches_of_one_process(make_cache: MakeCache, unreadable: str | None) -> None:
    cache = make_cache([(12, 12, 8)] * 7)
    if unreadable is not None:
        (cache.cache_dir / "arrays" / f"{unreadable}.npy").write_bytes(b"cut off")
    boxes = [Box(id=name, box=None) for name in cache.ids]
    whole = list(box_batches(cache, boxes, (8, 8, 8), HU, 2))
    assert [numbers for numbers, _ in whole] == [[0, 1], [2] if unreadable else [2, 3], [4, 5], [6]]
    parts = [list(box_batches(cache, boxes, (8, 8, 8), HU, 2, rank=rank, ranks=3)) for rank in range(3)]
    assert [len(part) for part in parts] == [2, 1, 1]
    for number, (numbers, images) in enumerate(whole):
        same_numbers, same_images = parts[number % 3][number // 3]
        assert numbers == same_numbers
        assert torch.equal(images, same_images)


def test_images_are_read_side_by_side_and_ahead_of_their_use(
    make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = make_cache([(8, 8, 8)] * 12)
    meeting, started, read = threading.Barrier(2), [], cache.overview

    def overview(name: str, size: tuple[int, ...]) -> np.ndarray:
        started.append(name)
        meeting.wait(timeout=20)  # two at a time, or an error
        return read(name, size)

    monkeypatch.setattr(cache, "overview", overview)
    batches = box_batches(cache, [Box(id=name, box=None) for name in cache.ids], (8, 8, 8), HU, batch_size=2)
    assert next(batches)[0] == [0, 1]
    deadline = time.monotonic() + 20
    while len(started) < 6 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.05)
    assert sorted(started) == cache.ids[:6], "two batches ahead of the first one, and no more"
    assert [numbers for numbers, _ in batches] == [[2, 3], [4, 5], [6, 7], [8, 9], [10, 11]]


def test_an_error_that_is_not_of_a_file_ends_the_reading(make_cache: MakeCache) -> None:
    cache = make_cache([(8, 8, 8)] * 2)
    with pytest.raises(KeyError, match="'unknown' is not in"):
        list(
            box_batches(cache, [Box(id=name, box=None) for name in ("scan000", "unknown")], (8, 8, 8), HU, batch_size=2)
        )


def test_no_thread_is_left_when_the_reading_ends_early(make_cache: MakeCache) -> None:
    cache = make_cache([(8, 8, 8)] * 8)
    before = threading.active_count()
    batches = box_batches(cache, [Box(id=name, box=None) for name in cache.ids], (8, 8, 8), HU, batch_size=1)
    next(batches)
    assert before < threading.active_count() <= before + READERS
    batches.close()
    assert threading.active_count() == before
