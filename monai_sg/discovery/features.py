"""Features of images and boxes: global averages of the feature maps of an encoder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..data.boxes.batches import Batch, box_batches
from ..data.boxes.box import Box
from ..data.cache.volume_cache import VolumeCache
from ..data.intensity import IntensityRange
from ..networks.contract import Network
from ..utils.distributed import gathered, rank, world_size
from ..utils.errors import UserError


class Extracted(NamedTuple):
    """Features of boxes.

    Attributes:
        rows: number of the box of each row (N).
        features: (N, D), float32.
        channels: features of each level, shallow to deep, which sum to D.
    """

    rows: list[int]
    features: Tensor
    channels: list[int]


def box_features(
    network: Network,
    cache: VolumeCache,
    boxes: Sequence[Box],
    size: Sequence[int],
    intensity_range: IntensityRange,
    batch_size: int,
    device: torch.device | str = "cpu",
    levels: Sequence[int] | None = None,
    progress: str | None = None,
) -> Extracted:
    """Read boxes and return their features in order; the ranks of a process group share the batches.

    Every rank gets all features, on a CPU the same bits however many ranks there are.

    Args:
        network: see `extract_features`.
        cache: holds the images.
        boxes: boxes, or whole images.
        size: voxels per axis that each is resized to.
        intensity_range: physical values that become 0 and 1, or a window per image.
        batch_size: boxes per forward pass.
        device: where the network lies.
        levels: feature maps that are used, by index; ``None`` for all, shallow to deep.
        progress: text before a bar, which rank 0 shows; ``None`` shows none.

    Raises:
        ValueError: not a single one could be read.
    """
    text = progress if rank() == 0 else None
    batches = box_batches(cache, boxes, size, intensity_range, batch_size, text, rank(), world_size())
    parts = [part for part in gathered(extract_features(network, batches, device, levels)) if part.rows]
    if not parts:
        raise UserError("None of the images or boxes could be read; the log names the reasons.")
    rows = torch.tensor([row for part in parts for row in part.rows])
    order = rows.argsort()
    return Extracted(rows[order].tolist(), torch.cat([part.features for part in parts])[order], parts[0].channels)


@torch.no_grad()
def extract_features(
    network: Network,
    batches: Iterable[Batch],
    device: torch.device | str = "cpu",
    levels: Sequence[int] | None = None,
) -> Extracted:
    """Return the global averages of the feature maps of batches, one after the other; no rows if there is no batch.

    Args:
        network: has ``forward_features(x) -> [features from shallow to deep]``; is put into evaluation mode meanwhile.
        batches: numbers of the rows and images (B, C, *size) in [0, 1].
        device: where the network lies.
        levels: feature maps that are used, by index; ``None`` for all, shallow to deep.
    """
    rows: list[int] = []
    features: list[Tensor] = []
    channels: list[int] = []
    training = network.training
    network.train(False)
    try:
        for numbers, images in batches:
            used = _chosen(network.forward_features(images.to(device)), levels)
            features.append(global_average(used).cpu())
            rows.extend(numbers)
            channels = [level.shape[1] for level in used]
    finally:
        network.train(training)
    return Extracted(rows, torch.cat(features) if rows else torch.zeros(0, 0), channels)


def _chosen(maps: list[Tensor], levels: Sequence[int] | None) -> list[Tensor]:
    if levels is None:
        return maps
    if not levels or not all(-len(maps) <= level < len(maps) for level in levels):
        raise UserError(f"levels is {list(levels)}; give some of 0 (shallow) to {len(maps) - 1} (deep), or None.")
    return [maps[level] for level in levels]


def global_average(maps: Sequence[Tensor]) -> Tensor:
    """Return the global averages of feature maps (B, C_i, *spatial_i), side by side: (B, sum of C_i), float32."""
    return torch.cat([level.flatten(2).float().mean(-1) for level in maps], dim=1)
