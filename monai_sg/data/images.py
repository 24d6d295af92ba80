"""Whole images of a data list, for MONAI's transforms."""

from __future__ import annotations

import logging
import re
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from monai.data.image_reader import ImageReader
from monai.data.meta_tensor import MetaTensor
from monai.transforms import LoadImaged
from monai.utils.enums import CommonKeys, MetaKeys, SpaceKeys
from monai.utils.misc import ImageMetaKey, ensure_tuple

from ..utils.distributed import rank
from ..utils.errors import UserError
from .labels import SOURCE, UNORIENTED
from .readers.channels import joined_channels, read_on_one_grid
from .readers.formats import UnusableImageError
from .readers.reading import StoredImage
from .records import SPLITS, Datalist, Record
from .saving import CODES, FILE_AFFINE, FILE_SHAPE
from .splits import nested_subset

logger = logging.getLogger(__name__)


def image_records(datalist: Datalist, dataset_dir: str | Path) -> list[Record]:
    """Return ``{"image", "id"}`` of every image of a data list, and ``series`` where a folder holds slices.

    ``image`` is an absolute path, or a list of them where channels have files of their own.
    """
    folder = Path(dataset_dir).absolute()
    return [_with_image(record, folder, ("id", "series", "unoriented")) for record in datalist.records]


def labelled_records(
    datalist: Datalist, dataset_dir: str | Path, split: str, fraction: float = 1.0, seed: int = 0
) -> list[Record]:
    """Return the labelled images of one split, for MONAI's readers.

    Args:
        datalist: every record of the split has a label.
        dataset_dir: folder that its paths are relative to.
        split: ``training``, ``validation`` or ``test``.
        fraction: share of the patients whose labels are used, see `nested_subset`; of test patients all are.
        seed: see `nested_subset`.

    Returns:
        ``{"image", "label", "id", "patient"}`` of each image, and ``series`` where the record has it; paths are
        absolute. Only the validation split may be empty.

    Raises:
        UserError: for an unknown split, a record without label, a fraction outside (0, 1], or no training or test
            images.
    """
    if split not in SPLITS:
        raise UserError(f"split is {split!r}; a data list has {list(SPLITS)}.")
    records = getattr(datalist, split)
    if not records and split != "validation":
        numbers = ", ".join(f"{len(getattr(datalist, name))} {name}" for name in SPLITS)
        raise UserError(f"The data list of {dataset_dir} has no {split} images ({numbers}); add some to that split.")
    _check_labels(datalist, dataset_dir)
    if split != "test":
        records = nested_subset(records, fraction, seed) if records else []
    if split == "training" and fraction < 1 and rank() == 0:
        _log_labelled(datalist, fraction, seed)
    folder = Path(dataset_dir).absolute()
    return [
        {
            **_with_image(record, folder, ("id", "patient", "series", "unoriented")),
            "label": str(folder / record["label"]) if isinstance(record["label"], str) else record["label"],
        }
        for record in records
    ]


def _with_image(record: Record, folder: Path, kept: Sequence[str]) -> Record:
    image = record["image"]
    absolute = str(folder / image) if isinstance(image, str) else [str(folder / path) for path in image]
    return {"image": absolute, **{key: record[key] for key in kept if key in record}}


def _check_labels(datalist: Datalist, dataset_dir: str | Path) -> None:
    """Raise if a record has no label."""
    records = datalist.records
    unlabelled = [record["id"] for record in records if record.get("label") is None]
    if unlabelled:
        raise UserError(
            f"The data list of {dataset_dir} has no label for {unlabelled[0]} ({len(unlabelled)} of {len(records)} "
            'records lack one). Add "label" to each record, or name a datalist that does not exist yet, to have it '
            "made from the labels in dataset_dir."
        )


def _log_labelled(datalist: Datalist, fraction: float, seed: int) -> None:
    """Log how many patients are trained and validated with, together what has to be labelled."""
    known = {split: getattr(datalist, split) for split in ("training", "validation")}
    kept = {split: nested_subset(records, fraction, seed) for split, records in known.items() if records}
    used, of = (
        {split: len({record["patient"] for record in records}) for split, records in each.items()}
        for each in (kept, known)
    )
    parts = " and ".join(f"{number} of {of[split]} {split} patients" for split, number in used.items())
    logger.info(f"label_fraction {fraction:g}: {parts}, {sum(used.values())} labelled patients in all.")


def file_name(name: str) -> str:
    """Return a file name for an id: another one for each, whatever characters it holds.

    ``SaveImage`` drops folders and what follows the last dot, so separators are replaced and a suffix is added.
    """
    return re.sub(r"[%/\\]", lambda found: quote(found[0], safe=""), str(name)) + ".nii"


class RecordReader(ImageReader):
    """MONAI's interface to `read_image`, by which the volume cache reads too.

    Args:
        series: see `read_image`.
        is_label: see `read_image`.
        unoriented: see `read_image`.
    """

    def __init__(self, series: str | None = None, is_label: bool = False, unoriented: bool = False) -> None:
        self.series = series
        self.is_label = is_label
        self.unoriented = unoriented

    def verify_suffix(self, filename: Any) -> bool:
        """Say that any file may be tried; one of an unknown format is named when it is read."""
        return True

    def read(self, data: Any, **kwargs: Any) -> StoredImage:
        """Read one file or folder, or several that hold channels of one image.

        Raises:
            UnusableImageError: one cannot be used, or they are not on one grid.
        """
        paths = [Path(path) for path in ensure_tuple(data)]
        try:
            return joined_channels(read_on_one_grid(paths, self.series, self.is_label, self.unoriented))
        except UnusableImageError as error:
            raise UnusableImageError(str(error), str(paths[0]) if self.is_label else "") from error

    def get_data(self, img: StoredImage) -> tuple[np.ndarray, dict[str, Any]]:
        """Return the values and what MONAI's transforms know of an image."""
        has_channels = img.values.ndim > img.num_axes
        meta: dict[str, Any] = {
            MetaKeys.AFFINE: img.affine.copy(),
            MetaKeys.ORIGINAL_AFFINE: img.affine.copy(),
            MetaKeys.SPACE: SpaceKeys.RAS,
            MetaKeys.SPATIAL_SHAPE: np.asarray(img.values.shape[: img.num_axes]),
            MetaKeys.ORIGINAL_CHANNEL_DIM: -1 if has_channels else float("nan"),
        }
        meta[CODES] = np.asarray(img.codes)
        if img.sheared:
            meta |= {FILE_SHAPE: np.asarray(img.sheared[0]), FILE_AFFINE: img.sheared[1].copy()}
        if img.unoriented:
            meta[UNORIENTED] = img.unoriented
        return img.values.astype(np.float32, copy=False), meta


class LoadRecordd(LoadImaged):
    """``LoadImaged`` that reads what the volume cache reads, in physical units (HU for CT).

    Files keep their axes, and a series or a stack those of its slices; nothing is rounded. Missing voxels of an image
    are filled, those of the key ``label`` are left to be refused. The ``series`` of a record counts for each of its
    paths that is a folder. What is saved of an image is named by the ``id`` of its record, where it has one.
    """

    def __call__(self, data: Mapping[Hashable, Any], reader: ImageReader | None = None) -> dict[Hashable, Any]:
        """Return the record with its images loaded, channels last where there are several."""
        item = dict(data)
        for key, meta_key, postfix in self.key_iterator(item, self.meta_keys, self.meta_key_postfix):
            path = item[key]
            is_label = key == CommonKeys.LABEL
            own = reader or RecordReader(item.get("series"), is_label, bool(item.get("unoriented")))
            loaded = self._loader(path, own)
            image = loaded if self._loader.image_only else loaded[0]
            if isinstance(image, MetaTensor):
                image.meta[SOURCE] = str(path)
                if item.get("unoriented"):  # accepted, so a label without orientation fits it
                    image.meta.pop(UNORIENTED, None)
                if "id" in item:
                    image.meta[ImageMetaKey.FILENAME_OR_OBJ] = file_name(item["id"])
            if not self._loader.image_only:
                item[meta_key or f"{key}_{postfix}"] = loaded[1]
            item[key] = image
        return item
