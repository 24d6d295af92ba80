"""Time and memory of the discovery after the features, and of the search for neighbours."""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from monai_sg.data.cache.index import CacheEntry
from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.data.records import Datalist
from monai_sg.discovery.discover import discover
from monai_sg.discovery.embed import Embedding
from monai_sg.discovery.neighbours import nearest

from .measure import peak_mb, reset_peak, seconds_of
from .table import Row, compared, limited

GROUP = "discovery"
SCANS = 445
CLASSES = 44
NEIGHBOURS = 200
VALIDATION_NEIGHBOURS = 30
SHAPE = (512, 512, 300)
LOOP_ROWS = 10_000


class SyntheticCache(VolumeCache):
    """Scans as large as those of LUNA16, of which a volume is made only when it is read."""

    def __init__(self, scans: int) -> None:
        rng = np.random.default_rng(0)
        entries = {}
        for number in range(scans):
            name, slices = f"scan{number:04d}", int(rng.integers(120, 500))
            edge = float(rng.uniform(0.6, 0.9))
            entries[name] = CacheEntry(
                key=name,
                id=name,
                source=(name,),
                shape=(512, 512, slices),
                spacing=(edge, edge, 300 / slices),
                affine=np.eye(4).tolist(),
                dtype="int16",
                scales=(1.0,),
                offsets=(0.0,),
                minima=(-1024.0,),
                body_box=[[20, 490], [60, 460], [0, slices]],
                lung_box=[[80, 430], [100, 400], [slices // 10, slices - slices // 10]],
            )
        super().__init__(Path(), entries, {})
        self.reads: Counter[str] = Counter()

    def array(self, name: str) -> np.ndarray:
        """Make a cylinder of soft tissue in air."""
        self.reads[name] += 1
        shape = self.entry(name).shape
        x, y = np.meshgrid(np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1]), indexing="ij")
        plane = np.where(x**2 + y**2 < 0.9, np.random.default_rng(0).normal(0, 200, shape[:2]), -1000)
        return np.broadcast_to(plane.astype(np.int16)[..., None], shape)


def rows(args: argparse.Namespace) -> list[Row]:
    """Measure the discovery of 44 classes, and neighbours of 44 images among many."""
    few, many = max(1, args.features // 10), args.features
    (quick, *small), (slow, *large) = _neighbours(few), _neighbours(many)
    growth = limited(GROUP, "time for ten times as many", (slow.value or 0) / (quick.value or 1), "times", 12)
    return [*_discovery(), quick, *small, slow, *large, growth]


def _measured(work: Callable[[], object]) -> tuple[float, float]:
    reset_peak("cpu")
    return seconds_of(work), peak_mb("cpu")


def _discovery() -> list[Row]:
    cache = SyntheticCache(SCANS)
    records = [{"image": name, "id": name, "patient": name} for name in cache.ids]
    embedding = Embedding(cache.ids, torch.randn(SCANS, 512, generator=torch.Generator().manual_seed(0)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "patterns.json"
        settings = {"num_classes": CLASSES, "num_neighbours": NEIGHBOURS, "crop_size": (64, 64, 32)}
        seconds, peak = _measured(lambda: discover(cache, Datalist(training=records), embedding, path, **settings))
        size = path.stat().st_size
        whole = _whole_volume(Path(folder) / "volume.npy")
    reads = CLASSES * (NEIGHBOURS + VALIDATION_NEIGHBOURS)
    work = f"{SCANS} scans, C = {CLASSES}, K = {NEIGHBOURS}"
    note = f"reference: {reads} reads of a whole volume, one of them timed; {size / 1e6:.1f} MB written"
    return [
        compared(GROUP, work, seconds, "s", reads * whole, limit=10, note=note),
        limited(GROUP, "peak memory of it", peak, "MB", 1000, "libraries included"),
        limited(GROUP, "most reads of one volume", max(cache.reads.values(), default=0), "", 1),
    ]


def _whole_volume(path: Path) -> float:
    """Return the seconds of reading a volume of medium size, which the system keeps in memory, as a whole."""
    np.save(path, np.zeros(SHAPE, np.int16))
    return min(seconds_of(lambda: np.load(path)) for _ in range(3))


def _neighbours(number: int) -> list[Row]:
    features = torch.randn(number, 512, generator=torch.Generator().manual_seed(0))
    seconds, peak = _measured(lambda: nearest(features[:CLASSES], features, min(1000, number)))
    few = features[:LOOP_ROWS].numpy()
    loop = seconds_of(lambda: sorted(np.linalg.norm(few[0] - row) for row in few)) / len(few) * number * CLASSES
    work = f"neighbours of {CLASSES} among {number:,} x 512"
    note = f"K = 1000; reference: a loop over the images, {len(few):,} distances of it timed"
    return [
        compared(GROUP, work, seconds, "s", loop, note=note),
        limited(GROUP, "peak memory of it", peak, "MB", 4000),
    ]
