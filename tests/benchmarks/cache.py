"""Time of a box read from the volume cache and from the file: ``python tests/benchmarks/cache.py [--image FILE]``."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import torch

from monai_sg.data.cache import open_cache
from monai_sg.data.records import Datalist

BOX = (64, 64, 32)


def _seconds(work: Callable[[int], object], repeats: int) -> float:
    """Return the median seconds of ``work``, which is given the number of the repetition."""
    times = []
    for repeat in range(repeats):
        start = time.perf_counter()
        work(repeat)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def _write_volume(path: Path) -> Path:
    """Write a volume of the size of a chest CT that packs about as well as one."""
    rng = np.random.default_rng(0)
    array = rng.normal(-400, 60, size=(512, 512, 300)).astype(np.int16)
    nib.save(nib.Nifti1Image(array, np.diag([0.7, 0.7, 1.0, 1.0])), path)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", type=Path, help="a .nii.gz volume; made up (512 x 512 x 300) if not given")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # as in a worker of a data loader
    with tempfile.TemporaryDirectory() as folder:
        image = arguments.image or _write_volume(Path(folder) / "image.nii.gz")
        datalist = Datalist([{"image": image.name, "id": "image", "patient": "image"}])
        start = time.perf_counter()
        cache = open_cache(datalist, image.parent, Path(folder) / "cache", progress=False)
        build = time.perf_counter() - start
        shape = cache.entry("image").shape
        corners = np.random.default_rng(1).integers(0, np.maximum(np.array(shape) - BOX, 1), size=(200, 3))
        boxes = [[[int(at), int(at) + length] for at, length in zip(corner, BOX, strict=True)] for corner in corners]
        larger = [[[start, int(start + 1.2 * (stop - start))] for start, stop in box] for box in boxes]
        rows = {
            "make the cache (once)": build,
            "whole .nii.gz, nibabel": _seconds(lambda _: np.asarray(nib.load(image).dataobj), 3),
            "box from the cache": _seconds(lambda index: cache.read_box("image", boxes[index]), 200),
            "box 1.2 times as large, resampled": _seconds(
                lambda index: cache.read_box("image", larger[index], size=BOX), 200
            ),
            "overview 64 x 64 x 32, first time": _seconds(lambda _: cache.overview("image", BOX), 1),
            "overview 64 x 64 x 32, again": _seconds(lambda _: cache.overview("image", BOX), 20),
        }
    print(f"volume {shape}, box {BOX}")
    for name, seconds in rows.items():
        print(f"{name:36s} {1000 * seconds:10.2f} ms")


if __name__ == "__main__":
    main()
