"""One feature vector per image, from the encoder's last level."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ..data.cache import VolumeCache
from ..utils.files import write_atomic

logger = logging.getLogger(__name__)


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


@torch.no_grad()
def embed(
    network: PyramidNetwork,
    cache: VolumeCache,
    ids: Sequence[str],
    size: Sequence[int],
    intensity_range: tuple[float, float],
    batch_size: int = 4,
    device: torch.device | str = "cpu",
) -> Embedding:
    """Describe every image by the global average of the bottleneck features of its overview.

    The whole image is resized to ``size``, clipped to ``intensity_range`` and scaled to [0, 1], as the auto-encoder saw
    it (Semantic Genesis, section 2.1). An image that cannot be read is left out with the reason in the log.

    Args:
        network: has ``forward_features(x) -> [features from shallow to deep]``; is put into evaluation mode meanwhile.
        cache: holds the images.
        ids: the images to describe.
        size: shape of the overview, one number per axis.
        intensity_range: physical values that become 0 and 1, for example (-1000, 1000) HU.
        batch_size: overviews per forward pass.
        device: where the network lies.

    Raises:
        ValueError: if not a single image could be read, or features are not finite.
    """
    training = network.training
    network.train(False)
    names: list[str] = []
    rows: list[Tensor] = []
    try:
        for batch_ids, batch in _batches(cache, ids, size, intensity_range, batch_size):
            deepest = network.forward_features(batch.to(device))[-1]
            rows.append(deepest.flatten(2).float().mean(-1).cpu())
            names.extend(batch_ids)
    finally:
        network.train(training)
    if not rows:
        raise ValueError(f"None of {len(ids)} images could be read for the embedding; the log names the reasons.")
    return Embedding(names, torch.cat(rows))


def _batches(
    cache: VolumeCache, ids: Sequence[str], size: Sequence[int], intensity_range: tuple[float, float], batch_size: int
) -> Iterator[tuple[list[str], Tensor]]:
    """Yield ids and overviews (B, 1, *size) in [0, 1]."""
    low, high = intensity_range
    names: list[str] = []
    images: list[Tensor] = []
    for name in ids:
        try:
            image = torch.from_numpy(np.asarray(cache.overview(name, tuple(size)), dtype=np.float32))
        except (OSError, ValueError) as error:
            logger.warning("%s is left out of the embedding: %s", name, error)
            continue
        names.append(name)
        images.append(((image - low) / (high - low)).clamp(0, 1)[None])
        if len(names) == batch_size:
            yield names, torch.stack(images)
            names, images = [], []
    if names:
        yield names, torch.stack(images)
