"""The index of a volume cache: what is stored for each image and from which source file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...utils.files import read_json, write_json
from ..readers.formats import SPACING_FILE, companions
from ..readers.stacks import is_pattern, slices_of

VERSION = 3


@dataclass(frozen=True)
class CacheEntry:
    """One cached image: physical value = stored integer * ``scale`` + ``offset``.

    ``key`` names its files (`key_of`); ``source`` is relative to the data set's folder; ``spacing`` in mm; ``affine``
    4x4, voxel to RAS mm; ``minimum`` is the background value in physical units; boxes are voxels, half-open;
    ``lung_box`` is ``None`` where no lungs are found; ``windows`` are the two values of each `intensity_window`, in
    physical units.
    """

    key: str
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
    windows: dict[str, list[float]] = field(default_factory=dict)


@dataclass
class CacheIndex:
    """Entries, refused images and the fingerprints of both, by `key_of`, kept in ``index.json``.

    Whatever differs in source or spacing has another key, so nothing that a run has opened is ever overwritten.
    """

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
            key: CacheEntry(**{**values, "shape": tuple(values["shape"]), "spacing": tuple(values["spacing"])})
            for key, values in content["entries"].items()
        }
        return cls(path, entries, content["refused"], content["fingerprints"])

    def save(self) -> None:
        """Write the index atomically, keys sorted."""
        content = {
            "version": VERSION,
            "entries": {key: asdict(self.entries[key]) for key in sorted(self.entries)},
            "refused": {key: self.refused[key] for key in sorted(self.refused)},
            "fingerprints": {key: self.fingerprints[key] for key in sorted(self.fingerprints)},
        }
        write_json(self.path, content)


def check_ids(ids: Sequence[str]) -> None:
    """Raise ``ValueError`` for an id that cannot be a file name."""
    for name in ids:
        if not re.fullmatch(r"\w[\w.+=@-]*", name):
            raise ValueError(f"The id {name!r} cannot be a file name; use letters, digits and . _ - only.")


def key_of(name: str, fingerprint: dict[str, Any]) -> str:
    """Return what the files of an image are named by: its id, and a hash of `fingerprint_of` and of this version."""
    content = json.dumps([VERSION, fingerprint], sort_keys=True)
    return f"{name}-{hashlib.blake2b(content.encode(), digest_size=6).hexdigest()}"


def fingerprint_of(record: dict[str, Any], dataset_dir: Path, spacing: Sequence[float] | None) -> dict[str, Any]:
    """Return what has to stay the same for a cached image to hold: source, size in bytes, time stamp and spacing.

    A folder counts with the names, sizes and time stamps of its files (of the slices, if it is a stack of pictures), an
    image file with its `companions`.

    Raises:
        OSError: the source is absent.
    """
    path, series = dataset_dir / record["image"], record.get("series")
    if is_pattern(series):
        files = [*slices_of(path, str(series)), *(file for file in [path / SPACING_FILE] if file.is_file())]
    elif path.is_dir():
        files = sorted(file for file in path.iterdir() if file.is_file())
    else:
        files = [path, *companions(path)]
    stats = [file.stat() for file in files]
    listing = [(file.name, stat.st_size, stat.st_mtime_ns) for file, stat in zip(files, stats, strict=True)]
    return {
        "source": record["image"],
        "series": series,
        "size": sum(stat.st_size for stat in stats),
        "mtime_ns": max((stat.st_mtime_ns for stat in stats), default=0),
        "files": hashlib.blake2b(repr(listing).encode(), digest_size=8).hexdigest() if len(files) > 1 else None,
        "spacing": None if spacing is None else [float(value) for value in spacing],
    }
