"""ChestX-ray14, frontal chest films with fourteen findings, as the NIH ships it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ...utils.errors import AbsentError, UserError
from ...utils.files import read_csv
from ..records import SPLITS, Datalist, Record
from ..splits import split_by_patient
from .pairs import log_skipped
from .walking import Skipped, walk_files

logger = logging.getLogger(__name__)

FINDINGS = (
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Pleural_Thickening",
    "Hernia",
)
NO_FINDING = "No Finding"
TABLE = "Data_Entry_2017*.csv"
PUBLISHED = {"train_val_list.txt": "training", "test_list.txt": "test"}
IN_THREE = {"train_list.txt": "training", "val_list.txt": "validation", "test_list.txt": "test"}
VALIDATION_SHARE = 0.13
"""Share of the patients of ``train_val_list.txt`` that validate; in the usual lists of three it is 11,212 of 86,524."""

WHOLE = {"training": 86_524, "test": 25_596}
PARTS = (4_999, *[10_000] * 10, 7_121)
"""Films in images_001 to images_012, in the order of the table."""

SUFFIXES = {".png", ".jpg", ".jpeg", ".dcm", ".dicom", ".tif", ".tiff"}
MOST_NAMED = 3


@dataclass(frozen=True)
class Film:
    """What is known of a film: 0 or 1 per finding in the order of `FINDINGS`, and its patient."""

    label: list[int]
    patient: str


@dataclass
class Tables:
    """The films by name without suffix, their split, and the name of the file that says the findings."""

    source: str
    films: dict[str, Film] = field(default_factory=dict)
    split_of: dict[str, str] = field(default_factory=dict)


class ChestXray14:
    """ChestX-ray14 (Wang et al., CVPR 2017) with its published split, or any part of it.

    The folder holds ``Data_Entry_2017*.csv``, ``train_val_list.txt`` and ``test_list.txt``, and the films anywhere
    below it, such as ``images_001/images/00000001_000.png``. 13 % of the training patients validate. Also read are
    lists in three, ``train_list.txt``, ``val_list.txt`` and ``test_list.txt``, with a 0 or 1 per finding behind each
    name where there is no table. Films that were made smaller or stored in another format, DICOM among them, count by
    their name without suffix.
    """

    name = "ChestX-ray14"
    layout = "Data_Entry_2017*.csv, or train_list.txt with val_list.txt and test_list.txt (ChestX-ray14)"

    def matches(self, folder: Path) -> bool:
        """Return whether there is a table of films, or the lists in three."""
        return any(folder.glob(TABLE)) or all((folder / name).is_file() for name in IN_THREE)

    def read(self, folder: Path, seed: int = 0, patient_pattern: str | None = None) -> Datalist:
        """Return records ``{"image", "label", "id", "patient"}`` with a 0 or 1 per finding, and what was left out.

        What was left out are images without row, and rows without image: by archive where the table is whole.

        Args:
            folder: the folder.
            seed: of the training patients that validate.
            patient_pattern: has no say, the table names the patients.

        Raises:
            AbsentError: a list of the split, or every film, is missing.
            UserError: a table or a list cannot be read as one.
            ValueError: the lists cut a patient.
        """
        tables = _read_tables(folder)
        found, skipped = _found(folder, tables)
        if not found:
            raise AbsentError(
                f"{folder} holds none of the {len(tables.films)} films of {tables.source}; unpack the archives "
                "images_001.tar.gz to images_012.tar.gz there."
            )
        splits: dict[str, list[Record]] = {split: [] for split in SPLITS}
        for stem in sorted(found):
            film = tables.films[stem]
            splits[tables.split_of[stem]].append(
                {"image": str(found[stem]), "label": film.label, "id": stem, "patient": film.patient}
            )
        if "validation" not in tables.split_of.values() and splits["training"]:
            shares = (1 - VALIDATION_SHARE, VALIDATION_SHARE, 0.0)
            splits |= {k: v for k, v in split_by_patient(splits["training"], shares, seed).items() if k != "test"}
        skipped += _absent(tables, found)
        datalist = Datalist(splits["training"], splits["validation"], splits["test"], skipped, classes=list(FINDINGS))
        datalist.check(folder)
        numbers = ", ".join(f"{len(splits[split])} {split}" for split in SPLITS)
        logger.info(f"{folder}: ChestX-ray14 with {len(found)} of {len(tables.films)} films ({numbers}).")
        log_skipped(folder, datalist.skipped)
        return datalist


def _read_tables(folder: Path) -> Tables:
    """Read findings and splits; say where the whole data set has another number of films."""
    table = next(iter(sorted(folder.glob(TABLE))), None)
    chosen = PUBLISHED if table and not (folder / "train_list.txt").is_file() else IN_THREE
    if (folder / "train_val_list.txt").is_file():
        chosen = PUBLISHED
    tables = Tables(table.name if table else ", ".join(chosen))
    if table:
        tables.films = _films(table)
    for name, split in chosen.items():
        for line in _lines(folder / name, split):
            stem, *numbers = Path(line[0]).stem, *line[1:]
            if tables.split_of.setdefault(stem, split) != split:
                raise UserError(f"{folder / name} has {stem}, which is a {tables.split_of[stem]} film; keep it in one.")
            if not table:
                tables.films[stem] = _listed_film(folder / name, stem, numbers)
    if table and chosen is PUBLISHED:
        _compare_with_whole(folder, tables)
    return tables


def _films(table: Path) -> dict[str, Film]:
    """Read the table of the NIH."""
    films = {}
    for number, row in enumerate(read_csv(table), start=2):
        try:
            name, findings, patient = row["Image Index"], row["Finding Labels"], row["Patient ID"]
        except KeyError as error:
            raise UserError(f"{table} has no column {error}; download it from the NIH again, unchanged.") from error
        named = {part.strip() for part in findings.split("|")} - {NO_FINDING}
        if unknown := sorted(named - set(FINDINGS)):
            raise UserError(f"{table}, line {number}, has the finding {unknown[0]!r}; known are {', '.join(FINDINGS)}.")
        films[Path(name).stem] = Film([int(one in named) for one in FINDINGS], patient.strip().zfill(8))
    return films


def _lines(path: Path, split: str) -> Iterator[list[str]]:
    """Yield the words of the lines of a list."""
    if not path.is_file():
        raise AbsentError(
            f"{path} is not there, which lists the {split} films; download it from the NIH, or give a datalist."
        )
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text in UTF-8; download it from the NIH again, unchanged.") from error
    for line in text.splitlines():
        if words := line.split():
            yield words


def _listed_film(path: Path, stem: str, numbers: Sequence[str]) -> Film:
    """Return a film of a list with findings; its patient is what its name begins with."""
    if len(numbers) != len(FINDINGS) or not set(numbers) <= {"0", "1"}:
        raise UserError(
            f"{path} has {' '.join(numbers) or 'nothing'} behind {stem}, not a 0 or 1 for each of {len(FINDINGS)} "
            "findings; put Data_Entry_2017_v2020.csv of the NIH beside it."
        )
    return Film([int(number) for number in numbers], stem.split("_")[0])


def _compare_with_whole(folder: Path, tables: Tables) -> None:
    """Warn of a table or a list that is longer or shorter than the NIH's."""
    there = {split: list(tables.split_of.values()).count(split) for split in WHOLE}
    if len(tables.films) != sum(WHOLE.values()) or there != WHOLE:
        logger.warning(
            f"{folder}: {tables.source} has {len(tables.films)} films and the lists have {there['training']} for "
            f"training and validation and {there['test']} for test; ChestX-ray14 has {sum(WHOLE.values())}, "
            f"{WHOLE['training']} and {WHOLE['test']}."
        )


def _found(folder: Path, tables: Tables) -> tuple[dict[str, PurePosixPath], Skipped]:
    """Return the films that can be used, and the other images with the reason."""
    found: dict[str, PurePosixPath] = {}
    skipped: Skipped = []
    for path in sorted(walk_files(folder)):
        if path.suffix.lower() not in SUFFIXES:
            continue
        relative, stem = PurePosixPath(path.relative_to(folder).as_posix()), path.stem
        if stem not in tables.films:
            skipped.append({"path": str(relative), "reason": f"has no row in {tables.source}"})
        elif stem not in tables.split_of:
            skipped.append({"path": str(relative), "reason": "is in no list of the split"})
        elif stem in found:
            skipped.append({"path": str(relative), "reason": f"is {stem} again; {found[stem]} is used"})
        else:
            found[stem] = relative
    return found, skipped


def _absent(tables: Tables, found: Mapping[str, PurePosixPath]) -> Skipped:
    """Return which films have no file: by archive where the table is whole."""
    names, start, skipped = list(tables.films), 0, []
    whole = len(names) == sum(PARTS)
    for number, size in enumerate(PARTS if whole else [len(names)], start=1):
        absent = [name for name in names[start : start + size] if name not in found]
        start += size
        if absent:
            of = f"lacks {len(absent)} of its {size} films" if whole else f"has {len(absent)} films without a file"
            such = f", such as {', '.join(absent[:MOST_NAMED])}"
            skipped.append({"path": f"images_{number:03d}" if whole else tables.source, "reason": of + such})
    return skipped
