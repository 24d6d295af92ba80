"""The index of a volume cache: what is stored for each image and from which source file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..utils.files import read_json, write_json
from .formats import suffix_of

VERSION = 1


@dataclass(frozen=True)
class CacheEntry:
    """One cached image: physical value = stored integer * ``scale`` + ``offset``.

    ``source`` is relative to the data set's folder; ``spacing`` in mm; ``affine`` 4x4, voxel to RAS mm; ``minimum`` is
    the background value in physical units; boxes are voxels, half-open; ``lung_box`` is ``None`` where no lungs are
    found.
    """

    id: str
    source: str
    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    affine: list[list[float]]
    dtype: str
    scale: float
    offset: float
    minimum: float
    body_box: list[list[int]]
    lung_box: list[list[int]] | None


@dataclass
class CacheIndex:
    """Entries, refused images and the fingerprints under which both hold, kept in ``index.json``."""

    path: Path
    entries: dict[str, CacheEntry] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    fingerprints: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> CacheIndex:
        """Read the index; an absent one, or one of another version, is empty."""
        content = read_json(path) if path.is_file() else {}
        if content.get("version") != VERSION:
            return cls(path)
        entries = {
            name: CacheEntry(**{**values, "shape": tuple(values["shape"]), "spacing": tuple(values["spacing"])})
            for name, values in content["entries"].items()
        }
        return cls(path, entries, content["refused"], content["fingerprints"])

    def save(self) -> None:
        """Write the index atomically, ids sorted."""
        content = {
            "version": VERSION,
            "entries": {name: asdict(self.entries[name]) for name in sorted(self.entries)},
            "refused": {name: self.refused[name] for name in sorted(self.refused)},
            "fingerprints": {name: self.fingerprints[name] for name in sorted(self.fingerprints)},
        }
        write_json(self.path, content)


def check_ids(ids: Sequence[str]) -> None:
    """Raise ``ValueError`` for an id that cannot be a file name."""
    for name in ids:
        if not re.fullmatch(r"\w[\w.+=@-]*", name):
            raise ValueError(f"The id {name!r} cannot be a file name; use letters, digits and . _ - only.")


def fingerprint_of(record: dict[str, Any], dataset_dir: Path, spacing: Sequence[float] | None) -> dict[str, Any]:
    """Return what has to stay the same for a cached image to hold: source, size in bytes, time stamp and spacing.

    A DICOM folder counts with the sum of sizes and the latest time stamp of its files, a ``.mhd`` header with its data
    file.

    Raises:
        OSError: the source is absent.
    """
    path = dataset_dir / record["image"]
    files = [path]
    if path.is_dir():
        files = [file for file in path.iterdir() if file.is_file()]
    elif suffix_of(path) == ".mhd":
        files = [path, *(file for file in (path.with_suffix(end) for end in (".raw", ".zraw")) if file.is_file())]
    stats = [file.stat() for file in files]
    return {
        "source": record["image"],
        "series": record.get("series"),
        "size": sum(stat.st_size for stat in stats),
        "mtime_ns": max((stat.st_mtime_ns for stat in stats), default=0),
        "spacing": None if spacing is None else [float(value) for value in spacing],
    }
