"""Fill a volume cache: each image is read once, in threads, and a run that was cut off is continued."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from tqdm import tqdm

from ..utils.files import write_atomic
from .anatomy import find_boxes
from .cache_index import CacheEntry, CacheIndex, fingerprint_of
from .formats import UnusableImageError, first_line
from .intensity import MODES, intensity_window
from .volumes import Volume, header_of, read_volume

logger = logging.getLogger(__name__)

SAVE_EVERY_SECONDS = 5.0
SAVE_SHARE = 20

Task = tuple[dict[str, Any], dict[str, Any]]


class CacheBuilder:
    """Makes the missing and outdated images of a cache.

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

    def build(self, records: Sequence[dict[str, Any]]) -> dict[str, str]:
        """Make what is missing or outdated.

        Returns:
            the reason for each id that cannot be used.

        Raises:
            OSError: the disk is too small, or cannot be written.
        """
        stale, skipped = self._compare(records)
        if stale:
            self.cache_dir.mkdir(parents=True, exist_ok=True)
            with self._lock():
                self.index = CacheIndex.load(self.index.path)
                stale, skipped = self._compare(records)
                if stale:
                    self._check_disk([record for record, _ in stale], len(records))
                    skipped |= self._make(stale)
        wanted = {record["id"] for record in records}
        return {**skipped, **{name: reason for name, reason in self.index.refused.items() if name in wanted}}

    def _compare(self, records: Sequence[dict[str, Any]]) -> tuple[list[Task], dict[str, str]]:
        """Return the records to be made, with their fingerprints, and the reason for each that has no source."""
        stale: list[Task] = []
        absent: dict[str, str] = {}
        for record in records:
            try:
                fingerprint = fingerprint_of(record, self.dataset_dir, self.spacing)
            except OSError as error:
                absent[record["id"]] = f"cannot be found ({error.strerror})"
                continue
            if not self._holds(record["id"], fingerprint):
                stale.append((record, fingerprint))
        return stale, absent

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Let one process fill the cache at a time; the others wait and then find it filled."""
        lock = FileLock(self.cache_dir / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            logger.info(f"Another process fills the volume cache {self.cache_dir}; waiting for it.")
            lock.acquire()
        except NotImplementedError:  # some network file systems; files stay whole, work may be done twice
            logger.warning(f"{self.cache_dir} cannot be locked; let one process at a time fill the volume cache.")
        try:
            yield
        finally:
            lock.release()

    def _holds(self, name: str, fingerprint: dict[str, Any]) -> bool:
        if self.index.fingerprints.get(name) != fingerprint:
            return False
        return name in self.index.refused or (name in self.index.entries and array_path(self.cache_dir, name).is_file())

    def _make(self, stale: list[Task]) -> dict[str, str]:
        """Read and store images; the index is written now and then, and at the end whatever happens."""
        skipped: dict[str, str] = {}
        saved, pause = time.monotonic(), SAVE_EVERY_SECONDS
        pool = ThreadPoolExecutor(self.num_workers)
        try:
            futures: dict[Future[CacheEntry | str], Task] = {
                pool.submit(self._make_one, record): (record, fingerprint) for record, fingerprint in stale
            }
            for future in tqdm(as_completed(futures), "Caching volumes", len(futures), disable=not self.progress):
                record, fingerprint = futures[future]
                self._note(record["id"], fingerprint, future, skipped)
                if time.monotonic() - saved > pause:
                    started = time.monotonic()
                    self.index.save()
                    saved = time.monotonic()
                    pause = max(SAVE_EVERY_SECONDS, SAVE_SHARE * (saved - started))
        finally:
            pool.shutdown(cancel_futures=True)
            self.index.save()
        return skipped

    def _note(
        self, name: str, fingerprint: dict[str, Any], future: Future[CacheEntry | str], skipped: dict[str, str]
    ) -> None:
        """Enter a result: an image refused for what it holds is remembered, one that failed to read is not."""
        result = future.result()
        self.index.entries.pop(name, None)
        self.index.refused.pop(name, None)
        self.index.fingerprints.pop(name, None)
        if isinstance(result, CacheEntry):
            self.index.entries[name] = result
        elif result.startswith("cannot be read"):
            skipped[name] = result
            logger.warning(f"{fingerprint['source']} {result}; it is left out.")
            return
        else:
            self.index.refused[name] = result
            logger.warning(f"{fingerprint['source']} {result}; it is left out.")
        self.index.fingerprints[name] = fingerprint

    def _make_one(self, record: dict[str, Any]) -> CacheEntry | str:
        """Read, store and describe one image, or return the reason why it cannot be used."""
        name = record["id"]
        try:
            volume = read_volume(self.dataset_dir / record["image"], record.get("series"), self.spacing)
        except UnusableImageError as error:
            return str(error)
        except Exception as error:  # readers raise many kinds; the image is left out and the reason kept and logged
            return f"cannot be read ({type(error).__name__}: {first_line(error)})"
        body_box, lung_box = find_boxes(volume.array, volume.spacing, volume.scale, volume.offset)
        for outdated in (self.cache_dir / "overviews").glob(f"*/{name}.npy"):
            outdated.unlink(missing_ok=True)
        write_atomic(array_path(self.cache_dir, name), lambda file: np.save(file, volume.array))
        return CacheEntry(
            id=name,
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
            windows=_windows(volume),
        )

    def _check_disk(self, records: Sequence[dict[str, Any]], total: int) -> None:
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

    def _num_bytes(self, record: dict[str, Any]) -> int:
        try:
            header = header_of(self.dataset_dir / record["image"], record.get("series"))
        except (UnusableImageError, OSError):
            return 0  # it is named when its turn to be read comes
        if self.spacing is None:
            return header.num_bytes
        return round(header.num_bytes * prod(header.spacing) / prod(self.spacing))


def array_path(cache_dir: Path, name: str) -> Path:
    """Return the path of a cached array."""
    return cache_dir / "arrays" / f"{name}.npy"


def _windows(volume: Volume) -> dict[str, list[float]]:
    """Return the window of each mode in physical units, found on the stored integers."""
    found = {mode: intensity_window(volume.array, mode) for mode in MODES}
    return {mode: [value * volume.scale + volume.offset for value in window] for mode, window in found.items()}
