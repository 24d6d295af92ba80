"""A small cohort in a cache: chests of noise with an ellipse of tissue and two lungs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from monai_sg.data.cache.index import CacheEntry
from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.data.intensity import MODES, intensity_window
from monai_sg.data.records import Datalist
from monai_sg.discovery.embed import Embedding

Box = list[list[int]]


def _chest(shape: Sequence[int], rng: np.random.Generator) -> tuple[np.ndarray, Box, Box]:
    """Return a chest in HU, or a film for two axes, with the boxes of body and lungs."""
    axes = np.meshgrid(*(np.linspace(-1, 1, length) for length in shape[:2]), indexing="ij")
    body, lung = axes[0] ** 2 + axes[1] ** 2 < 0.9**2, (abs(axes[0]) - 0.4) ** 2 / 0.1 + axes[1] ** 2 / 0.3 < 0.8
    plane = np.where(lung & body, -800.0, np.where(body, 40.0, -1000.0))
    image = np.broadcast_to(plane.reshape(*shape[:2], *[1] * (len(shape) - 2)), shape)
    boxes = []
    for mask in (body, lung & body):
        places = np.argwhere(mask)
        inside = [[int(low), int(high) + 1] for low, high in zip(places.min(0), places.max(0), strict=True)]
        boxes.append(inside + [[0, length] for length in shape[2:]])
    return np.rint(image + rng.normal(0, 60, shape)), boxes[0], boxes[1]


@pytest.fixture
def make_cache(tmp_path: Path) -> Callable[..., VolumeCache]:
    """Return a function that stores one chest per given shape; every other one can be left without lungs."""

    def make(
        shapes: Sequence[Sequence[int]], spacings: Sequence[Sequence[float]] | None = None, without_lungs: int = 0
    ) -> VolumeCache:
        (tmp_path / "arrays").mkdir(exist_ok=True)
        rng = np.random.default_rng(0)
        entries = {}
        for number, shape in enumerate(shapes):
            name = f"scan{number:03d}"
            image, body, lungs = _chest(shape, rng)
            np.save(tmp_path / "arrays" / f"{name}.npy", image.astype(np.int16))
            entries[name] = CacheEntry(
                key=name,
                id=name,
                source=(f"{name}.nii.gz",),
                shape=tuple(shape),
                spacing=tuple(spacings[number]) if spacings is not None else (1.0,) * len(shape),
                affine=np.eye(4).tolist(),
                dtype="int16",
                scales=(1.0,),
                offsets=(0.0,),
                minima=(-1000.0,),
                body_box=body,
                lung_box=None if number < without_lungs or len(shape) == 2 else lungs,
                windows={mode: [list(intensity_window(image, mode))] for mode in MODES},
            )
        return VolumeCache(tmp_path, entries, {})

    return make


@pytest.fixture
def random_features() -> Callable[..., Embedding]:
    """Return a function that gives each id the same features, whatever other ids there are."""

    def features(ids: Sequence[str], width: int = 8) -> Embedding:
        rows = [torch.randn(width, generator=torch.Generator().manual_seed(int(name[-3:]))) for name in ids]
        return Embedding(list(ids), torch.stack(rows))

    return features


@pytest.fixture
def split_ids() -> Callable[..., Datalist]:
    """Return a function that splits ids into training, validation and test."""

    def split(ids: Sequence[str], validation: int = 0, test: int = 0) -> Datalist:
        records = [{"image": f"{name}.nii.gz", "id": name, "patient": name} for name in ids]
        middle, end = len(records) - validation - test, len(records) - test
        return Datalist(training=records[:middle], validation=records[middle:end], test=records[end:])

    return split
