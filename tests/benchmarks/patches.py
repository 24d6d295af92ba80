"""Time of a random patch with its label from prepared images: ``python tests/benchmarks/patches.py``."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
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

KEYS = ["image", "label"]
PATCH = (64, 64, 32)


def _write_pair(folder: Path, shape: tuple[int, int, int]) -> dict[str, str]:
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


def _preparation() -> list[Callable[..., object]]:
    return [
        LoadImaged(KEYS),
        EnsureChannelFirstd(KEYS),
        ScaleIntensityRanged("image", a_min=-1000, a_max=1000, b_min=0, b_max=1, clip=True),
    ]


def _crop(indices_key: str | None) -> RandCropByLabelClassesd:
    return RandCropByLabelClassesd(
        KEYS, label_key="label", spatial_size=PATCH, num_classes=2, indices_key=indices_key, warn=False
    )


def _timed(make: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Return the seconds of making a data set with its first item, and the median of later items."""
    start = time.perf_counter()
    dataset = make()
    dataset[0]  # type: ignore[index]
    first = time.perf_counter() - start
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        dataset[0]  # type: ignore[index]
        times.append(time.perf_counter() - start)
    return first, float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=int, nargs=3, default=(256, 256, 200))
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # as in a worker of a data loader
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = [_write_pair(folder, tuple(arguments.shape))]
        indexed = Compose([*_preparation(), ClassesToIndicesd("label", num_classes=2, max_samples_per_class=10_000)])
        whole = Compose([*_preparation(), _crop(None)])
        rows = {
            "PersistentDataset, label searched": lambda: PersistentDataset(data, whole, folder / "persistent"),
            "CacheDataset, label searched": lambda: CacheDataset(data, whole, progress=False),
            "PreparedDataset": lambda: PreparedDataset(
                data, indexed, _crop("label_cls_indices"), cache_dir=folder, progress=False
            ),
        }
        print(f"image {tuple(arguments.shape)}, patch {PATCH}\n{'':36s}{'first':>10s}{'later':>13s}")
        for title, make in rows.items():
            first, later = _timed(make, arguments.repeats)
            print(f"{title:36s}{first:10.2f} s{1000 * later:10.2f} ms")


if __name__ == "__main__":
    main()
