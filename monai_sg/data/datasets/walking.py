"""Every file below a folder once: links, hidden files and what a run wrote are told apart from images."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

Skipped = list[dict[str, str]]

RESULTS = {"run.json": "holds the results of a run", "index.json": "is a volume cache"}


def walk_files(folder: Path) -> Iterator[Path]:
    """Yield all files as `files_below` finds them."""
    yield from files_below(folder)[0]


def files_below(folder: Path) -> tuple[list[Path], Skipped]:
    """Return all files, sorted, each of them once, and why others are not looked at.

    Links to folders are followed, no folder twice. Hidden files and folders, and the results and caches of runs, are
    left out. Of several links to one file the first is taken, or the file itself.

    Args:
        folder: where to look; it may itself hold the results of a run.

    Returns:
        the files, and ``{"path", "reason"}`` of each folder and file left out, hidden ones as one.
    """
    files: list[Path] = []
    skipped: Skipped = []
    hidden: list[str] = []
    seen: dict[str, str] = {}
    for root, folders, names in os.walk(folder, followlinks=True):
        here, real = Path(root), os.path.realpath(root)
        reason = _result(here) if here != folder else ""
        if real in seen:
            reason = f"is the same folder as {seen[real]} (a link)"
        if reason:
            skipped.append({"path": here.relative_to(folder).as_posix(), "reason": reason})
            folders.clear()
            continue
        seen[real] = here.relative_to(folder).as_posix()
        hidden += [str((here / name).relative_to(folder)) for name in [*folders, *names] if name.startswith(".")]
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [here / name for name in names if not name.startswith(".")]
    files = _once(folder, files, skipped)
    if hidden:
        number = f"{len(hidden)} hidden files or folders" if len(hidden) > 1 else "one hidden file or folder"
        skipped.append({"path": min(hidden), "reason": f"is hidden; {number} are not looked at"})
    return sorted(files), skipped


def _result(folder: Path) -> str:
    """Return why a folder holds no images but what a run wrote, or ``""``."""
    for name, what in RESULTS.items():
        if (folder / name).is_file() and (name == "run.json" or (folder / "arrays").is_dir()):
            return f"{what} ({name}), no images"
    return ""


def _once(folder: Path, files: list[Path], skipped: Skipped) -> list[Path]:
    """Drop links to nothing and to files that are there already."""
    first: dict[tuple[int, int], Path] = {}
    for path in sorted(files, key=lambda path: (path.is_symlink(), path)):
        name = path.relative_to(folder).as_posix()
        try:
            stat = path.stat()
        except OSError as error:
            target = f"is a link to {os.readlink(path)}, which is not there" if path.is_symlink() else ""
            skipped.append({"path": name, "reason": target or f"cannot be read ({error.strerror})"})
            continue
        other = first.setdefault((stat.st_dev, stat.st_ino), path)
        if other is not path:
            same = other.relative_to(folder).as_posix()
            skipped.append({"path": name, "reason": f"is the same file as {same} (a link)"})
    return list(first.values())
