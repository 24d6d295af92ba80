"""One process at a time fills a folder that several share; the others wait for it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.2


@contextmanager
def folder_lock(path: Path, name: str) -> Iterator[None]:
    """Hold the lock ``path`` while a folder is filled.

    A process that waits looks at the file now and then. It is in no collective operation, whose time is limited: NCCL
    gives up after 10 minutes.

    Args:
        path: file of the lock; its folder is made if absent.
        name: what is filled, for the log.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        logger.info(f"Another process fills {name}; waiting for it.")
        lock.acquire(poll_interval=POLL_SECONDS)
    except NotImplementedError:  # some network file systems; files stay whole, work may be done twice
        logger.warning(f"{path} cannot be locked; let one process at a time fill {name}.")
    try:
        yield
    finally:
        lock.release()
