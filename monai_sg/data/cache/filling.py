"""Fill a part of a cache: each source is read once, in threads, and a run that was cut off is continued."""

from __future__ import annotations

import logging
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple

import numpy as np

from ...utils.errors import SpaceError
from ...utils.files import write_atomic
from ...utils.folder_lock import folder_lock
from ...utils.memory import free_memory
from ...utils.progress import Bar
from ..readers.formats import UnusableImageError, first_line
from ..records import Record
from .index import CacheIndex, Entry, key_of
from .stored import array_path, damage

logger = logging.getLogger(__name__)

SAVE_EVERY_SECONDS = 5.0
SAVE_SHARE = 20


class Need(NamedTuple):
    """Bytes on disk, and in memory while it is made."""

    disk: int
    memory: int


class CacheFiller(ABC, Generic[Entry]):
    """Makes what a cache lacks, beside what is there of other sources and spacings.

    Args:
        dataset_dir: folder that the records' paths are relative to.
        cache_dir: folder of the cache.
        num_workers: threads that read.
        progress: show a bar.
    """

    kind: ClassVar[type[Any]]
    version: ClassVar[int]
    index_name: ClassVar[str]
    what: ClassVar[str]

    def __init__(self, dataset_dir: Path, cache_dir: Path, num_workers: int = 2, progress: bool = True) -> None:
        self.dataset_dir = dataset_dir
        self.cache_dir = cache_dir
        self.num_workers = max(1, num_workers)
        self.progress = progress
        self._threads = self.num_workers
        self.index: CacheIndex[Entry] = self._load_index()
        self._fingerprints: dict[str, dict[str, Any]] = {}

    @abstractmethod
    def fingerprint(self, record: Record) -> dict[str, Any]:
        """Return what has to stay the same for what is stored of a record to hold; ``OSError`` for an absent source."""

    @abstractmethod
    def make(self, key: str, record: Record) -> tuple[np.ndarray, Entry]:
        """Return the array of a record and its description; ``UnusableImageError`` with the reason if there is none."""

    @abstractmethod
    def need(self, record: Record) -> Need:
        """Return what a record will need, 0 where it cannot be told."""

    @abstractmethod
    def source(self, record: Record) -> str:
        """Return what is read of a record, for messages."""

    def fill(self, records: Sequence[Record]) -> tuple[dict[str, Entry], dict[str, str]]:
        """Make what is missing or damaged.

        Returns:
            the entry of each id that can be used, in the order of the records, and the reason for each other one.

        Raises:
            OSError: the disk is too small, or cannot be written.
        """
        missing, keys, skipped = self._compare(records)
        if missing:
            with folder_lock(self.cache_dir / ".lock", f"the volume cache {self.cache_dir}"):
                self.index = self._load_index()
                missing, keys, skipped = self._compare(records)
                if missing:
                    self._name_damaged(missing)
                    needs = self._needs(missing)
                    self._check_disk(needs, len(records))
                    skipped |= self._too_large(missing, needs)
                    skipped |= self._make_all(missing)
        refused = {name: self.index.refused[key] for name, key in keys.items() if key in self.index.refused}
        entries = {name: self.index.entries[key] for name, key in keys.items() if key in self.index.entries}
        return entries, {**skipped, **refused}

    def _load_index(self) -> CacheIndex[Entry]:
        return CacheIndex.load(self.cache_dir / self.index_name, self.kind, self.version)

    def _compare(self, records: Sequence[Record]) -> tuple[dict[str, Record], dict[str, str], dict[str, str]]:
        """Return the records to be made by key, the key of each id, and the reason for each that has no source."""
        missing: dict[str, Record] = {}
        keys: dict[str, str] = {}
        absent: dict[str, str] = {}
        for record in records:
            name = record["id"]
            try:
                fingerprint = self.fingerprint(record)
            except OSError as error:
                absent[name] = f"cannot be found ({error.strerror})"
                continue
            keys[name] = key_of(name, fingerprint, self.version)
            if not self._holds(keys[name]):
                missing[keys[name]] = record
                self._fingerprints[keys[name]] = fingerprint
        return missing, keys, absent

    def _holds(self, key: str) -> bool:
        if key in self.index.refused:
            return True
        return key in self.index.entries and damage(self.cache_dir, self.index.entries[key]) is None

    def _name_damaged(self, missing: dict[str, Record]) -> None:
        """Warn of each array that is there and damaged, before it is made again."""
        for key in missing:
            if key in self.index.entries and array_path(self.cache_dir, key).is_file():
                reason = damage(self.cache_dir, self.index.entries[key])
                logger.warning(f"{array_path(self.cache_dir, key)} {reason}; it is made again.")

    def _make_all(self, missing: dict[str, Record]) -> dict[str, str]:
        """Read and store; the index is written now and then, and at the end whatever happens."""
        skipped: dict[str, str] = {}
        saved, pause = time.monotonic(), SAVE_EVERY_SECONDS
        pool = ThreadPoolExecutor(self._threads)
        try:
            futures = {pool.submit(self._make_one, key, record): key for key, record in missing.items()}
            shown = Bar(as_completed(futures), f"Caching {self.what}", len(futures), disable=not self.progress)
            for future in shown:
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

    def _note(self, key: str, record: Record, future: Future[Entry | str], skipped: dict[str, str]) -> None:
        """Enter a result: what is refused for what it holds is remembered, what failed to be read is not."""
        result = future.result()
        if not isinstance(result, str):
            self.index.entries[key] = result
        else:
            logger.warning(f"{self.source(record)} {result}; it is left out.")
            self.index.entries.pop(key, None)  # of an array that was lost
            if result.startswith("cannot be read"):
                skipped[record["id"]] = result
                return
            self.index.refused[key] = result
        self.index.fingerprints[key] = self._fingerprints[key]

    def _make_one(self, key: str, record: Record) -> Entry | str:
        """Read, store and describe one record, or return the reason why it cannot be used."""
        try:
            array, entry = self.make(key, record)
        except UnusableImageError as error:
            return str(error)
        except Exception as error:  # readers raise many kinds; the image is left out and the reason kept and logged
            return f"cannot be read ({type(error).__name__}: {first_line(error)})"
        write_atomic(array_path(self.cache_dir, key), lambda file: np.save(file, array))
        return entry

    def _needs(self, missing: dict[str, Record]) -> dict[str, Need]:
        with ThreadPoolExecutor(self.num_workers) as pool:
            return dict(zip(missing, pool.map(self.need, missing.values()), strict=True))

    def _check_disk(self, needs: dict[str, Need], total: int) -> None:
        """Log the disk and the memory needed, and refuse to start when the disk does not do."""
        free, memory = shutil.disk_usage(self.cache_dir).free, free_memory()
        disk, most = sum(need.disk for need in needs.values()), max(need.memory for need in needs.values())
        self._threads = self.num_workers if memory is None else max(1, min(self.num_workers, memory // max(1, most)))
        of = "" if memory is None else f" of {memory / 1e9:.1f} GB that are free"
        logger.info(
            f"Volume cache {self.cache_dir}: {total - len(needs)} of {total} {self.what} are there, {len(needs)} are "
            f"made now and need {disk / 1e9:.2f} GB; {free / 1e9:.1f} GB are free. {self._threads} threads read, each "
            f"with up to about {most / 1e9:.2f} GB of memory{of}."
        )
        if disk > free:
            raise SpaceError(
                f"The volume cache needs {disk / 1e9:.2f} GB, but {self.cache_dir} has {free / 1e9:.2f} GB left. "
                "Set cache_dir to a larger disk, or spacing to a coarser grid."
            )

    def _too_large(self, missing: dict[str, Record], needs: dict[str, Need]) -> dict[str, str]:
        """Take out what does not fit into memory even alone; return the reasons by id."""
        memory = free_memory()
        skipped = {}
        for key in [key for key, need in needs.items() if memory is not None and need.memory > memory]:
            size, free = needs[key].memory / 1e9, (memory or 0) / 1e9
            reason = f"takes about {size:.2f} GB of memory to be read, but {free:.2f} GB are free"
            logger.warning(f"{self.source(missing[key])} {reason}; it is left out.")
            skipped[missing.pop(key)["id"]] = reason
        return skipped
