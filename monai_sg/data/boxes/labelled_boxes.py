"""Boxes of cached images, or whole images, with a label each: from a pattern table or a CSV file."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...utils.errors import AbsentError, UserError
from ...utils.files import read_csv, write_csv
from ..cache.volume_cache import VolumeCache
from ..records import Datalist, PatternTable
from .box import Box, Extent

logger = logging.getLogger(__name__)

TRAINING, TEST = "training", "test"
COLUMNS = ("x0", "x1", "y0", "y1", "z0", "z1")


@dataclass(frozen=True)
class LabelledBoxes:
    """Boxes to train and boxes to measure a classifier on.

    ``classes`` names the labels; ``crop_size`` is the size in voxels that the boxes were made for, where it is known.
    """

    classes: tuple[str, ...]
    training: tuple[Box, ...]
    test: tuple[Box, ...]
    crop_size: tuple[int, ...] | None = None

    @property
    def items(self) -> tuple[Box, ...]:
        """All boxes, those for training first."""
        return (*self.training, *self.test)

    @property
    def of_whole_images(self) -> bool:
        """Whether the labels are of whole images."""
        return all(item["box"] is None for item in self.items)

    def check_classes(self) -> None:
        """Raise ``ValueError`` if training or test boxes are absent or of one class only."""
        for split, items in ((TRAINING, self.training), (TEST, self.test)):
            found = sorted({item["label"] for item in items})
            if len(found) < 2:
                names = ", ".join(self.classes[label] for label in found) or "none"
                raise UserError(
                    f"A probe needs {split} boxes of at least two classes; the {len(items)} there are have the class "
                    f"{names}. Label more patients, or say in a column `split` which rows are training and which test."
                )

    def save(self, path: str | Path) -> Path:
        """Write a CSV file that `read_labelled_boxes` reads, atomically."""
        rows: list[dict[str, object]] = []
        for split, items in ((TRAINING, self.training), (TEST, self.test)):
            for item in items:
                ends = (end for pair in item["box"] or [] for end in pair)
                box = dict(zip(COLUMNS, ends, strict=False))  # 2D boxes have fewer columns
                rows.append({"id": item["id"], "label": self.classes[item["label"]], "split": split, **box})
        return write_csv(path, rows)


def read_labelled_boxes(path: str | Path, cache: VolumeCache, datalist: Datalist) -> LabelledBoxes:
    """Read labelled boxes of cached images.

    ``patterns.json``: the exact training boxes train, the test boxes, or else the validation boxes, measure. Any other
    file is a CSV table with the columns ``id`` and ``label``, and ``x0,x1,y0,y1[,z0,z1]`` for boxes in voxels of the
    cached array (RAS), half-open; without them labels are of whole images. A column ``split`` says training or test;
    without it the training patients of the data list train and the others measure. Boxes of images that cannot be read
    are left out with a warning.

    Args:
        path: the file.
        cache: the images.
        datalist: the images by split, with their patients.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a column is missing, an id is unknown, a box leaves its image, a patient is in both splits.
    """
    path = Path(path)
    if not path.is_file():
        raise AbsentError(f"The labelled boxes {path} do not exist; give a patterns.json or a CSV file.")
    found = _from_patterns(path, cache) if path.suffix.lower() == ".json" else _from_csv(path, cache, datalist)
    if not found.items:
        raise UserError(f"{path} has no box of an image that can be read; were they made from other images?")
    return found


def _from_patterns(path: Path, cache: VolumeCache) -> LabelledBoxes:
    table, readable = PatternTable.load(path), set(cache.ids)
    rows = {
        TRAINING: [row for row in table.training if row["scale"] == 1],
        TEST: table.test or table.validation,
    }
    for row in (*rows[TRAINING], *rows[TEST]):
        if row["id"] in readable and not row.get("padded", False):
            _check_inside(row["box"], cache.entry(row["id"]).shape, f"A box of {row['id']} in {path}")
    items = {name: [Box(id=row["id"], label=row["label"], box=row["box"]) for row in own] for name, own in rows.items()}
    return LabelledBoxes(
        tuple(str(label) for label in range(table.num_classes)),
        training=_readable(items[TRAINING], cache, path),
        test=_readable(items[TEST], cache, path),
        crop_size=tuple(table.grid["crop_size"]),
    )


def _from_csv(path: Path, cache: VolumeCache, datalist: Datalist) -> LabelledBoxes:
    table = read_csv(path, skipinitialspace=True)
    rows = [{name.strip().lower(): value.strip() for name, value in row.items()} for row in table]
    axes = _box_columns(path, list(rows[0]) if rows else [], len(cache.shapes[0]))
    known, readable = {record["id"] for record in datalist.records}, set(cache.ids)
    names = _class_names(row["label"] for row in rows)
    items: list[Box] = []
    for number, row in enumerate(rows, 2):
        place = f"Line {number} of {path}"
        if row["id"] not in known:
            raise UserError(
                f"{place} names the image {row['id']!r}, which is none of the {len(known)} images; ids look like "
                f"{min(known)!r}, and datalist.json lists them."
            )
        if not row["label"]:
            raise UserError(f"{place} has no label.")
        shape = cache.entry(row["id"]).shape if row["id"] in readable else None
        items.append(Box(id=row["id"], label=names.index(row["label"]), box=_box(row, axes, shape, place)))
    if not axes and len({item["id"] for item in items}) < len(items):
        raise UserError(f"{path} lists an image more than once; a whole image has one label, boxes need {COLUMNS}.")
    splits = list(zip(items, _splits(path, rows, datalist), strict=True))
    return LabelledBoxes(
        names,
        training=_readable([item for item, split in splits if split == TRAINING], cache, path),
        test=_readable([item for item, split in splits if split == TEST], cache, path),
    )


def _class_names(labels: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the classes, whole numbers in their order."""
    found = sorted(set(labels))
    try:
        return tuple(sorted(found, key=int))
    except ValueError:
        return tuple(found)


def _box_columns(path: Path, columns: Sequence[str], num_axes: int) -> list[tuple[str, str]]:
    """Return the names of the columns of a box's ends per axis, none if labels are of whole images."""
    axes = [(COLUMNS[2 * axis], COLUMNS[2 * axis + 1]) for axis in range(num_axes)]
    boxed = any(name in columns for name in COLUMNS)
    wanted = ["id", "label", *(name for pair in axes if boxed for name in pair)]
    missing = [name for name in wanted if name not in columns]
    if missing:
        raise UserError(
            f"{path} has no column {missing[0]!r}; it needs {', '.join(wanted)}, and may have split. "
            f"It has {', '.join(columns) or 'none'}."
        )
    return axes if boxed else []


def _box(
    row: Mapping[str, str], axes: Sequence[tuple[str, str]], shape: Sequence[int] | None, place: str
) -> Extent | None:
    """Return the box of a row, checked against the shape of its image where that is known."""
    if not axes:
        return None
    try:
        box = [[int(row[start]), int(row[stop])] for start, stop in axes]
    except ValueError as error:
        raise UserError(f"{place} has a box that is not of whole numbers of voxels ({error}).") from error
    if shape is not None:
        _check_inside(box, shape, f"{place}: the box")
    return box


def _check_inside(box: Extent, shape: Sequence[int], name: str) -> None:
    fits = len(box) == len(shape) and all(
        0 <= start < stop <= length for (start, stop), length in zip(box, shape, strict=True)
    )
    if not fits:
        raise UserError(
            f"{name} is {box}, outside of the image of {list(shape)} voxels. Boxes are half-open, in voxels of the "
            "cached array: RAS, at the same spacing."
        )


def _splits(path: Path, rows: Sequence[Mapping[str, str]], datalist: Datalist) -> list[str]:
    """Return the split of each row; those of a patient are the same."""
    patient_of = {record["id"]: record["patient"] for record in datalist.records}
    training = {record["id"] for record in datalist.training}
    split_of: dict[str, str] = {}
    found = []
    for number, row in enumerate(rows, 2):
        default = TRAINING if row["id"] in training else TEST
        split = row.get("split", default)
        if split not in (TRAINING, TEST):
            raise UserError(f"Line {number} of {path} has the split {split!r}; say {TRAINING} or {TEST}.")
        patient = patient_of[row["id"]]
        if split_of.setdefault(patient, split) != split:
            raise UserError(
                f"{path} has patient {patient} in training and in test (line {number}); a patient belongs to one split."
            )
        found.append(split)
    return found


def _readable(items: Sequence[Box], cache: VolumeCache, path: Path) -> tuple[Box, ...]:
    """Return the boxes whose image is in the cache."""
    ids = set(cache.ids)
    kept = tuple(item for item in items if item["id"] in ids)
    if len(kept) < len(items):
        absent = sorted({item["id"] for item in items} - ids)
        logger.warning(
            f"{len(items) - len(kept)} of {len(items)} boxes in {path} are left out: {len(absent)} images, such as "
            f"{absent[0]}, are not among those that can be read."
        )
    return kept
