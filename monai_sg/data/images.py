"""Whole images of a data list, for MONAI's transforms."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from monai.data.image_reader import ImageReader
from monai.data.meta_tensor import MetaTensor
from monai.transforms import LoadImaged
from monai.utils.enums import CommonKeys, MetaKeys, SpaceKeys
from monai.utils.misc import ImageMetaKey, ensure_tuple

from .readers.formats import UnusableImageError
from .readers.reading import StoredImage, read_image
from .records import Datalist


def image_records(datalist: Datalist, dataset_dir: str | Path) -> list[dict[str, Any]]:
    """Return ``{"image": path, "id"}`` of every image of a data list, and ``series`` where a folder holds slices."""
    return [
        {
            "image": str(Path(dataset_dir).absolute() / record["image"]),
            **{key: record[key] for key in ("id", "series") if key in record},
        }
        for record in datalist.records
    ]


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
    """

    def __init__(self, series: str | None = None, is_label: bool = False) -> None:
        self.series = series
        self.is_label = is_label

    def verify_suffix(self, filename: Any) -> bool:
        """Say that any file may be tried; one of an unknown format is named when it is read."""
        return True

    def read(self, data: Any, **kwargs: Any) -> StoredImage:
        """Read one file or folder.

        Raises:
            UnusableImageError: it cannot be used, or several are named.
        """
        paths = ensure_tuple(data)
        if len(paths) != 1:
            raise UnusableImageError(f"names {len(paths)} files; store the channels of an image in one file")
        return read_image(Path(paths[0]), self.series, self.is_label)

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
        return img.values, meta


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
            own = reader or RecordReader(item.get("series"), is_label=key == CommonKeys.LABEL)
            loaded = self._loader(path, own)
            image = loaded if self._loader.image_only else loaded[0]
            if "id" in item and isinstance(image, MetaTensor):
                image.meta[ImageMetaKey.FILENAME_OR_OBJ] = file_name(item["id"])
            if not self._loader.image_only:
                item[meta_key or f"{key}_{postfix}"] = loaded[1]
            item[key] = image
        return item
