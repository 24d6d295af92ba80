"""One feature vector per image, by which patients are similar."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..data.boxes.box import Box
from ..data.cache.volume_cache import VolumeCache
from ..data.intensity import IntensityRange
from ..networks.contract import Network
from ..utils.errors import UserError
from ..utils.files import write_atomic
from .features import box_features

DEEPEST = (-1,)


@dataclass
class Embedding:
    """Feature vectors (N, D), float32, each with the id of its image."""

    ids: list[str]
    features: Tensor

    def __post_init__(self) -> None:
        """Check that ids and rows correspond and that all features are finite."""
        if self.features.ndim != 2 or len(self.ids) != len(self.features):
            raise UserError(f"{len(self.ids)} ids do not fit features of shape {tuple(self.features.shape)}.")
        if len(set(self.ids)) < len(self.ids):
            raise UserError("An embedding holds each id once; some ids are repeated.")
        bad = [self.ids[row] for row in (~self.features.isfinite().all(1)).nonzero().flatten().tolist()]
        if bad:
            raise UserError(f"The features of {bad[:5]} are not finite; use a network that was trained to the end.")

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
    network: Network,
    cache: VolumeCache,
    ids: Sequence[str],
    size: Sequence[int],
    intensity_range: IntensityRange,
    batch_size: int = 4,
    device: torch.device | str = "cpu",
    levels: Sequence[int] | None = DEEPEST,
) -> Embedding:
    """Return the global average of the feature maps of every image's overview.

    The whole image is resized to ``size``, clipped to ``intensity_range`` and scaled to [0, 1], as the auto-encoder saw
    it (Semantic Genesis, section 2.1). An image that cannot be read is left out with the reason in the log. The ranks
    of a process group share the images, and every rank gets all features.

    Args:
        network: has ``forward_features(x) -> [features from shallow to deep]``; is put into evaluation mode meanwhile.
        cache: holds the images.
        ids: the images.
        size: shape of the overview, one number per axis.
        intensity_range: physical values that become 0 and 1, for example (-1000, 1000) HU, or a window per image.
        batch_size: overviews per forward pass.
        device: where the network lies.
        levels: feature maps that are used, by index; the bottleneck by default, ``None`` for all.

    Raises:
        ValueError: if not a single image could be read, or features are not finite.
    """
    boxes = [Box(id=name, box=None) for name in ids]
    found = box_features(network, cache, boxes, size, intensity_range, batch_size, device, levels)
    return Embedding([ids[row] for row in found.rows], found.features)
