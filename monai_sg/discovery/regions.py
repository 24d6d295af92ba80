"""Images and boxes of images as batches, read ahead of their use."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import torch
from torch import Tensor

from ..data.cache.volume_cache import VolumeCache
from ..data.intensity import IntensityRange, scaled
from ..utils.progress import Bar

logger = logging.getLogger(__name__)

READERS = 4
BATCHES_AHEAD = 2

Region = tuple[str, list[list[int]] | None]
Batch = tuple[list[int], Tensor]


def read_regions(
    cache: VolumeCache,
    regions: Sequence[Region],
    size: Sequence[int],
    intensity_range: IntensityRange,
    batch_size: int,
    progress: str | None = None,
    rank: int = 0,
    ranks: int = 1,
) -> Iterator[Batch]:
    """Read images or boxes of images, batch by batch; one that cannot be read is left out with the reason in the log.

    Threads read up to two batches ahead. A batch is made of consecutive regions, whatever can be read and whichever
    rank reads it, so that the features of a region, which depend on its batch by rounding, do not depend on either.

    Args:
        cache: holds the images.
        regions: id of the image, and the box in voxels, half-open, or ``None`` for the whole image.
        size: voxels per axis that each is resized to.
        intensity_range: physical values that become 0 and 1, or a window per image.
        batch_size: regions per batch; the last may have fewer, as one with regions that cannot be read.
        progress: text before a bar; ``None`` shows none.
        rank: number of this process, from 0.
        ranks: processes that share the batches in turn.

    Yields:
        the numbers of the regions, and images (B, 1, *size), float32, in [0, 1].
    """
    starts = range(rank * batch_size, len(regions), ranks * batch_size)
    blocks = [range(start, min(start + batch_size, len(regions))) for start in starts]
    numbers = [number for block in blocks for number in block]
    read = partial(_read, cache, tuple(size), intensity_range)
    results = _read_ahead(read, [regions[number] for number in numbers], BATCHES_AHEAD * batch_size)
    shown = iter(Bar(results, progress, len(numbers), disable=progress is None))
    for block in blocks:
        found = {number: next(shown) for number in block}
        images = {number: result for number, result in found.items() if isinstance(result, Tensor)}
        if images:
            yield list(images), torch.stack(list(images.values()))


def _read(cache: VolumeCache, size: tuple[int, ...], intensity_range: IntensityRange, region: Region) -> Tensor | None:
    """Return an image or box (1, *size), or ``None`` with the reason in the log."""
    name, box = region
    try:
        array = cache.overview(name, size) if box is None else cache.read_box(name, box, size)
    except (OSError, ValueError) as error:
        logger.warning("%s is left out of the embedding: %s", name, error)
        return None
    return scaled(torch.from_numpy(array), cache.window(name, intensity_range))[None]


def _read_ahead(
    read: Callable[[Region], Tensor | None], regions: Sequence[Region], ahead: int
) -> Iterator[Tensor | None]:
    """Yield what ``read`` returns, in order, while threads read at most ``ahead`` further regions."""
    # Unlike MONAI's ThreadBuffer, in which an error of the source ends the iteration without a word.
    pool = ThreadPoolExecutor(READERS)
    waiting: deque[Future[Tensor | None]] = deque()
    try:
        for region in regions:
            waiting.append(pool.submit(read, region))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
