"""The two record types that travel between the stages: a data list and a table of patterns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ..utils.errors import AbsentError, UserError
from ..utils.files import read_object, write_json

SPLITS = ("training", "validation", "test")

Record = dict[str, Any]


@dataclass
class Datalist:
    """One record per image, split by patient, and the files that were left out with the reason.

    A record is ``{"image", "id": unique name, "patient": name}``. ``image`` is a path relative to the data set's
    folder, or a list of them, one per channel of the same image. It may hold ``label``: the path of a label map, the
    number of a class, or a list of numbers (one per class, 0 or 1, or the numbers of classes); and, for a folder of
    slices, ``series``: a SeriesInstanceUID, or the pattern of the names of its pictures. ``classes`` names what numbers
    in labels stand for, ``source`` the set that was read, and ``folder`` where it lay then.
    """

    training: list[Record] = field(default_factory=list)
    validation: list[Record] = field(default_factory=list)
    test: list[Record] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    source: str | None = None
    folder: str | None = None

    @property
    def records(self) -> list[Record]:
        """All records, training first."""
        return [*self.training, *self.validation, *self.test]

    def save(self, path: str | Path) -> Path:
        """Write the list as JSON, atomically."""
        return write_json(path, asdict(self))

    @classmethod
    def load(cls, path: str | Path) -> Datalist:
        """Read a list; raises ``ValueError`` on what `check` refuses and on unknown keys."""
        content = read_object(path)
        known = [each.name for each in fields(cls)]
        unknown = sorted(set(content) - set(known))
        if unknown:
            raise UserError(f"{path} holds the keys {unknown}; a data list has {known}.")
        for name in (*SPLITS, "skipped", "classes"):
            if not isinstance(content.get(name, []), list):
                raise UserError(f"{path} holds {str(content[name])[:40]!r} under {name}; write a list.")
        datalist = cls(**content)
        datalist.check(path)
        return datalist

    def check(self, path: str | Path) -> None:
        """Raise ``ValueError`` for a record of another form, an id that occurs twice or a patient in two splits.

        Args:
            path: names the list.
        """
        for split in SPLITS:
            for number, record in enumerate(getattr(self, split)):
                check_record(record, f"{path}: {split} record {number}", len(self.classes))
        count = Counter(record["id"] for record in self.records)
        repeated = sorted(name for name, number in count.items() if number > 1)
        if repeated:
            raise UserError(f"{path} lists the ids {repeated[:5]} more than once; each image needs its own id.")
        split_of: dict[str, str] = {}
        for split in SPLITS:
            for record in getattr(self, split):
                other = split_of.setdefault(record["patient"], split)
                if other != split:
                    raise UserError(
                        f"{path} has patient {record['patient']} in {other} and in {split}; "
                        "a patient belongs to one split."
                    )


def check_record(record: Any, place: str, num_classes: int = 0) -> None:
    """Check the form of a record of a data list.

    Args:
        record: what should be one.
        place: names it in an error.
        num_classes: what whole numbers as labels stay below; 0 where it is not known.

    Raises:
        ValueError: it lacks a key, or what it holds is of the wrong kind; says what stands there and what should.
    """
    if not isinstance(record, dict):
        raise UserError(f"{place} is {record!r}; a record is an object with image, id and patient.")
    for key in ("image", "id", "patient"):
        if key not in record:
            raise UserError(f"{place} lacks {key!r}; a record has image, id and patient.")
    place = f"{place} ({record['id']})"
    for key in ("id", "patient"):
        if not (isinstance(record[key], str) and record[key]):
            raise UserError(f"{place} has the {key} {record[key]!r}; give a text that is not empty.")
    image, label = record["image"], record.get("label")
    if not ((isinstance(image, str) and image) or _is_list_of(image, str)):
        raise UserError(f"{place} has the image {image!r}; give a path, or a list of paths, one per channel.")
    if not (label is None or isinstance(label, str) or _is_number(label) or _is_list_of(label, int)):
        raise UserError(
            f"{place} has the label {label!r}; give the path of a label map, the number of a class from 0, a list of "
            "such numbers, or null."
        )
    largest = max((label if isinstance(label, list) else [label]), default=0) if _counts(label) else 0
    if num_classes and largest >= num_classes:
        raise UserError(f"{place} has the label {label!r}, but the list has {num_classes} classes, from 0.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_list_of(value: Any, kind: type[str] | type[int]) -> bool:
    if not isinstance(value, list) or not value:
        return False
    return all(_is_number(item) if kind is int else isinstance(item, str) and bool(item) for item in value)


def _counts(label: Any) -> bool:
    return _is_number(label) or _is_list_of(label, int)


def checked_split(name: str) -> str:
    """Return the name of a split; ``UserError`` for any other."""
    if name not in SPLITS:
        raise UserError(f"split = {name!r} is unknown; use one of {SPLITS}.")
    return name


def images_of(record: Mapping[str, Any]) -> list[str]:
    """Return the paths of the image of a record, one per file of channels."""
    image = record["image"]
    return [str(image)] if isinstance(image, str | Path) else [str(path) for path in image]


def has_map(record: Mapping[str, Any]) -> bool:
    """Return whether the label of a record is a map, named by its path."""
    return isinstance(record.get("label"), str | Path)


def files_of(record: Mapping[str, Any]) -> list[str]:
    """Return the paths of the image and, where it is a map, of the label of a record."""
    return [*images_of(record), *([str(record["label"])] if has_map(record) else [])]


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
            raise AbsentError(
                f"{path} does not exist. Patterns are discovered first: run `discover.json` of this bundle with the "
                "same output_dir, or let `monai-sg pretrain --data DIR --output DIR` run the whole chain."
            )
        content = read_object(path)
        if content.get("version") != cls.version:
            raise UserError(f"{path} has version {content.get('version')}, this package reads {cls.version}.")
        try:
            table = cls(**content)
            if num_classes is not None:
                table.classes = table.classes[:num_classes]
                for split in SPLITS:
                    setattr(table, split, [row for row in getattr(table, split) if row["label"] < num_classes])
        except (TypeError, KeyError) as error:
            raise UserError(f"{path} is no table of patterns ({error}); delete it and discover them again.") from error
        return table
