"""What a weight file holds and what it would fill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import torch

from ..networks.encoder_decoder import EncoderDecoder
from ..networks.genesis_unet import GenesisUNet
from ..networks.names import renamed
from ..networks.non_skip_unet import NonSkipUNet
from .load import PARTS, load_weights
from .reading import read_weights

FAMILIES: tuple[type[EncoderDecoder], ...] = (GenesisUNet, NonSkipUNet)


def inspect_weights(path: str | Path) -> list[str]:
    """Describe a file of plain weights, a line per fact, without building anything larger than its own network.

    Args:
        path: state dict of a network or of a pre-training method.

    Returns:
        size, groups of names, and for each network family of this package what the file would fill.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no file of plain weights.
    """
    weights = read_weights(path)
    elements = sum(value.numel() for value in weights.values())
    lines = [f"{path}: {len(weights)} tensors, {elements:,} elements, {elements * 4 / 2**20:.1f} MiB as float32"]
    groups = Counter(name.split(".", 1)[0] for name in weights)
    lines.append("names begin with " + ", ".join(f"{name} ({count})" for name, count in groups.items()))
    return [*lines, *_fits(weights)]


def _fits(weights: Mapping[str, torch.Tensor]) -> list[str]:
    stem, head = (find_tensor(weights, f"{key}.weight") for key in (EncoderDecoder.stem_key, EncoderDecoder.head_key))
    if stem is None or stem.dim() not in (4, 5):
        return [f"it has no {EncoderDecoder.stem_key}.weight, so it fits no network of this package as it is"]
    dims, (width, channels) = stem.dim() - 2, stem.shape[:2]
    outputs = 1 if head is None else head.shape[0]
    lines = [f"first convolution: {dims}D, {channels} input channels, width {width}; {outputs} output channels"]
    for family in FAMILIES:
        for part in PARTS:
            network = family(spatial_dims=dims, in_channels=channels, out_channels=outputs, width=width)  # type: ignore[call-arg]
            report = load_weights(network, weights, part, f"{family.__name__}, {part}")
            lines.append(str(report))
    return lines


def find_tensor(weights: Mapping[str, torch.Tensor], key: str) -> torch.Tensor | None:
    """Return the tensor that has the name ``key``, or gets it by a renaming of one of the families."""
    namings = [(), *(rules for family in FAMILIES for rules in family.renamings.values())]
    found = (value for rules in namings for name, value in weights.items() if renamed(name, rules) == key)
    return next(found, None)
