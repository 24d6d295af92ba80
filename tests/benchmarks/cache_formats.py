"""Formats of the volume cache on real CT scans: ``python tests/benchmarks/cache_formats.py --data DIR [DIR ...]``.

Linux. Needs blosc2 and zarr (``pip install -e '.[benchmarks]'``). One thread. A file is opened for each read, as by the
cache, which holds no open files. For a cold read the pages of the volume's files are given back to the system first
(``POSIX_FADV_DONTNEED``), so it reads from the disk, or from what lies beneath that of a virtual machine. Cold reads
and writing are timed by the clock, all else by the processor.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from monai_sg.data.cache.opening import open_cache
from monai_sg.data.datasets.any_folder import scan_folder

BOX = (64, 64, 32)
BLOCK = (32, 32, 16)
WHOLE = (slice(None),) * 3
LEVEL = {"lz4": 5, "zstd": 1}
Box = tuple[slice, ...]


@dataclass(frozen=True)
class Format:
    """A way to store a volume: ``write(path, array)``, and ``read(path, box)``, which opens the file and copies."""

    name: str
    suffix: str
    write: Callable[[Path, np.ndarray], object]
    read: Callable[[Path, Box], np.ndarray]


def _module(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(f"{name} is not installed; install what the benchmarks need: '.[benchmarks]'.") from error


def _read_map(path: Path, box: Box) -> np.ndarray:
    return np.array(np.load(path, mmap_mode="r", allow_pickle=False)[box])


def _read_announced(path: Path, box: Box) -> np.ndarray:
    """Tell the system which bytes will be read, plane by plane, so that it fetches them at once and no others."""
    mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    bounds = [part.indices(length) for part, length in zip(box, mapped.shape, strict=True)]
    corner = mapped.offset + sum(start * stride for (start, _, _), stride in zip(bounds, mapped.strides, strict=True))
    spans = [(stop - start - 1) * stride for (start, stop, _), stride in zip(bounds, mapped.strides, strict=True)]
    with open(path, "rb") as file:
        for plane in range(0, spans[0] + 1, mapped.strides[0]):
            os.posix_fadvise(file.fileno(), corner + plane, sum(spans[1:]) + mapped.itemsize, os.POSIX_FADV_WILLNEED)
    return np.array(mapped[box])


def _blosc2(codec: str) -> Format:
    library = _module("blosc2")
    library.set_nthreads(1)
    parameters = library.CParams(
        codec=library.Codec[codec.upper()],
        clevel=LEVEL[codec],
        filters=[library.Filter.BITSHUFFLE if codec == "lz4" else library.Filter.SHUFFLE],
        nthreads=1,
    )

    def write(path: Path, array: np.ndarray) -> None:
        library.asarray(array, chunks=BOX, blocks=BLOCK, urlpath=str(path), mode="w", cparams=parameters)

    def read(path: Path, box: Box) -> np.ndarray:
        opened: np.ndarray = library.open(str(path), mode="r", dparams=library.DParams(nthreads=1))[box]
        return opened

    return Format(f"blosc2, {codec}", ".b2nd", write, read)


def _zarr(sharded: bool) -> Format:
    library = _module("zarr")
    library.config.set({"async.concurrency": 1, "threading.max_workers": 1})
    _module("numcodecs.blosc").set_nthreads(1)
    compressor = _module("zarr.codecs").BloscCodec(cname="zstd", clevel=LEVEL["zstd"], shuffle="shuffle")

    def write(path: Path, array: np.ndarray) -> None:
        whole = tuple(-(-length // size) * size for length, size in zip(array.shape, BOX, strict=True))
        sizes = {"shape": array.shape, "chunks": BOX, "shards": whole if sharded else None}
        library.create_array(str(path), **sizes, dtype=array.dtype, compressors=compressor)[:] = array

    def read(path: Path, box: Box) -> np.ndarray:
        return np.asarray(library.open_array(str(path), mode="r")[box])

    return Format(f"zarr, zstd, {'one shard' if sharded else 'a file per chunk'}", ".zarr", write, read)


def formats() -> list[Format]:
    """Return the formats that are compared; ``ImportError`` names the package that is missing."""
    return [
        Format("memory map", ".npy", np.save, _read_map),
        Format("memory map, box announced", ".npy", np.save, _read_announced),
        _blosc2("lz4"),
        _blosc2("zstd"),
        _zarr(sharded=False),
        _zarr(sharded=True),
    ]


def volumes(folders: Sequence[Path], cache_dir: Path) -> list[np.ndarray]:
    """Return the scans of some folders as the cache stores them: RAS, int16 HU, mapped from disk."""
    arrays = []
    for number, folder in enumerate(folders):
        datalist = scan_folder(folder, patient_pattern="(.+)", progress=False)
        cache = open_cache(datalist, folder, cache_dir / str(number), progress=False)
        arrays += [cache.array(name) for name in cache.ids]
    return arrays


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]


def _each_file(path: Path, work: Callable[[int], object]) -> None:
    for file in _files(path):
        with open(file, "rb") as opened:
            work(opened.fileno())


def _forget(descriptor: int) -> None:
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def _bytes_from_disk() -> int:
    found = re.search(r"read_bytes: (\d+)", Path("/proc/self/io").read_text())
    return int(found[1]) if found else 0


def _timed(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    start = clock()
    work()
    return clock() - start


class Stored:
    """The volumes in one format; each round adds to the figures.

    Args:
        form: the format.
        arrays: the volumes.
        folder: where they are written.
    """

    def __init__(self, form: Format, arrays: Sequence[np.ndarray], folder: Path) -> None:
        self.form = form
        self.paths = [folder / f"{number}{form.suffix}" for number in range(len(arrays))]
        self.num_bytes = [array.nbytes for array in arrays]
        folder.mkdir()
        self.written: list[float] = []
        for path, array in zip(self.paths, arrays, strict=True):
            values = np.array(array)
            self.written.append(_timed(partial(form.write, path, values)) + _timed(partial(_each_file, path, os.fsync)))
            if not np.array_equal(form.read(path, WHOLE), values):
                raise ValueError(f"{form.name} gives back other values than were written to {path}.")
        self.warm: list[float] = []
        self.cold: list[float] = []
        self.fetched: list[int] = []
        self.whole: list[list[float]] = []

    def measure(self, boxes: Sequence[tuple[int, Box]]) -> None:
        """Add a round: all boxes cold, then all volumes whole, then all boxes warm."""
        for number, box in boxes:
            _each_file(self.paths[number], _forget)
            before = _bytes_from_disk()
            self.cold.append(_timed(partial(self.form.read, self.paths[number], box)))
            self.fetched.append(_bytes_from_disk() - before)
        for path in self.paths:
            self.form.read(path, WHOLE)
        clock = time.process_time  # no disk takes part, and the time of other processes does not count
        self.whole.append([_timed(partial(self.form.read, path, WHOLE), clock) for path in self.paths])
        self.warm += [_timed(partial(self.form.read, self.paths[number], box), clock) for number, box in boxes]

    def row(self) -> dict[str, Any]:
        """Return the figures, medians over boxes or volumes, so that what else the machine does counts little."""
        files = [file for path in self.paths for file in _files(path)]
        return {
            "format": self.form.name,
            "size": sum(file.stat().st_size for file in files) / sum(self.num_bytes),
            "files_per_volume": len(files) / len(self.paths),
            "written_mb_per_second": float(np.median(np.divide(self.num_bytes, self.written))) / 1e6,
            "warm_boxes_per_second": 1 / float(np.median(self.warm)),
            "cold_boxes_per_second": 1 / float(np.median(self.cold)),
            "disk_mb_per_cold_box": float(np.mean(self.fetched)) / 1e6,
            "whole_mb_per_second": float(np.median(np.divide(self.num_bytes, self.whole))) / 1e6,
        }


def measure(arrays: Sequence[np.ndarray], folder: Path, repeats: int = 60, rounds: int = 3) -> list[dict[str, Any]]:
    """Measure every format on the same random boxes of the same volumes; the formats take turns.

    Args:
        arrays: the volumes, ``(x, y, z)``.
        folder: an empty folder on the disk that is measured.
        repeats: boxes of 64x64x32 voxels in a round.
        rounds: how often each box is read cold and warm.

    Returns:
        a row per format; sizes relative to the integers in memory, MB/s of these integers.
    """
    rng, boxes = np.random.default_rng(0), []
    for number in rng.integers(len(arrays), size=repeats):
        corner = [int(rng.integers(max(1, n - size + 1))) for n, size in zip(arrays[number].shape, BOX, strict=True)]
        boxes.append((int(number), tuple(slice(at, at + size) for at, size in zip(corner, BOX, strict=True))))
    stored = [Stored(form, arrays, folder / str(number)) for number, form in enumerate(formats())]
    for _ in range(rounds):
        for one in stored:
            one.measure(boxes)
    return [one.row() for one in stored]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of CT scans")
    parser.add_argument("--repeats", type=int, default=60, help="boxes in each of three rounds")
    parser.add_argument("--mirror", action="store_true", help="double each axis, for scans stored at half resolution")
    parser.add_argument("--folder", type=Path, help="on the disk to be measured; that of temporary files if not given")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        arrays = volumes(arguments.data, Path(name) / "cache")
        if arguments.mirror:
            arrays = [np.pad(array, [(0, length) for length in array.shape], mode="symmetric") for array in arrays]
        rows = measure(arrays, Path(name), arguments.repeats)
    print(f"{len(arrays)} volumes, {sum(array.nbytes for array in arrays) / 1e6:.0f} MB; boxes of {BOX} voxels")
    print(f"{'format':30s}" + "".join(f"{title.replace('_', ' '):>24s}" for title in list(rows[0])[1:]))
    for row in rows:
        print(f"{row['format']:30s}" + "".join(f"{value:24.2f}" for value in list(row.values())[1:]))


if __name__ == "__main__":
    main()
