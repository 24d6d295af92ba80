"""Boxes of images as batches in [0, 1], read ahead of their use."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import torch
from torch import Tensor

from ...utils.progress import Bar
from ..cache.volume_cache import VolumeCache
from ..intensity import IntensityRange
from .box import Box
from .read import ReadBoxd

logger = logging.getLogger(__name__)

READERS = 4
BATCHES_AHEAD = 2

Batch = tuple[list[int], Tensor]


def box_batches(
    cache: VolumeCache,
    boxes: Sequence[Box],
    size: Sequence[int],
    intensity_range: IntensityRange,
    batch_size: int,
    progress: str | None = None,
    rank: int = 0,
    ranks: int = 1,
) -> Iterator[Batch]:
    """Read boxes or whole images, batch by batch; one that cannot be read is left out with the reason in the log.

    Threads read up to two batches ahead. A batch is made of consecutive boxes, whatever can be read and whichever
    rank reads it, so that the features of a box, which depend on its batch by rounding, do not depend on either.

    Args:
        cache: holds the images.
        boxes: what is read.
        size: voxels per axis that each is resized to.
        intensity_range: physical values that become 0 and 1, or a window per image.
        batch_size: boxes per batch; the last may have fewer, as one with boxes that cannot be read.
        progress: text before a bar; ``None`` shows none.
        rank: number of this process, from 0.
        ranks: processes that share the batches in turn.

    Yields:
        the numbers of the boxes, and images (B, C, *size), float32, in [0, 1].
    """
    starts = range(rank * batch_size, len(boxes), ranks * batch_size)
    blocks = [range(start, min(start + batch_size, len(boxes))) for start in starts]
    numbers = [number for block in blocks for number in block]
    read = partial(_read, cache, ReadBoxd(cache, size), intensity_range)
    results = _read_ahead(read, [boxes[number] for number in numbers], BATCHES_AHEAD * batch_size)
    shown = iter(Bar(results, progress, len(numbers), disable=progress is None))
    for block in blocks:
        found = {number: next(shown) for number in block}
        images = {number: result for number, result in found.items() if isinstance(result, Tensor)}
        if images:
            yield list(images), torch.stack(list(images.values()))


def _read(cache: VolumeCache, reader: ReadBoxd, intensity_range: IntensityRange, box: Box) -> Tensor | None:
    """Return an image or box (C, *size), or ``None`` with the reason in the log."""
    try:
        image = reader.image(box)
    except (OSError, ValueError) as error:
        logger.warning("%s is left out: %s", box["id"], error)
        return None
    return cache.scaled(box["id"], image, intensity_range)


def _read_ahead(read: Callable[[Box], Tensor | None], boxes: Sequence[Box], ahead: int) -> Iterator[Tensor | None]:
    """Yield what ``read`` returns, in order, while threads read at most ``ahead`` further boxes."""
    # Unlike MONAI's ThreadBuffer, in which an error of the source ends the iteration without a word.
    pool = ThreadPoolExecutor(READERS)
    waiting: deque[Future[Tensor | None]] = deque()
    try:
        for box in boxes:
            waiting.append(pool.submit(read, box))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
