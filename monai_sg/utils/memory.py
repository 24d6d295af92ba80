"""How much memory this process may still take."""

from __future__ import annotations

import os
from pathlib import Path

CGROUPS = (
    (Path("/sys/fs/cgroup"), "memory.max", "memory.current"),
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes"),
)
DROPPED = ("inactive_file", "total_inactive_file")


def free_memory() -> int | None:
    """Return the bytes that are free, within the limit of a container where there is one; ``None`` if not told."""
    numbers = [each for each in (_of_system(), *(of_group(*names) for names in CGROUPS)) if each is not None]
    return max(0, min(numbers)) if numbers else None


def _of_system() -> int | None:
    """Return what the kernel calls available, caches that it can drop included."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        pass
    if "SC_AVPHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def of_group(folder: Path, limit: str, used: str) -> int | None:
    """Return the bytes that a control group has left; files that the kernel keeps in memory and can drop are not used.

    Args:
        folder: the files of the group.
        limit: name of the file with the most that the group may use.
        used: name of the file with what it uses.

    Returns:
        the bytes, or ``None`` where there is no group, or one without limit.
    """
    try:
        left = int((folder / limit).read_text()) - int((folder / used).read_text())
        lines = (folder / "memory.stat").read_text().splitlines()
        return left + max(int(line.split()[1]) for line in lines if line.split()[0] in DROPPED)
    except (OSError, ValueError, IndexError):
        return None
