"""Identical copies of images, which would be counted twice and fall into two splits."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ...utils.files import sha256_of
from .walking import Skipped

SAMPLE = 1 << 14


def copies_among(dataset_dir: Path, paths: Sequence[PurePosixPath]) -> Skipped:
    """Return which files are byte for byte copies of another one, whose name is the shorter or the first.

    Only files of one size are looked at, then samples of them, and whole files only if their samples agree.

    Args:
        dataset_dir: folder that the paths are relative to.
        paths: image files; folders are passed over.

    Returns:
        ``{"path", "reason"}`` of each copy.
    """
    groups: dict[object, list[PurePosixPath]] = defaultdict(list)
    for path in sorted(paths, key=lambda path: (len(str(path)), path)):
        if (dataset_dir / path).is_file():
            groups[(dataset_dir / path).stat().st_size].append(path)
    for fingerprint in (_sample, sha256_of):
        finer: dict[object, list[PurePosixPath]] = defaultdict(list)
        for key, group in groups.items():
            for path in group if len(group) > 1 else ():
                finer[key, fingerprint(dataset_dir / path)].append(path)
        groups = finer
    return [
        {"path": str(path), "reason": f"is a copy of {group[0]}: it has the same content"}
        for group in groups.values()
        for path in group[1:]
    ]


def _sample(path: Path) -> str:
    """Return a hash of the beginning, the middle and the end of a file."""
    size = path.stat().st_size
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for start in (0, size // 2, max(0, size - SAMPLE)):
            file.seek(start)
            digest.update(file.read(SAMPLE))
    return digest.hexdigest()
