"""The one way to a data list: the file where there is one, else the folder."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...utils.errors import AbsentError, UserError
from ..records import Datalist, files_of
from .image_set import ImageSet
from .leakage import check_leakage

logger = logging.getLogger(__name__)

MOST_NAMED = 8


def open_datalist(
    path: str | Path,
    dataset_dir: str | Path,
    sets: Sequence[ImageSet],
    seed: int = 0,
    patient_pattern: str | None = None,
    target_datalists: Sequence[str | Path] = (),
) -> Datalist:
    r"""Read a data list; if it does not exist, read the folder by the first set that matches it and write the list.

    Args:
        path: the JSON file.
        dataset_dir: folder that the paths of images and labels are relative to.
        sets: layouts that are looked for, in this order.
        seed: of the split by patient; a published split wins.
        patient_pattern: regular expression that finds the patient in an image's path, with the name in its first group,
            for example ``r"(LIDC-IDRI-\d+)"``.
        target_datalists: see `check_leakage`.

    Raises:
        AbsentError: the folder, or an image or label of an existing list is not there.
        UserError: the list is damaged, the folder has none of the layouts, nothing in it can be used, or a target task
            is tested on it.
    """
    # ITK changes the working folder while it is loaded.
    path, folder = (Path(place).expanduser().absolute() for place in (path, dataset_dir))
    if path.is_file():
        datalist = Datalist.load(path)
        _check_files(datalist, path, folder)
    else:
        datalist = _read(folder, sets, seed, patient_pattern)
        datalist.save(path)
        logger.info(f"The data list was written to {path}.")
    check_leakage(datalist, folder, target_datalists)
    return datalist


def _read(folder: Path, sets: Sequence[ImageSet], seed: int, patient_pattern: str | None) -> Datalist:
    """Read the folder by the first set that matches it."""
    if not folder.is_dir():
        raise AbsentError(f"dataset_dir {folder} is not a folder; set it to the folder that holds the images.")
    for image_set in sets:
        if image_set.matches(folder):
            logger.info(f"{folder} is read as {image_set.name}.")
            return replace(image_set.read(folder, seed, patient_pattern), source=image_set.name, folder=str(folder))
    there = sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in folder.iterdir())
    raise UserError(
        f"dataset_dir {folder} has no layout that is known here. Looked for {'; '.join(one.layout for one in sets)}. "
        f"Found: {', '.join(there[:MOST_NAMED]) or 'nothing'}{' ...' if len(there) > MOST_NAMED else ''}."
    )


def _check_files(datalist: Datalist, path: Path, folder: Path) -> None:
    """Raise if a file of an existing list is not there."""
    files = [name for record in datalist.records for name in files_of(record)]
    missing = [name for name in files if not (folder / name).exists()]
    if missing:
        raise AbsentError(
            f"{path} lists {missing[0]}, which is not in {folder} ({len(missing)} of {len(files)} files are missing). "
            "Set dataset_dir to the folder that was scanned, or delete the list to scan again."
        )
