"""A data list from a folder of images: what can be used, what was left out and why."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from .dicom import Slice, check_series, is_dicom, read_slice
from .formats import ARCHIVES, SUFFIXES, UnusableImageError, read_header, stem_of, suffix_of
from .naming import PLACEHOLDERS, compile_pattern, label_reason, patient_in, unique_ids
from .records import SPLITS, Datalist
from .splits import FRACTIONS, split_by_patient

logger = logging.getLogger(__name__)

NUM_THREADS = 8


@dataclass(frozen=True)
class _Found:
    """A usable image: path relative to the folder, short name, number of axes, patient (may be empty) and series."""

    path: PurePosixPath
    stem: str
    num_axes: int
    patient: str = ""
    series: str = ""


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
    path, dataset_dir = Path(path), Path(dataset_dir)
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

    Headers are read, voxels are not. Volumes: NIfTI, MHD, MHA, NRRD, npy and DICOM series; pictures: PNG, JPEG and
    DICOM films. A patient is what ``patient_pattern`` finds, else the PatientID of DICOM, else each image counts as
    its own.

    Args:
        dataset_dir: the folder.
        seed: of the split.
        patient_pattern: regular expression that finds the patient in an image's relative path, with the name in its
            first group, for example ``r"(LIDC-IDRI-\d+)"``.
        fractions: shares of patients for training, validation and test.
        progress: show a bar.
        spatial_dims: 2 or 3 to use only such images; ``None`` takes volumes, or pictures where there is no volume.

    Returns:
        the list, images sorted by path, with the reason for each file that was left out.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: the folder holds no image that can be used.
    """
    dataset_dir = Path(dataset_dir)
    found, skipped = _find(dataset_dir, spatial_dims, progress)
    records = _records(found, dataset_dir.resolve().name, patient_pattern)
    splits = split_by_patient(records, fractions, seed)
    numbers = ", ".join(f"{len(splits[name])} {name}" for name in SPLITS)
    first = f", such as {skipped[0]['path']}, which {skipped[0]['reason']}" if skipped else ""
    logger.info(f"{dataset_dir}: {len(records)} images ({numbers}), {len(skipped)} files or series left out{first}.")
    return Datalist(**splits, skipped=skipped)


def _find(dataset_dir: Path, spatial_dims: int | None, progress: bool) -> tuple[list[_Found], list[dict[str, str]]]:
    """Return the usable images and what was left out; raise if there is nothing to use."""
    if not dataset_dir.is_dir():
        raise FileNotFoundError(
            f"dataset_dir {dataset_dir} is not a folder; set it to the folder that holds the images."
        )
    paths = sorted(walk_files(dataset_dir))
    if not paths:
        raise ValueError(f"dataset_dir {dataset_dir} is empty; set it to the folder that holds the images.")
    found, skipped = _inspect(dataset_dir, paths, progress)
    found, others = _of_one_kind(found, spatial_dims)
    skipped = sorted([*skipped, *others], key=lambda item: item["path"])
    if not found:
        reasons = "; ".join(f"{item['path']} {item['reason']}" for item in skipped[:3])
        raise ValueError(
            f"None of the {len(paths)} files in {dataset_dir} can be used as an image. "
            f"{reasons or 'No file has a known format'}. Known formats: {', '.join(SUFFIXES)} and DICOM."
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


def _inspect(dataset_dir: Path, paths: list[Path], progress: bool) -> tuple[list[_Found], list[dict[str, str]]]:
    """Look at every file; DICOM files are collected and judged series by series."""
    found: list[_Found] = []
    skipped: list[dict[str, str]] = []
    series: dict[tuple[str, str], list[Slice]] = {}
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        results = pool.map(lambda path: _inspect_file(dataset_dir, path), paths)
        for path, result in tqdm(zip(paths, results, strict=True), "Scanning", len(paths), disable=not progress):
            relative = PurePosixPath(path.relative_to(dataset_dir).as_posix())
            if isinstance(result, _Found):
                found.append(result)
            elif isinstance(result, Slice) and result.is_film:
                found.append(_Found(relative, _dicom_stem(path), 2, result.patient))
            elif isinstance(result, Slice):
                series.setdefault((str(relative.parent), result.series), []).append(result)
            elif result:
                skipped.append({"path": str(relative), "reason": result})
    for (folder, name), slices in sorted(series.items()):
        try:
            check_series(slices)
        except UnusableImageError as error:
            skipped.append({"path": folder, "reason": f"{slices[0].modality} series {name} {error}"})
            continue
        stem = "_".join(PurePosixPath(folder).parts)
        if sum(other == folder for other, _ in series) > 1:
            stem = f"{stem}_{name.rsplit('.', 1)[-1]}"
        found.append(_Found(PurePosixPath(folder), stem, 3, slices[0].patient, name))
    return sorted(found, key=lambda item: (str(item.path), item.series)), skipped


def _inspect_file(dataset_dir: Path, path: Path) -> _Found | Slice | str | None:
    """Return a usable image, a DICOM slice, the reason why the file is left out, or ``None`` for other files."""
    relative = PurePosixPath(path.relative_to(dataset_dir).as_posix())
    suffix = suffix_of(path)
    try:
        if suffix in SUFFIXES:
            reason = label_reason(relative, stem_of(path))
            return reason or _Found(relative, stem_of(path), len(read_header(path).shape))
        if suffix in ARCHIVES:
            return "is an archive; unpack it first"
        if path.name.upper() != "DICOMDIR" and is_dicom(path):
            return label_reason(relative, "") or read_slice(path)
    except UnusableImageError as error:
        return str(error)
    return None


def _dicom_stem(path: Path) -> str:
    return path.stem if path.suffix.lower() in (".dcm", ".dicom", ".ima") else path.name


def _of_one_kind(found: list[_Found], spatial_dims: int | None) -> tuple[list[_Found], list[dict[str, str]]]:
    """Keep images of one number of axes: the wanted one, else volumes where there are any."""
    if not found:
        return [], []
    wanted = spatial_dims or max(item.num_axes for item in found)
    reason = f"is a {5 - wanted}D image; {wanted}D images are used here"
    others = [{"path": str(item.path), "reason": reason} for item in found if item.num_axes != wanted]
    return [item for item in found if item.num_axes == wanted], others


def _records(found: list[_Found], folder_name: str, patient_pattern: str | None) -> list[dict[str, str]]:
    """Give each image its id and patient."""
    ids = unique_ids([item.path for item in found], [item.stem or folder_name for item in found])
    pattern = compile_pattern(patient_pattern) if patient_pattern else None
    records, unknown = [], []
    for item, name in zip(found, ids, strict=True):
        patient = patient_in(str(item.path), pattern) if pattern else None
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
