"""The index of a volume cache: what is stored for each image or label map, and from which source files."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Generic, TypeVar

from ...utils.errors import UserError
from ...utils.files import read_object, write_json
from ..readers.files import companions
from ..readers.formats import SPACING_FILE
from ..readers.stacks import is_pattern, slices_of
from ..records import images_of

logger = logging.getLogger(__name__)

VERSION = 7
LABEL_VERSION = 2


@dataclass(frozen=True)
class CacheEntry:
    """One cached image, of one or more channels.

    ``key`` names its files (`key_of`); ``source`` holds the paths relative to the data set's folder; ``shape`` and
    ``spacing`` (mm) are those of the spatial axes; ``affine`` 4x4, voxel to RAS mm; boxes are voxels, half-open;
    ``lung_box`` is ``None`` where no lungs are found. Per channel: physical value = stored integer * ``scales`` +
    ``offsets``; ``minima`` are the background values in physical units; ``windows`` are the two values of each
    `intensity_window` and ``quantiles`` the `foreground_quantiles`, in physical units.
    """

    key: str
    id: str
    source: tuple[str, ...]
    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    affine: list[list[float]]
    dtype: str
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    minima: tuple[float, ...]
    body_box: list[list[int]]
    lung_box: list[list[int]] | None
    windows: dict[str, list[list[float]]] = field(default_factory=dict)
    quantiles: list[list[float]] = field(default_factory=list)

    @property
    def channels(self) -> int:
        """Number of channels."""
        return len(self.scales)

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Shape of the array: ``(*spatial)``, or ``(channels, *spatial)`` where there are several."""
        return self.shape if self.channels == 1 else (self.channels, *self.shape)


@dataclass(frozen=True)
class LabelEntry:
    """A cached label map on the grid of its image; ``values`` are those that occur."""

    key: str
    id: str
    source: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    values: list[int]

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.shape


Entry = TypeVar("Entry", CacheEntry, LabelEntry)


@dataclass
class CacheIndex(Generic[Entry]):
    """Entries, refused images and the fingerprints of both, by `key_of`, kept in a JSON file.

    Whatever differs in source or spacing has another key, so nothing that a run has opened is ever overwritten.
    """

    path: Path
    kind: type[Entry]
    version: int
    entries: dict[str, Entry] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    fingerprints: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path, kind: type[Entry], version: int) -> CacheIndex[Entry]:
        """Read the index; an absent one, a damaged one, or one of another version, is empty."""
        try:
            content = read_object(path) if path.is_file() else {}
            if content.get("version") != version:
                return cls(path, kind, version)
            entries = {key: kind(**_with_tuples(kind, values)) for key, values in content["entries"].items()}
            return cls(path, kind, version, entries, dict(content["refused"]), dict(content["fingerprints"]))
        except (UserError, TypeError, KeyError, AttributeError, ValueError) as error:
            logger.warning(f"{path} is damaged ({error}); what it lists is made again.")
            return cls(path, kind, version)

    def save(self) -> None:
        """Write the index atomically, keys sorted."""
        content = {
            "version": self.version,
            "entries": {key: asdict(self.entries[key]) for key in sorted(self.entries)},
            "refused": {key: self.refused[key] for key in sorted(self.refused)},
            "fingerprints": {key: self.fingerprints[key] for key in sorted(self.fingerprints)},
        }
        write_json(self.path, content)


def _with_tuples(kind: type[Entry], values: dict[str, Any]) -> dict[str, Any]:
    """Return what JSON holds of an entry with tuples where it has lists instead."""
    made = {each.name for each in fields(kind) if str(each.type).startswith("tuple")}
    return {name: tuple(value) if name in made else value for name, value in values.items()}


def check_ids(ids: Sequence[str]) -> None:
    """Raise ``ValueError`` for an id that cannot be a file name."""
    for name in ids:
        if not re.fullmatch(r"\w[\w.+=@-]*", name):
            raise UserError(f"The id {name!r} cannot be a file name; use letters, digits and . _ - only.")


def key_of(name: str, fingerprint: dict[str, Any], version: int) -> str:
    """Return what the files of an image are named by: its id, and a hash of `fingerprint_of` and of the version."""
    content = json.dumps([version, fingerprint], sort_keys=True)
    return f"{name}-{hashlib.blake2b(content.encode(), digest_size=6).hexdigest()}"


def fingerprint_of(record: Mapping[str, Any], dataset_dir: Path, spacing: Sequence[float] | None) -> dict[str, Any]:
    """Return what has to stay the same for a cached image to hold: source, size in bytes, time stamp and spacing.

    A folder counts with the names, sizes and time stamps of its files (of the slices, if it is a stack of pictures), an
    image file with its `companions`, channels in several files with all of them.

    Raises:
        OSError: a source is absent.
    """
    series = record.get("series")
    files = [file for source in images_of(record) for file in _files(dataset_dir / source, series)]
    stats = [file.stat() for file in files]
    listing = [(file.name, stat.st_size, stat.st_mtime_ns) for file, stat in zip(files, stats, strict=True)]
    return {
        "source": images_of(record),
        "series": series,
        "size": sum(stat.st_size for stat in stats),
        "mtime_ns": max((stat.st_mtime_ns for stat in stats), default=0),
        "files": hashlib.blake2b(repr(listing).encode(), digest_size=8).hexdigest() if len(files) > 1 else None,
        "spacing": None if spacing is None else [float(value) for value in spacing],
    }


def _files(path: Path, series: str | None) -> list[Path]:
    """Return the files that a source consists of."""
    if is_pattern(series):
        return [*slices_of(path, str(series)), *(file for file in [path / SPACING_FILE] if file.is_file())]
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.is_file())
    return [path, *companions(path)]
