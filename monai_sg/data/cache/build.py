"""Fill a volume cache: each image is read once, in threads, and a run that was cut off is continued."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ...utils.files import write_atomic
from ...utils.folder_lock import folder_lock
from ...utils.progress import Bar
from ..intensity import MODES, intensity_window
from ..readers.formats import UnusableImageError, first_line
from ..readers.volumes import Volume, header_of, read_volume
from .anatomy import find_boxes
from .index import CacheEntry, CacheIndex, fingerprint_of, key_of

logger = logging.getLogger(__name__)

SAVE_EVERY_SECONDS = 5.0
SAVE_SHARE = 20

Record = dict[str, Any]


class CacheBuilder:
    """Makes the images that a cache lacks, beside those of other sources and spacings.

    Args:
        dataset_dir: folder that the records' paths are relative to.
        cache_dir: folder of the cache.
        spacing: mm per axis, or ``None`` for each image's own.
        num_workers: threads that read images.
        progress: show a bar.
    """

    def __init__(
        self,
        dataset_dir: Path,
        cache_dir: Path,
        spacing: Sequence[float] | None = None,
        num_workers: int = 2,
        progress: bool = True,
    ) -> None:
        self.dataset_dir = dataset_dir
        self.cache_dir = cache_dir
        self.spacing = spacing
        self.num_workers = max(1, num_workers)
        self.progress = progress
        self.index = CacheIndex.load(cache_dir / "index.json")
        self._fingerprints: dict[str, dict[str, Any]] = {}

    def build(self, records: Sequence[Record]) -> tuple[dict[str, CacheEntry], dict[str, str]]:
        """Make what is missing.

        Returns:
            the entry of each id that can be used, in the order of the records, and the reason for each other one.

        Raises:
            OSError: the disk is too small, or cannot be written.
        """
        missing, keys, skipped = self._compare(records)
        if missing:
            with folder_lock(self.cache_dir / ".lock", f"the volume cache {self.cache_dir}"):
                self.index = CacheIndex.load(self.index.path)
                missing, keys, skipped = self._compare(records)
                if missing:
                    self._check_disk(list(missing.values()), len(records))
                    skipped |= self._make(missing)
        refused = {name: self.index.refused[key] for name, key in keys.items() if key in self.index.refused}
        entries = {name: self.index.entries[key] for name, key in keys.items() if key in self.index.entries}
        return entries, {**skipped, **refused}

    def _compare(self, records: Sequence[Record]) -> tuple[dict[str, Record], dict[str, str], dict[str, str]]:
        """Return the records to be made by key, the key of each id, and the reason for each that has no source."""
        missing: dict[str, Record] = {}
        keys: dict[str, str] = {}
        absent: dict[str, str] = {}
        for record in records:
            name = record["id"]
            try:
                fingerprint = fingerprint_of(record, self.dataset_dir, self.spacing)
            except OSError as error:
                absent[name] = f"cannot be found ({error.strerror})"
                continue
            keys[name] = key_of(name, fingerprint)
            if not self._holds(keys[name]):
                missing[keys[name]] = record
                self._fingerprints[keys[name]] = fingerprint
        return missing, keys, absent

    def _holds(self, key: str) -> bool:
        if key in self.index.refused:
            return True
        return key in self.index.entries and array_path(self.cache_dir, key).is_file()

    def _make(self, missing: dict[str, Record]) -> dict[str, str]:
        """Read and store images; the index is written now and then, and at the end whatever happens."""
        skipped: dict[str, str] = {}
        saved, pause = time.monotonic(), SAVE_EVERY_SECONDS
        pool = ThreadPoolExecutor(self.num_workers)
        try:
            futures = {pool.submit(self._make_one, key, record): key for key, record in missing.items()}
            for future in Bar(as_completed(futures), "Caching volumes", len(futures), disable=not self.progress):
                key = futures[future]
                self._note(key, missing[key], future, skipped)
                if time.monotonic() - saved > pause:
                    started = time.monotonic()
                    self.index.save()
                    saved = time.monotonic()
                    pause = max(SAVE_EVERY_SECONDS, SAVE_SHARE * (saved - started))
        finally:
            pool.shutdown(cancel_futures=True)
            self.index.save()
        return skipped

    def _note(self, key: str, record: Record, future: Future[CacheEntry | str], skipped: dict[str, str]) -> None:
        """Enter a result: an image refused for what it holds is remembered, one that failed to read is not."""
        result = future.result()
        if isinstance(result, str):
            logger.warning(f"{record['image']} {result}; it is left out.")
            self.index.entries.pop(key, None)  # of an array that was lost
        if isinstance(result, CacheEntry):
            self.index.entries[key] = result
        elif result.startswith("cannot be read"):
            skipped[record["id"]] = result
            return
        else:
            self.index.refused[key] = result
        self.index.fingerprints[key] = self._fingerprints[key]

    def _make_one(self, key: str, record: Record) -> CacheEntry | str:
        """Read, store and describe one image, or return the reason why it cannot be used."""
        try:
            volume = read_volume(self.dataset_dir / record["image"], record.get("series"), self.spacing)
            body_box, lung_box = find_boxes(volume.array, volume.spacing, volume.scale, volume.offset)
            windows = _windows(volume)
        except UnusableImageError as error:
            return str(error)
        except Exception as error:  # readers raise many kinds; the image is left out and the reason kept and logged
            return f"cannot be read ({type(error).__name__}: {first_line(error)})"
        write_atomic(array_path(self.cache_dir, key), lambda file: np.save(file, volume.array))
        return CacheEntry(
            key=key,
            id=record["id"],
            source=record["image"],
            shape=tuple(int(length) for length in volume.array.shape),
            spacing=volume.spacing,
            affine=volume.affine.tolist(),
            dtype=volume.array.dtype.name,
            scale=volume.scale,
            offset=volume.offset,
            minimum=volume.minimum,
            body_box=body_box,
            lung_box=lung_box,
            windows=windows,
        )

    def _check_disk(self, records: Sequence[Record], total: int) -> None:
        """Log the disk needed and refuse to start when it does not fit."""
        with ThreadPoolExecutor(self.num_workers) as pool:
            sizes = list(pool.map(self._num_bytes, records))
        free = shutil.disk_usage(self.cache_dir).free
        needed = sum(sizes)
        logger.info(
            f"Volume cache {self.cache_dir}: {total - len(records)} of {total} images are there, {len(records)} are "
            f"made now and need {needed / 1e9:.2f} GB; {free / 1e9:.1f} GB are free."
        )
        if needed > free:
            raise OSError(
                f"The volume cache needs {needed / 1e9:.2f} GB, but {self.cache_dir} has {free / 1e9:.2f} GB left. "
                "Set cache_dir to a larger disk, or spacing to a coarser grid."
            )

    def _num_bytes(self, record: Record) -> int:
        try:
            header = header_of(self.dataset_dir / record["image"], record.get("series"))
        except (UnusableImageError, OSError):
            return 0  # it is named when its turn to be read comes
        if self.spacing is None:
            return header.num_bytes
        return round(header.num_bytes * prod(header.spacing) / prod(self.spacing))


def array_path(cache_dir: Path, key: str) -> Path:
    """Return the path of a cached array, by the key of its entry."""
    return cache_dir / "arrays" / f"{key}.npy"


def _windows(volume: Volume) -> dict[str, list[float]]:
    """Return the window of each mode in physical units, found on the stored integers."""
    found = {mode: intensity_window(volume.array, mode) for mode in MODES}
    return {mode: [value * volume.scale + volume.offset for value in window] for mode, window in found.items()}
