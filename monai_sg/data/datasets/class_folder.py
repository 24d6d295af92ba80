"""Images with a table of their classes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from ...utils.errors import UserError
from ...utils.files import read_csv
from ..readers.formats import SUFFIXES, stem_of, suffix_of
from ..records import SPLITS, Datalist, Record
from ..splits import split_by_patient
from .naming import unique_ids
from .pairs import log_skipped
from .patients import patients_of
from .walking import Skipped, walk_files

logger = logging.getLogger(__name__)

TABLE = "labels.csv"
IMAGE, CLASS, PATIENT, SPLIT = "image", "class", "patient", "split"
IMAGE_SUFFIXES = {*SUFFIXES, ".dcm", ".dicom"}
SPLIT_NAMES = {
    "training": "training",
    "train": "training",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}

Row = Mapping[str, str]


class ClassFolder:
    """Pictures or volumes anywhere in a folder, and ``labels.csv`` with a row for each.

    The column ``image`` holds a path below the folder or a file name, with or without suffix. Either each class is a
    column of 0 and 1, and an image may be of several, or the column ``class`` names the one class of an image. The
    columns ``patient`` and ``split`` (train, val or test) may be absent; without ``split`` the images are split by
    patient, 70 / 15 / 15.

    Args:
        classes: names of the classes, in the order of the outputs. Empty takes those in the column ``class``, sorted.
    """

    name = "images with a table of classes"
    layout = f"{TABLE} with the columns image and class, or image and a column of 0 and 1 per class"

    def __init__(self, classes: Sequence[str] = ()) -> None:
        self.classes = list(classes)

    def matches(self, folder: Path) -> bool:
        """Return whether there is a table."""
        return (folder / TABLE).is_file()

    def read(self, folder: Path, seed: int = 0, patient_pattern: str | None = None) -> Datalist:
        """Return records ``{"image", "label", "id", "patient"}``; the label is a class, or a 0 or 1 per class.

        Images without row and rows without image are left out with the reason.

        Args:
            folder: the folder.
            seed: of the split by patient, if the table has none.
            patient_pattern: regular expression that finds the patient in an image's path, if the table has none.

        Raises:
            UserError: the table lacks a column or holds another value than it may, or nothing can be used.
            ValueError: the split cuts a patient.
        """
        rows = read_csv(folder / TABLE)
        columns, classes = self._columns(folder / TABLE, rows)
        paths, skipped = _match(folder, rows)
        used = [(row, path) for row, path in zip(rows, paths, strict=True) if path is not None]
        if not used:
            reason = f": {skipped[0]['path']} {skipped[0]['reason']}" if skipped else ""
            raise UserError(f"None of the {len(rows)} images of {folder / TABLE} is in {folder}{reason}.")
        records = _named(used, patient_pattern)
        for record, (row, _) in zip(records, used, strict=True):
            record["label"] = _label(folder / TABLE, row, columns, classes)
        splits = _split(folder / TABLE, records, [row for row, _ in used], seed)
        datalist = Datalist(splits["training"], splits["validation"], splits["test"], skipped, classes=classes)
        datalist.check(folder / TABLE)
        numbers = ", ".join(f"{len(getattr(datalist, split))} {split}" for split in SPLITS)
        logger.info(f"{folder}: {len(records)} images of {len(classes)} classes ({numbers}).")
        log_skipped(folder, skipped)
        return datalist

    def _columns(self, table: Path, rows: Sequence[Row]) -> tuple[list[str], list[str]]:
        """Return the columns of 0 and 1, none where a column names the class, and the classes."""
        there = list(rows[0]) if rows else []
        if IMAGE in there and self.classes and set(self.classes) <= set(there):
            return self.classes, self.classes
        if IMAGE not in there or CLASS not in there:
            wanted = f"{IMAGE!r} and {CLASS!r}" + (f", or {IMAGE!r}, {', '.join(self.classes)}" if self.classes else "")
            raise UserError(
                f"{table} has {len(rows)} rows and the columns {', '.join(there) or 'none'}; it needs {wanted}, or "
                "name its columns of 0 and 1 in classes."
            )
        named = sorted({row[CLASS].strip() for row in rows})
        if len(named) < 2 and not self.classes:
            raise UserError(f"{table} has the one class {named[0]!r}; two or more are needed.")
        return [], self.classes or named


def _match(folder: Path, rows: Sequence[Row]) -> tuple[list[PurePosixPath | None], Skipped]:
    """Return the file or folder of each row, and why rows and images are left out."""
    by_name: dict[str, list[PurePosixPath]] = {}
    for path in sorted(walk_files(folder)):
        if suffix_of(path) not in IMAGE_SUFFIXES:
            continue
        relative = PurePosixPath(path.relative_to(folder).as_posix())
        for name in {str(relative), str(relative.with_name(stem_of(path))), relative.name, stem_of(path)}:
            by_name.setdefault(name, []).append(relative)
    paths: list[PurePosixPath | None] = []
    skipped: Skipped = []
    taken: set[PurePosixPath] = set()
    for row in rows:
        name = row[IMAGE].strip()
        found = by_name.get(name, [])
        if not found and name and (folder / name).exists():
            found = [PurePosixPath(name)]
        if len(found) != 1:
            reason = f"may be {found[0]} or {found[1]}" if found else f"is in {TABLE}, but not in the folder"
        else:
            reason = f"has a second row in {TABLE}" if found[0] in taken else ""
        if reason:
            skipped.append({"path": name, "reason": reason})
        taken.update(found)
        paths.append(None if reason else found[0])
    images = {path for found in by_name.values() for path in found}
    without_row = sorted(path for path in images if taken.isdisjoint([path, *path.parents]))
    return paths, [*skipped, *({"path": str(path), "reason": f"has no row in {TABLE}"} for path in without_row)]


def _named(used: Sequence[tuple[Row, PurePosixPath]], patient_pattern: str | None) -> list[Record]:
    """Return a record of each image, with its id and patient."""
    ids = unique_ids([path for _, path in used], [stem_of(Path(path)) for _, path in used])
    known = [row.get(PATIENT, "").strip() for row, _ in used]
    patients = patients_of([str(path) for _, path in used], ids, None if all(known) else patient_pattern, known)
    return [
        {"image": str(path), "label": None, "id": name, "patient": patient}
        for (_, path), name, patient in zip(used, ids, patients, strict=True)
    ]


def _label(table: Path, row: Row, columns: Sequence[str], classes: Sequence[str]) -> int | list[int]:
    if not columns:
        name = row[CLASS].strip()
        if name not in classes:
            raise UserError(f"{table} has the class {name!r} for {row[IMAGE]}; classes are {', '.join(classes)}.")
        return classes.index(name)
    for name in columns:
        if row[name].strip() not in ("0", "1", "0.0", "1.0"):
            raise UserError(f"{table} has {row[name]!r} under {name} for {row[IMAGE]}; write 0 or 1.")
    return [int(float(row[name])) for name in columns]


def _split(table: Path, records: list[Record], rows: Sequence[Row], seed: int) -> dict[str, list[Record]]:
    """Return the records by the split of the table, or split by patient."""
    if SPLIT not in rows[0]:
        return split_by_patient(records, seed=seed)
    splits: dict[str, list[Record]] = {split: [] for split in SPLITS}
    for record, row in zip(records, rows, strict=True):
        given = row[SPLIT].strip().lower()
        if given not in SPLIT_NAMES:
            raise UserError(f"{table} has the split {row[SPLIT]!r} for {row[IMAGE]}; write one of {', '.join(SPLITS)}.")
        splits[SPLIT_NAMES[given]].append(record)
    return splits
