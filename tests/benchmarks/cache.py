"""Time of a box read from the volume cache, beside the volume it is a part of."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np

from monai_sg.data.cache.opening import open_cache
from monai_sg.data.records import Datalist

from .measure import best_seconds, seconds_of
from .table import Row, compared, limited

GROUP = "cache"
BOX = (64, 64, 32)
BOXES = 100


def rows(args: argparse.Namespace) -> list[Row]:
    """Time whole volumes, boxes and overviews of one volume."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        image = _write_volume(folder / "image.nii.gz", args.volume)
        datalist = Datalist([{"image": image.name, "id": "image", "patient": "image"}])
        build = seconds_of(lambda: open_cache(datalist, folder, folder / "cache", progress=False))
        cache = open_cache(datalist, folder, folder / "cache", progress=False)
        boxes = _boxes(args.volume)
        larger = [[[start, int(start + 1.2 * (stop - start))] for start, stop in box] for box in boxes]
        stored = np.array(cache.array("image"))
        works: dict[str, Callable[[], object]] = {
            "file": lambda: np.asarray(nib.Nifti1Image.from_filename(image).dataobj),
            "array": lambda: np.array(cache.array("image")),
            "box": lambda: [cache.read_box("image", box) for box in boxes],
            "memory": lambda: [_in_memory(stored, box) for box in boxes],
            "larger": lambda: [cache.read_box("image", box, size=BOX) for box in larger],
        }
        first = seconds_of(lambda: cache.overview("image", BOX))
        seconds = best_seconds({**works, "overview": lambda: cache.overview("image", BOX)}, min(args.repeats, 3))
    ms = {name: 1000 * value for name, value in seconds.items()}
    ms |= {name: ms[name] / BOXES for name in ("box", "memory", "larger")}
    shape = "x".join(map(str, BOX))
    times = ms["box"] / ms["memory"]
    return [
        compared(
            GROUP, f"box of {shape}", ms["box"], "ms", ms["array"], note="reference: the whole array of the cache"
        ),
        compared(
            GROUP, f"box of {shape}, from a file", ms["box"], "ms", ms["file"], note="reference: the .nii.gz file"
        ),
        limited(GROUP, "box, beside one that is in memory", times, "times", 5, f"{ms['memory']:.2f} ms in memory"),
        Row(GROUP, "box 1.2 times as large, resampled", ms["larger"], "ms"),
        compared(
            GROUP, f"overview of {shape}, again", ms["overview"], "ms", 1000 * first, note="reference: first time"
        ),
        Row(GROUP, "making the cache, once per volume", 1000 * build, "ms"),
    ]


def _write_volume(path: Path, shape: list[int]) -> Path:
    """Write a volume that packs about as well as a chest CT."""
    rng = np.random.default_rng(0)
    array = rng.normal(-400, 60, size=shape).astype(np.int16)
    nib.save(nib.Nifti1Image(array, np.diag([0.7, 0.7, 1.0, 1.0])), path)
    return path


def _boxes(shape: list[int]) -> list[list[list[int]]]:
    corners = np.random.default_rng(1).integers(0, np.maximum(np.array(shape) - BOX, 1), size=(BOXES, 3))
    return [[[int(at), int(at) + length] for at, length in zip(corner, BOX, strict=True)] for corner in corners]


def _in_memory(array: np.ndarray, box: list[list[int]]) -> np.ndarray:
    return array[tuple(slice(start, stop) for start, stop in box)].astype(np.float32)
