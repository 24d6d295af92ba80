"""Whole images of a data list, for MONAI's transforms."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.data.image_reader import ImageReader
from monai.transforms import LoadImaged

from .records import Datalist
from .volumes import read_volume


def image_records(datalist: Datalist, dataset_dir: str | Path) -> list[dict[str, Any]]:
    """Return ``{"image": path, "id"}`` of every image of a data list, and ``series`` where a folder holds slices."""
    return [
        {
            "image": str(Path(dataset_dir).absolute() / record["image"]),
            **{key: record[key] for key in ("id", "series") if key in record},
        }
        for record in datalist.records
    ]


class LoadRecordd(LoadImaged):
    """``LoadImaged`` that reads the series a record names.

    MONAI reads a folder as one DICOM series, whichever it holds, and leaves a tilted gantry as it is. A record with
    ``series`` is read as the volume cache reads it, turned to RAS and named by its id; others as by ``LoadImaged``.
    """

    def __call__(self, data: Mapping[Hashable, Any], reader: ImageReader | None = None) -> dict[Hashable, Any]:
        """Return the record with its images loaded, without channel axis."""
        item = dict(data)
        if not item.get("series"):
            return super().__call__(item, reader)
        for key in self.key_iterator(item):
            volume = read_volume(Path(item[key]), item["series"])
            values = volume.array.astype(np.float32) * np.float32(volume.scale) + np.float32(volume.offset)
            meta = {"filename_or_obj": item.get("id", item[key]), "original_channel_dim": "no_channel"}
            item[key] = MetaTensor(torch.from_numpy(values), affine=torch.from_numpy(volume.affine), meta=meta)
        return item
