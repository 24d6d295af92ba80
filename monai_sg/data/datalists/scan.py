"""A data list from a folder of images: what can be used, what was left out and why."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..readers.formats import SPACING_FILE, SUFFIXES
from ..readers.stacks import is_pattern
from ..records import SPLITS, Datalist
from ..splits import FRACTIONS, split_by_patient
from .inspection import Found, Skipped, inspect_files, without_spacing
from .naming import PLACEHOLDERS, compile_pattern, patient_in, unique_ids

logger = logging.getLogger(__name__)


def open_datalist(
    path: str | Path,
    dataset_dir: str | Path,
    seed: int = 0,
    patient_pattern: str | None = None,
    spatial_dims: int | None = None,
) -> Datalist:
    """Read a data list, or scan the folder and write the list if it does not exist yet.

    Args:
        path: the JSON file.
        dataset_dir: folder that the images' paths are relative to.
        seed: see `scan_folder`.
        patient_pattern: see `scan_folder`.
        spatial_dims: see `scan_folder`.

    Raises:
        FileNotFoundError: an image of an existing list is not there.
        ValueError: the list is damaged, or nothing in the folder can be used.
    """
    path, dataset_dir = Path(path), Path(dataset_dir).absolute()
    if not path.is_file():
        datalist = scan_folder(dataset_dir, seed, patient_pattern, spatial_dims=spatial_dims)
        datalist.save(path)
        logger.info(f"The data list was written to {path}.")
        return datalist
    datalist = Datalist.load(path)
    missing = [record["image"] for record in datalist.records if not (dataset_dir / record["image"]).exists()]
    if missing:
        raise FileNotFoundError(
            f"{path} lists {missing[0]}, which is not in {dataset_dir} ({len(missing)} of {len(datalist.records)} "
            "images are missing). Set dataset_dir to the folder that was scanned, or delete the list to scan again."
        )
    return datalist


def scan_folder(
    dataset_dir: str | Path,
    seed: int = 0,
    patient_pattern: str | None = None,
    fractions: Sequence[float] = FRACTIONS,
    progress: bool = True,
    spatial_dims: int | None = None,
) -> Datalist:
    r"""Find all images in a folder and its subfolders (links are followed) and split them by patient.

    Headers are read, voxels are not. Volumes: NIfTI, MHD, MHA, NRRD, npy, TIFF of several pages, DICOM series, and
    folders of numbered PNG or TIFF slices (`find_stacks`; only if ``spatial_dims`` is 3 or ``spacing.txt`` lies in the
    folder); pictures: PNG, JPEG, TIFF and DICOM films. A patient is what ``patient_pattern`` finds, else the PatientID
    of DICOM, else each image counts as its own.

    Args:
        dataset_dir: the folder.
        seed: of the split.
        patient_pattern: regular expression that finds the patient in an image's relative path (that of a stack ends in
            its pattern, ``exam/p1_*.png``), with the name in its first group, for example ``r"(LIDC-IDRI-\d+)"``.
        fractions: shares of patients for training, validation and test.
        progress: show a bar.
        spatial_dims: 2 or 3 to use only such images; ``None`` takes volumes, or pictures where there is no volume.

    Returns:
        the list, images sorted by path, with the reason for each file that was left out.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: the folder holds no image that can be used.
    """
    dataset_dir = Path(dataset_dir).absolute()  # ITK changes the working folder while it is loaded
    found, skipped = _find(dataset_dir, spatial_dims, progress)
    records = _records(found, dataset_dir.resolve().name, patient_pattern)
    splits = split_by_patient(records, fractions, seed)
    numbers = ", ".join(f"{len(splits[name])} {name}" for name in SPLITS)
    first = f", such as {skipped[0]['path']}, which {skipped[0]['reason']}" if skipped else ""
    logger.info(f"{dataset_dir}: {len(records)} images ({numbers}), {len(skipped)} files or series left out{first}.")
    return Datalist(**splits, skipped=skipped)


def _find(dataset_dir: Path, spatial_dims: int | None, progress: bool) -> tuple[list[Found], Skipped]:
    """Return the usable images and what was left out; raise if there is nothing to use."""
    if not dataset_dir.is_dir():
        raise FileNotFoundError(
            f"dataset_dir {dataset_dir} is not a folder; set it to the folder that holds the images."
        )
    paths = sorted(walk_files(dataset_dir))
    if not paths:
        raise ValueError(f"dataset_dir {dataset_dir} is empty; set it to the folder that holds the images.")
    found, skipped = inspect_files(dataset_dir, paths, spatial_dims == 3, progress)
    found, others = _of_one_kind(found, spatial_dims)
    skipped = sorted([*skipped, *others], key=lambda item: item["path"])
    if not found:
        reasons = "; ".join(f"{item['path']} {item['reason']}" for item in skipped[:3])
        raise ValueError(
            f"None of the {len(paths)} files in {dataset_dir} can be used as an image. "
            f"{reasons or 'No file has a known format'}. Known formats: {', '.join(SUFFIXES)} and DICOM."
        )
    if bare := without_spacing(dataset_dir, found):
        logger.warning(
            f"No spacing is known for {len(bare)} of {len(found)} volumes, such as {bare[0].path}: 1 mm is taken. "
            f"Write it in mm along the three axes, such as '0.7 0.7 2.5', to {SPACING_FILE} in their folder."
        )
    return found, skipped


def walk_files(folder: Path) -> Iterator[Path]:
    """Yield all files, hidden ones left out, following links but no folder twice."""
    seen: set[str] = set()
    for root, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(root)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(root, name) for name in names if not name.startswith("."))


def _of_one_kind(found: list[Found], spatial_dims: int | None) -> tuple[list[Found], Skipped]:
    """Keep images of one number of axes: the wanted one, else volumes where there are any."""
    if not found:
        return [], []
    wanted = spatial_dims or max(item.num_axes for item in found)
    reason = f"is a {5 - wanted}D image; {wanted}D images are used here"
    others = [{"path": str(item.path), "reason": reason} for item in found if item.num_axes != wanted]
    return [item for item in found if item.num_axes == wanted], others


def _records(found: list[Found], folder_name: str, patient_pattern: str | None) -> list[dict[str, str]]:
    """Give each image its id and patient."""
    ids = unique_ids([item.path for item in found], [item.stem or folder_name for item in found])
    pattern = compile_pattern(patient_pattern) if patient_pattern else None
    records, unknown = [], []
    for item, name in zip(found, ids, strict=True):
        path = item.path / item.series if is_pattern(item.series) else item.path
        patient = patient_in(str(path), pattern) if pattern else None
        if not patient and item.patient.lower() not in PLACEHOLDERS:
            patient = item.patient
        if not patient:
            unknown.append(str(item.path))
        record = {"image": str(item.path), "id": name, "patient": patient or name}
        records.append({**record, "series": item.series} if item.series else record)
    if unknown:
        logger.warning(
            f"No patient is known for {len(unknown)} of {len(found)} images, such as {unknown[0]}: each of them counts "
            "as its own patient. If patients have several images, pass patient_pattern, a regular expression whose "
            "first group finds the patient in the path, so that no patient is in two splits."
        )
    return records
