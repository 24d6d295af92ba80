"""The two record types that travel between the stages: a data list and a table of patterns."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..utils.files import read_json, write_json

SPLITS = ("training", "validation", "test")


@dataclass
class Datalist:
    """One record per image, split by patient, and the files that were left out with the reason.

    A record is ``{"image": path relative to the data set's folder, "id": unique name, "patient": name}`` and may hold
    ``label`` and, for a folder of slices, ``series``: a SeriesInstanceUID, or the pattern of the names of its pictures.
    """

    training: list[dict[str, Any]] = field(default_factory=list)
    validation: list[dict[str, Any]] = field(default_factory=list)
    test: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)

    @property
    def records(self) -> list[dict[str, Any]]:
        """All records, training first."""
        return [*self.training, *self.validation, *self.test]

    def save(self, path: str | Path) -> Path:
        """Write the list as JSON, atomically."""
        return write_json(path, asdict(self))

    @classmethod
    def load(cls, path: str | Path) -> Datalist:
        """Read a list; raises ``ValueError`` on unknown keys, repeated ids or a patient in two splits."""
        content = read_json(path)
        unknown = sorted(set(content) - {*SPLITS, "skipped"})
        if unknown:
            raise ValueError(f"{path} holds the keys {unknown}; a data list has {[*SPLITS, 'skipped']}.")
        datalist = cls(**content)
        datalist.check(path)
        return datalist

    def check(self, path: str | Path) -> None:
        """Raise ``ValueError`` if an id occurs twice or a patient is in two splits; ``path`` names the list."""
        ids = [record["id"] for record in self.records]
        repeated = sorted({name for name in ids if ids.count(name) > 1}) if len(set(ids)) < len(ids) else []
        if repeated:
            raise ValueError(f"{path} lists the ids {repeated[:5]} more than once; each image needs its own id.")
        split_of: dict[str, str] = {}
        for split in SPLITS:
            for record in getattr(self, split):
                other = split_of.setdefault(record["patient"], split)
                if other != split:
                    raise ValueError(
                        f"{path} has patient {record['patient']} in {other} and in {split}; "
                        "a patient belongs to one split."
                    )


@dataclass
class PatternTable:
    """Boxes that show the same anatomical pattern in similar patients, with their pseudo labels.

    ``classes`` holds ``{"label", "reference", "anchor", "neighbours": [[id, distance], ...]}``; ``training``,
    ``validation`` and ``test`` hold ``{"id", "label", "scale", "box": [[start, stop], ...]}``, in voxels of the cached
    array, half-open, with ``"padded": true`` where the box leaves a small volume. ``grid`` holds ``spacing`` (mm),
    ``frame`` and ``crop_size`` (voxels).
    """

    seed: int
    preset: str
    grid: dict[str, Any]
    features_sha256: str
    classes: list[dict[str, Any]]
    training: list[dict[str, Any]]
    validation: list[dict[str, Any]]
    test: list[dict[str, Any]] = field(default_factory=list)
    version: int = 1

    @property
    def num_classes(self) -> int:
        """Number of pseudo labels, C."""
        return len(self.classes)

    def save(self, path: str | Path) -> Path:
        """Write the table as JSON, atomically; the same table gives the same bytes."""
        content = asdict(self)
        return write_json(path, {"version": content.pop("version"), **content})

    @classmethod
    def load(cls, path: str | Path, num_classes: int | None = None) -> PatternTable:
        """Read a table.

        Args:
            path: file that `save` wrote.
            num_classes: how many classes are kept, from the first; ``None``, or more than there are, keeps all.

        Raises:
            FileNotFoundError: there is no such file; the sentence names the two ways to make it.
            ValueError: the file has another version.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(
                f"{path} does not exist. Patterns are discovered first: run `discover.json` of this bundle with the "
                "same output_dir, or let `python -m monai_sg pretrain --data DIR --output DIR` run the whole chain."
            )
        content = read_json(path)
        if content.get("version") != cls.version:
            raise ValueError(f"{path} has version {content.get('version')}, this package reads {cls.version}.")
        if num_classes is not None:
            content["classes"] = content["classes"][:num_classes]
            for split in SPLITS:
                content[split] = [row for row in content[split] if row["label"] < num_classes]
        return cls(**content)
