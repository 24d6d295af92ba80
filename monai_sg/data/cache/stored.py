"""The array files of a cache."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from ...utils.errors import UserError
from .index import CacheEntry, LabelEntry

logger = logging.getLogger(__name__)


def array_path(cache_dir: Path, key: str) -> Path:
    """Return the path of a cached array, by the key of its entry."""
    return cache_dir / "arrays" / f"{key}.npy"


def open_array(cache_dir: Path, entry: CacheEntry | LabelEntry) -> np.ndarray:
    """Return a stored array, mapped from disk.

    Raises:
        FileNotFoundError: there is no file.
        ValueError: the file does not hold what the index says; the message is a reason that reads well after its path.
    """
    try:
        stored: np.ndarray = np.load(array_path(cache_dir, entry.key), mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise UserError(f"is damaged ({error})") from error
    if (stored.shape, stored.dtype.name) != (entry.stored_shape, entry.dtype):
        raise UserError(
            f"holds {stored.dtype.name} of shape {stored.shape}, but the index of the cache says {entry.dtype} of "
            f"shape {entry.stored_shape}"
        )
    return stored


def damage(cache_dir: Path, entry: CacheEntry | LabelEntry) -> str | None:
    """Return what is wrong with a stored array, judged by its header and length, or ``None``."""
    try:
        open_array(cache_dir, entry)
    except FileNotFoundError:
        return "is not there"
    except ValueError as error:
        return str(error)
    return None


def physical(stored: np.ndarray, entry: CacheEntry) -> np.ndarray:
    """Return physical values of stored integers ``(C, *spatial)``."""
    values = stored.astype(np.float32)
    for channel, scale, offset in zip(values, entry.scales, entry.offsets, strict=True):
        if scale != 1:
            channel *= np.float32(scale)
        if offset != 0:
            channel += np.float32(offset)
    return values


def loaded(path: Path, shape: tuple[int, ...], dtype: str) -> np.ndarray | None:
    """Return a small array that is kept; ``None``, with a warning if it is damaged, where it has to be made."""
    try:
        stored: np.ndarray = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        return None
    except (ValueError, EOFError) as error:
        logger.warning(f"{path} is damaged ({error}); it is made again.")
        return None
    if (stored.shape, stored.dtype.name) == (shape, dtype):
        return stored
    logger.warning(f"{path} holds {stored.dtype.name} of shape {stored.shape}; it is made again.")
    return None
