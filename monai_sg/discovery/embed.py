"""One feature vector per image or box, from the levels of an encoder."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ..data.cache import VolumeCache
from ..data.intensity import IntensityRange, scaled
from ..utils.files import write_atomic

logger = logging.getLogger(__name__)

DEEPEST = (-1,)
Region = tuple[str, list[list[int]] | None]


class PyramidNetwork(Protocol):
    """A network, such as `NonSkipUNet`, that gives its encoder's features."""

    training: bool

    def forward_features(self, x: Tensor) -> list[Tensor]:
        """Return the features from shallow to deep."""

    def train(self, mode: bool = True) -> Any:
        """Switch between training and evaluation."""


@dataclass
class Embedding:
    """Feature vectors (N, D), float32, each with the id of its image."""

    ids: list[str]
    features: Tensor

    def __post_init__(self) -> None:
        """Check that ids and rows correspond and that all features are finite."""
        if self.features.ndim != 2 or len(self.ids) != len(self.features):
            raise ValueError(f"{len(self.ids)} ids do not fit features of shape {tuple(self.features.shape)}.")
        if len(set(self.ids)) < len(self.ids):
            raise ValueError("An embedding holds each id once; some ids are repeated.")
        bad = [self.ids[row] for row in (~self.features.isfinite().all(1)).nonzero().flatten().tolist()]
        if bad:
            raise ValueError(f"The features of {bad[:5]} are not finite; use a network that was trained to the end.")

    @property
    def sha256(self) -> str:
        """SHA-256 of ids and features as hexadecimal text."""
        digest = hashlib.sha256("\n".join(self.ids).encode())
        digest.update(np.ascontiguousarray(self.features.cpu().numpy(), dtype="<f4").tobytes())
        return digest.hexdigest()

    def select(self, ids: Sequence[str]) -> Tensor:
        """Return the rows of ``ids``, in that order."""
        row_of = {name: row for row, name in enumerate(self.ids)}
        return self.features[torch.tensor([row_of[name] for name in ids], dtype=torch.int64)]

    def save(self, path: str | Path) -> Path:
        """Write ``ids`` and ``features`` as .npz, atomically."""
        features = self.features.cpu().numpy().astype(np.float32)
        return write_atomic(path, lambda file: np.savez(file, ids=np.asarray(self.ids, dtype=str), features=features))

    @classmethod
    def load(cls, path: str | Path) -> Embedding:
        """Read an embedding that `save` wrote."""
        with np.load(path, allow_pickle=False) as content:
            return cls([str(name) for name in content["ids"]], torch.from_numpy(content["features"]))


def embed(
    network: PyramidNetwork,
    cache: VolumeCache,
    ids: Sequence[str],
    size: Sequence[int],
    intensity_range: IntensityRange,
    batch_size: int = 4,
    device: torch.device | str = "cpu",
    levels: Sequence[int] | None = DEEPEST,
) -> Embedding:
    """Describe every image by the global average of the features of its overview.

    The whole image is resized to ``size``, clipped to ``intensity_range`` and scaled to [0, 1], as the auto-encoder saw
    it (Semantic Genesis, section 2.1). An image that cannot be read is left out with the reason in the log.

    Args:
        network: has ``forward_features(x) -> [features from shallow to deep]``; is put into evaluation mode meanwhile.
        cache: holds the images.
        ids: the images to describe.
        size: shape of the overview, one number per axis.
        intensity_range: physical values that become 0 and 1, for example (-1000, 1000) HU, or a window per image.
        batch_size: overviews per forward pass.
        device: where the network lies.
        levels: feature maps that are used, by index; the bottleneck by default, ``None`` for all.

    Raises:
        ValueError: if not a single image could be read, or features are not finite.
    """
    regions: list[Region] = [(name, None) for name in ids]
    batches = read_regions(cache, regions, size, intensity_range, batch_size)
    rows, features, _ = describe(network, batches, device, levels)
    return Embedding([ids[row] for row in rows], features)


@torch.no_grad()
def describe(
    network: PyramidNetwork,
    batches: Iterable[tuple[list[int], Tensor]],
    device: torch.device | str = "cpu",
    levels: Sequence[int] | None = None,
) -> tuple[list[int], Tensor, list[int]]:
    """Describe the batches of `read_regions` by global averages of feature maps, one after the other.

    Args:
        network: see `embed`; is put into evaluation mode meanwhile.
        batches: numbers of the rows and images (B, 1, *size) in [0, 1].
        device: where the network lies.
        levels: feature maps that are used, by index; ``None`` for all, shallow to deep.

    Returns:
        the numbers of the rows, their features (N, D), float32, and the channels of each level, which sum to D.

    Raises:
        ValueError: there is no batch.
    """
    rows: list[int] = []
    features: list[Tensor] = []
    channels: list[int] = []
    training = network.training
    network.train(False)
    try:
        for numbers, images in batches:
            used = _chosen(network.forward_features(images.to(device)), levels)
            features.append(pooled(used).cpu())
            rows.extend(numbers)
            channels = [level.shape[1] for level in used]
    finally:
        network.train(training)
    if not rows:
        raise ValueError("None of the images or boxes could be read; the log names the reasons.")
    return rows, torch.cat(features), channels


def _chosen(maps: list[Tensor], levels: Sequence[int] | None) -> list[Tensor]:
    if levels is None:
        return maps
    if not levels or not all(-len(maps) <= level < len(maps) for level in levels):
        raise ValueError(f"levels is {list(levels)}; give some of 0 (shallow) to {len(maps) - 1} (deep), or None.")
    return [maps[level] for level in levels]


def pooled(maps: Sequence[Tensor]) -> Tensor:
    """Return the global averages of feature maps (B, C_i, *spatial_i), side by side: (B, sum of C_i), float32."""
    return torch.cat([level.flatten(2).float().mean(-1) for level in maps], dim=1)


def read_regions(
    cache: VolumeCache,
    regions: Sequence[Region],
    size: Sequence[int],
    intensity_range: IntensityRange,
    batch_size: int,
    progress: str | None = None,
) -> Iterator[tuple[list[int], Tensor]]:
    """Read images or boxes of images, batch by batch; one that cannot be read is left out with the reason in the log.

    Args:
        cache: holds the images.
        regions: id of the image, and the box in voxels, half-open, or ``None`` for the whole image.
        size: voxels per axis that each is resized to.
        intensity_range: physical values that become 0 and 1, or a window per image.
        batch_size: the last batch may be smaller.
        progress: text before a bar; ``None`` shows none.

    Yields:
        the numbers of the regions, and images (B, 1, *size), float32, in [0, 1].
    """
    numbers: list[int] = []
    images: list[Tensor] = []
    for number, (name, box) in enumerate(tqdm(regions, progress, disable=progress is None)):
        try:
            array = cache.overview(name, tuple(size)) if box is None else cache.read_box(name, box, size)
        except (OSError, ValueError) as error:
            logger.warning("%s is left out of the embedding: %s", name, error)
            continue
        numbers.append(number)
        images.append(scaled(torch.from_numpy(array), cache.window(name, intensity_range))[None])
        if len(numbers) == batch_size:
            yield numbers, torch.stack(images)
            numbers, images = [], []
    if numbers:
        yield numbers, torch.stack(images)
