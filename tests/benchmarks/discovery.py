"""Time and memory of the discovery after the features: ``python tests/benchmarks/discovery.py [--large]``."""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from monai_sg.data.cache import VolumeCache
from monai_sg.data.cache_index import CacheEntry
from monai_sg.data.records import Datalist
from monai_sg.discovery.discover import discover
from monai_sg.discovery.embed import Embedding
from monai_sg.discovery.neighbours import nearest


class _SyntheticCache(VolumeCache):
    """445 scans as large as those of LUNA16, of which a volume is made only when it is read."""

    def __init__(self, scans: int) -> None:
        rng = np.random.default_rng(0)
        entries = {}
        for number in range(scans):
            name, slices = f"scan{number:04d}", int(rng.integers(120, 500))
            lung = [[80, 430], [100, 400], [slices // 10, slices - slices // 10]]
            body = [[20, 490], [60, 460], [0, slices]]
            spacing = (*[float(rng.uniform(0.6, 0.9))] * 2, 300 / slices)
            entries[name] = CacheEntry(
                name, name, (512, 512, slices), spacing, np.eye(4).tolist(), "int16", 1.0, 0.0, -1024.0, body, lung
            )
        super().__init__(Path(), entries, {})
        self.read: list[str] = []

    def array(self, name: str) -> np.ndarray:
        self.read.append(name)
        shape = self.entry(name).shape
        x, y = np.meshgrid(np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1]), indexing="ij")
        plane = np.where(x**2 + y**2 < 0.9, np.random.default_rng(0).normal(0, 200, shape[:2]), -1000)
        return np.broadcast_to(plane.astype(np.int16)[..., None], shape)


def _measure(work: Callable[[], object]) -> tuple[float, float]:
    """Return seconds and the peak of the memory in MB so far."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _row(name: str, seconds: float, peak: float, note: str = "") -> None:
    print(f"{name:<52}{seconds:>9.2f} s{peak:>9.0f} MB  {note}")


def main() -> None:
    """Print one row per piece of work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="also search 1e6 x 512 features")
    arguments = parser.parse_args()
    _row("start (libraries)", *_measure(lambda: None))
    cache = _SyntheticCache(445)
    records = [{"image": name, "id": name, "patient": name} for name in cache.ids]
    features = torch.randn(445, 512, generator=torch.Generator().manual_seed(0))
    embedding = Embedding(cache.ids, features)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "patterns.json"
        seconds, peak = _measure(
            lambda: discover(cache, Datalist(training=records), embedding, path, crop_size=(64, 64, 32))
        )
        note = f"{len(cache.read)} volumes read, {path.stat().st_size / 1e6:.1f} MB written"
    _row("discovery: 445 scans, C = 44, K = 200, 3 resolutions", seconds, peak, note)
    for rows in (100_000, 1_000_000) if arguments.large else (100_000,):
        database = torch.randn(rows, 512, generator=torch.Generator().manual_seed(0))
        seconds, peak = _measure(lambda: nearest(database[:44], database, 1000))  # noqa: B023
        _row(f"neighbours: 44 queries, {rows} x 512, K = 1000", seconds, peak)


if __name__ == "__main__":
    main()
