"""Any folder of images with label maps: which label belongs to which image."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ...utils.errors import UserError
from ..readers.formats import SUFFIXES, stem_of, suffix_of
from ..records import SPLITS, Datalist, Record
from ..splits import split_by_patient
from .naming import unique_ids
from .pairs import Pair, log_skipped, pair_by_name, usable_pairs
from .patients import patients_of
from .walking import walk_files

logger = logging.getLogger(__name__)


class LabelledFolder:
    """Any folder of images and label maps of the same name, split by patient.

    Looked for, in this order: ``imagesTr`` and ``labelsTr``; ``images`` and ``labels``; images anywhere in the folder
    and ``labels``. Of ``labels``, ``labels/final`` alone is taken where it exists. Subfolders and all formats of
    `formats` are read. An image belongs to the label with the same path and name without suffix, else to the one with
    the same name if there is but one; ``case_0000`` (channel 0, as nnU-Net writes it) belongs to ``case``. Headers are
    compared; voxels are not read.

    Args:
        progress: show a bar while headers are compared.
        unoriented: use images whose header has no orientation, with their axes as they are stored.
    """

    name = "labelled folder"
    layout = "imagesTr with labelsTr, or a folder labels beside a folder images or beside the image files"

    def __init__(self, progress: bool = True, unoriented: bool = False) -> None:
        self.progress = progress
        self.unoriented = unoriented

    def matches(self, folder: Path) -> bool:
        """Return whether there are folders of labels."""
        return _has_tr(folder) or (folder / "labels").is_dir()

    def read(self, folder: Path, seed: int = 0, patient_pattern: str | None = None) -> Datalist:
        """Return records ``{"image", "label", "id", "patient"}``, sorted by path, and each file that was left out.

        These are images without label, labels without image, pairs of different shape, files that cannot be read.
        Without ``patient_pattern`` each image counts as its own patient.

        Raises:
            UserError: no pair can be used.
        """
        image_root, label_root = _roots(folder)
        labels = _images_in(folder, label_root)
        images = [path for path in _images_in(folder, image_root) if path.parts[0] != "labels"]
        pairs, skipped = pair_by_name(images, labels, image_root, label_root)
        found = f"{len(images)} images in {folder / image_root} and {len(labels)} label maps in {label_root}"
        usable, unusable = usable_pairs(folder, pairs, self.progress, self.unoriented)
        skipped = sorted([*skipped, *unusable], key=lambda item: item["path"])
        if not usable:
            raise UserError(_no_pair(found, skipped))
        splits = split_by_patient(_records(usable, patient_pattern, self.unoriented), seed=seed)
        logger.info(f"Found {found}; {', '.join(f'{len(splits[name])} {name}' for name in SPLITS)}.")
        log_skipped(folder, skipped)
        return Datalist(splits["training"], splits["validation"], splits["test"], skipped)


def _has_tr(folder: Path) -> bool:
    return (folder / "imagesTr").is_dir() and (folder / "labelsTr").is_dir()


def _roots(folder: Path) -> tuple[str, str]:
    """Return the folders of images and labels, relative to the data set's folder."""
    if _has_tr(folder):
        return "imagesTr", "labelsTr"
    images = "images" if (folder / "images").is_dir() else "."
    return images, "labels/final" if (folder / "labels/final").is_dir() else "labels"


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


def _records(pairs: Sequence[Pair], patient_pattern: str | None, unoriented: bool) -> list[Record]:
    """Give each pair its id and patient."""
    ids = unique_ids([pair.image for pair in pairs], [stem_of(Path(pair.label)) for pair in pairs])
    patients = patients_of([str(pair.image) for pair in pairs], ids, patient_pattern)
    return [
        {
            "image": str(pair.image),
            "label": str(pair.label),
            "id": name,
            "patient": patient,
            **({"unoriented": True} if unoriented else {}),
        }
        for pair, name, patient in zip(pairs, ids, patients, strict=True)
    ]
