"""Images of a cache: read, described, stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..intensity import MODES, foreground_quantiles, intensity_window
from ..readers.formats import UnusableImageError
from ..readers.reading import open_source
from ..readers.volumes import Volume, read_channels
from ..records import Record, images_of
from .anatomy import find_boxes
from .filling import CacheFiller, Need
from .index import VERSION, CacheEntry, fingerprint_of


class ImageFiller(CacheFiller[CacheEntry]):
    """Makes the images that a cache lacks.

    Args:
        dataset_dir: folder that the records' paths are relative to.
        cache_dir: folder of the cache.
        spacing: mm per axis, or ``None`` for each image's own.
        num_workers: threads that read images.
        progress: show a bar.
    """

    kind = CacheEntry
    version = VERSION
    index_name = "index.json"
    what = "images"

    def __init__(
        self,
        dataset_dir: Path,
        cache_dir: Path,
        spacing: Sequence[float] | None = None,
        num_workers: int = 2,
        progress: bool = True,
    ) -> None:
        super().__init__(dataset_dir, cache_dir, num_workers, progress)
        self.spacing = spacing

    def fingerprint(self, record: Record) -> dict[str, Any]:
        """Return what has to stay the same, see `fingerprint_of`."""
        return fingerprint_of(record, self.dataset_dir, self.spacing)

    def source(self, record: Record) -> str:
        """Return the paths of the image."""
        return ", ".join(images_of(record))

    def make(self, key: str, record: Record) -> tuple[np.ndarray, CacheEntry]:
        """Read all channels; return them in one array of integers, channels first where there are several."""
        sources = [self.dataset_dir / path for path in images_of(record)]
        volumes = read_channels(sources, record.get("series"), self.spacing, bool(record.get("unoriented")))
        body_box, lung_box = _boxes(volumes)
        array = volumes[0].array if len(volumes) == 1 else np.stack([volume.array for volume in volumes])
        entry = CacheEntry(
            key=key,
            id=record["id"],
            source=tuple(images_of(record)),
            shape=tuple(int(length) for length in volumes[0].array.shape),
            spacing=volumes[0].spacing,
            affine=volumes[0].affine.tolist(),
            dtype=array.dtype.name,
            scales=tuple(volume.scale for volume in volumes),
            offsets=tuple(volume.offset for volume in volumes),
            minima=tuple(volume.minimum for volume in volumes),
            body_box=body_box,
            lung_box=lung_box,
            windows={mode: [_window(volume, mode) for volume in volumes] for mode in MODES},
            quantiles=[_physical(volume, foreground_quantiles(volume.array)) for volume in volumes],
        )
        return array, entry

    def need(self, record: Record) -> Need:
        """Return the bytes of the voxels at 16 bit each, and what reading them takes."""
        try:
            headers = [open_source(self.dataset_dir / path, record.get("series")).header for path in images_of(record)]
        except (UnusableImageError, OSError):
            return Need(0, 0)  # it is named when its turn to be read comes
        disk = sum(header.stored_bytes(self.spacing) for header in headers)
        return Need(disk, sum(header.reading_bytes(self.spacing) for header in headers))


def _boxes(volumes: Sequence[Volume]) -> tuple[list[list[int]], list[list[int]] | None]:
    """Return the box around the bodies of all channels, and the lungs of the first that shows them."""
    found = [find_boxes(volume.array, volume.spacing, volume.scale, volume.offset) for volume in volumes]
    ends = np.asarray([body for body, _ in found])
    body = np.stack([ends[..., 0].min(axis=0), ends[..., 1].max(axis=0)], axis=-1)
    return body.tolist(), next((lungs for _, lungs in found if lungs is not None), None)


def _window(volume: Volume, mode: str) -> list[float]:
    """Return the window of a channel in physical units, found on the stored integers."""
    return _physical(volume, intensity_window(volume.array, mode))


def _physical(volume: Volume, values: Sequence[float]) -> list[float]:
    return [value * volume.scale + volume.offset for value in values]
