"""Time of a random patch with its label from prepared images, beside MONAI's data sets."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from monai.data import CacheDataset, PersistentDataset
from monai.transforms import (
    ClassesToIndicesd,
    Compose,
    EnsureChannelFirstd,
    LoadImaged,
    RandCropByLabelClassesd,
    ScaleIntensityRanged,
)

from monai_sg.data.prepared import PreparedDataset

from .measure import best_seconds, seconds_of
from .table import Row, compared

GROUP = "patches"
KEYS = ["image", "label"]
PATCH = (64, 64, 32)
PREPARED = "PreparedDataset"


def rows(args: argparse.Namespace) -> list[Row]:
    """Time the first patch of an image and later ones."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = _datasets([_write_pair(folder, args.patch_volume)], folder)
        built: dict[str, Any] = {}

        def first(title: str) -> None:
            built[title] = made[title]()
            built[title][0]

        once = {title: seconds_of(partial(first, title)) for title in made}
        works = {title: partial(dataset.__getitem__, 0) for title, dataset in built.items()}
        again = best_seconds(works, min(args.repeats, 5))
    others = [title for title in made if title != PREPARED]
    return [
        compared(
            GROUP, f"{work} patch", 1000 * seconds[PREPARED], "ms", 1000 * seconds[title], note=f"reference: {title}"
        )
        for title in others
        for work, seconds in (("first", once), ("later", again))
    ]


def _write_pair(folder: Path, shape: list[int]) -> dict[str, str]:
    """Write an image of noise and the label of a box in it."""
    rng = np.random.default_rng(0)
    label = np.zeros(shape, np.uint8)
    label[tuple(slice(size // 4, size // 2) for size in shape)] = 1
    image = rng.normal(0, 100, shape).astype(np.int16)
    record = {}
    for name, array in (("image", image), ("label", label)):
        record[name] = str(folder / f"{name}.nii.gz")
        nib.save(nib.Nifti1Image(array, np.eye(4)), record[name])
    return record


def _datasets(data: list[dict[str, str]], folder: Path) -> dict[str, Callable[[], Any]]:
    preparation = [
        LoadImaged(KEYS),
        EnsureChannelFirstd(KEYS),
        ScaleIntensityRanged("image", a_min=-1000, a_max=1000, b_min=0, b_max=1, clip=True),
    ]
    indexed = Compose([*preparation, ClassesToIndicesd("label", num_classes=2, max_samples_per_class=10_000)])
    whole = Compose([*preparation, _crop(None)])
    return {
        "PersistentDataset": lambda: PersistentDataset(data, whole, folder / "persistent"),
        "CacheDataset, all in memory": lambda: CacheDataset(data, whole, progress=False),
        PREPARED: lambda: PreparedDataset(data, indexed, _crop("label_cls_indices"), cache_dir=folder, progress=False),
    }


def _crop(indices_key: str | None) -> RandCropByLabelClassesd:
    return RandCropByLabelClassesd(
        KEYS, label_key="label", spatial_size=PATCH, num_classes=2, indices_key=indices_key, warn=False
    )
