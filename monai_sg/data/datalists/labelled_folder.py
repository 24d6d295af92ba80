"""Any folder of images with label maps: which label belongs to which image, and the list that training reads."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ...utils.distributed import rank
from ..readers.formats import SUFFIXES, stem_of, suffix_of
from ..records import SPLITS, Datalist
from ..splits import nested_subset, split_by_patient
from .lits import is_lits, lits_datalist
from .naming import compile_pattern, patient_in, unique_ids, warn_of_unknown_patients
from .pairs import Pair, log_skipped, pair_by_name, usable_pairs
from .scan import walk_files

logger = logging.getLogger(__name__)


def open_labelled(
    path: str | Path, dataset_dir: str | Path, seed: int = 0, patient_pattern: str | None = None
) -> Datalist:
    """Read a data list with labels; if it does not exist, make it from LiTS-2017 or any labelled folder and write it.

    Args:
        path: the JSON file.
        dataset_dir: folder that the paths of images and labels are relative to.
        seed: see `labelled_datalist`; the split of LiTS-2017 is fixed.
        patient_pattern: see `labelled_datalist`.

    Raises:
        FileNotFoundError: the folder, or an image or label of an existing list is not there.
        ValueError: the list is damaged, a record has no label, or the folder holds no pairs.
    """
    path, dataset_dir = Path(path), Path(dataset_dir)
    if path.is_file():
        datalist = Datalist.load(path)
        _check_files(datalist, path, dataset_dir)
        return datalist
    if is_lits(dataset_dir):
        datalist = lits_datalist(dataset_dir)
    else:
        datalist = labelled_datalist(dataset_dir, seed, patient_pattern)
    datalist.save(path)
    logger.info(f"The data list was written to {path}.")
    return datalist


def _check_files(datalist: Datalist, path: Path, dataset_dir: Path) -> None:
    """Raise if a record of an existing list has no label, or a file of it is not there."""
    records = datalist.records
    unlabelled = [record["id"] for record in records if not record.get("label")]
    if unlabelled:
        raise ValueError(
            f"{path} has no label for {unlabelled[0]} ({len(unlabelled)} of {len(records)} records lack one). Add "
            '"label": PATH to each record, or name a datalist that does not exist yet, to have it made from the labels '
            "in dataset_dir."
        )
    files = [record[key] for record in records for key in ("image", "label")]
    missing = [name for name in files if not (dataset_dir / name).exists()]
    if missing:
        raise FileNotFoundError(
            f"{path} lists {missing[0]}, which is not in {dataset_dir} ({len(missing)} of {len(files)} files are "
            "missing). Set dataset_dir to the folder that was scanned, or delete the list to scan again."
        )


def labelled_records(
    datalist: Datalist, dataset_dir: str | Path, split: str, fraction: float = 1.0, seed: int = 0
) -> list[dict[str, Any]]:
    """Return the labelled images of one split, for MONAI's readers.

    Args:
        datalist: as `open_labelled` returns it.
        dataset_dir: folder that its paths are relative to.
        split: ``training``, ``validation`` or ``test``.
        fraction: share of the patients, see `nested_subset`; for training only.
        seed: see `nested_subset`.

    Returns:
        ``{"image": absolute path, "label": absolute path, "id", "patient"}`` of each image, and ``series`` where the
        record has it. Only the validation split may be empty.

    Raises:
        ValueError: for an unknown split, a fraction outside (0, 1], or no training or test images.
    """
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; a data list has {list(SPLITS)}.")
    records = getattr(datalist, split)
    if not records and split != "validation":
        numbers = ", ".join(f"{len(getattr(datalist, name))} {name}" for name in SPLITS)
        raise ValueError(f"The data list of {dataset_dir} has no {split} images ({numbers}); add some to that split.")
    if not records:
        return []
    kept = nested_subset(records, fraction, seed)
    if fraction < 1 and rank() == 0:
        used, known = (len({record["patient"] for record in each}) for each in (kept, records))
        logger.info(f"label_fraction {fraction:g}: {used} of {known} {split} patients.")
    folder = Path(dataset_dir).absolute()
    return [
        {
            "image": str(folder / record["image"]),
            "label": str(folder / record["label"]),
            **{key: record[key] for key in ("id", "patient", "series") if key in record},
        }
        for record in kept
    ]


def labelled_datalist(
    dataset_dir: str | Path, seed: int = 0, patient_pattern: str | None = None, progress: bool = True
) -> Datalist:
    r"""Pair images with label maps of the same name and split them by patient.

    Looked for, in this order: ``imagesTr`` and ``labelsTr``; ``images`` and ``labels``; images anywhere in the folder
    and ``labels``. Of ``labels``, ``labels/final`` alone is taken where it exists. Subfolders and all formats of
    `formats` are read. An image belongs to the label with the same path and name without suffix, else to the one with
    the same name if there is but one; ``case_0000`` (channel 0, as nnU-Net writes it) belongs to ``case``. Headers are
    compared; voxels are not read.

    Args:
        dataset_dir: the folder.
        seed: of the split.
        patient_pattern: regular expression that finds the patient in an image's path relative to ``dataset_dir``, as
            in `scan_folder`; each image counts as its own patient otherwise.
        progress: show a bar.

    Returns:
        records ``{"image", "label", "id", "patient"}``, sorted by path, and each file that was left out: images
        without label, labels without image, pairs of different shape, files that cannot be read.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: there are no labels where they were looked for, or no pair can be used.
    """
    dataset_dir = Path(dataset_dir)
    image_root, label_root = _layout(dataset_dir)
    labels = _images_in(dataset_dir, label_root)
    images = [path for path in _images_in(dataset_dir, image_root) if path.parts[0] != "labels"]
    pairs, skipped = pair_by_name(images, labels, image_root, label_root)
    found = f"{len(images)} images in {dataset_dir / image_root} and {len(labels)} label maps in {label_root}"
    usable, unusable = usable_pairs(dataset_dir, pairs, progress)
    skipped = sorted([*skipped, *unusable], key=lambda item: item["path"])
    if not usable:
        raise ValueError(_no_pair(found, skipped))
    splits = split_by_patient(_records(usable, patient_pattern), seed=seed)
    logger.info(f"Found {found}; {', '.join(f'{len(splits[name])} {name}' for name in SPLITS)}.")
    log_skipped(dataset_dir, skipped)
    return Datalist(**splits, skipped=skipped)


def _layout(dataset_dir: Path) -> tuple[str, str]:
    """Return the folders of images and labels, relative to the data set's folder."""
    if not dataset_dir.is_dir():
        raise FileNotFoundError(
            f"dataset_dir {dataset_dir} is not a folder; set it to the folder that holds the images."
        )
    if (dataset_dir / "imagesTr").is_dir() and (dataset_dir / "labelsTr").is_dir():
        return "imagesTr", "labelsTr"
    if (dataset_dir / "labels").is_dir():
        final = (dataset_dir / "labels/final").is_dir()
        images = (dataset_dir / "images").is_dir()
        return "images" if images else ".", "labels/final" if final else "labels"
    there = sorted(f"{path.name}/" if path.is_dir() else path.name for path in dataset_dir.iterdir())
    raise ValueError(
        f"No labels were found in dataset_dir {dataset_dir}. Looked for imagesTr and labelsTr, for labels beside "
        "images, for labels beside the image files, and for volume-N.nii with segmentation-N.nii (LiTS-2017). "
        f"Found: {', '.join(there[:8]) or 'nothing'}{' ...' if len(there) > 8 else ''}."
    )


def _no_pair(found: str, skipped: Sequence[dict[str, str]]) -> str:
    reasons = "; ".join(f"{item['path']} {item['reason']}" for item in skipped[:3])
    return (
        f"Found {found}, but no pair that can be used. {reasons or 'No file has a known format'}. Known formats: "
        f"{', '.join(SUFFIXES)}; a label map has the name of its image."
    )


def _images_in(dataset_dir: Path, folder: str) -> list[PurePosixPath]:
    """Return the files of a known format below a folder, relative to the data set's folder."""
    files = sorted(path for path in walk_files(dataset_dir / folder) if suffix_of(path) in SUFFIXES)
    return [PurePosixPath(path.relative_to(dataset_dir).as_posix()) for path in files]


def _records(pairs: Sequence[Pair], patient_pattern: str | None) -> list[dict[str, str]]:
    """Give each pair its id and patient."""
    ids = unique_ids([pair.image for pair in pairs], [stem_of(Path(pair.label)) for pair in pairs])
    pattern = compile_pattern(patient_pattern) if patient_pattern else None
    patients = [patient_in(str(pair.image), pattern) if pattern else None for pair in pairs]
    unknown = [str(pair.image) for pair, patient in zip(pairs, patients, strict=True) if not patient]
    warn_of_unknown_patients(unknown, len(pairs))
    return [
        {"image": str(pair.image), "label": str(pair.label), "id": name, "patient": patient or name}
        for pair, name, patient in zip(pairs, ids, patients, strict=True)
    ]
