"""What a weight file holds and what it would fill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import torch

from ..networks.contract import Network, keys_of
from ..networks.description import arguments_of
from ..networks.genesis_unet import GenesisUNet
from ..networks.non_skip_unet import NonSkipUNet
from ..networks.resnet_unet import ResNetUNet
from ..utils.errors import UserError
from .description import described_network, description_of
from .matching import Weights, match_weights
from .reading import check_values, read_weights

RESNETS = ("resnet18", "resnet34", "resnet50")


def inspect_weights(path: str | Path) -> list[str]:
    """Describe a file of plain weights, a line per fact.

    Args:
        path: state dict of a network or of a pre-training method.

    Returns:
        size, groups of names, what the file fills of the network that ``model.json`` beside it describes, or else which
        of its names are those of networks of this package.

    Raises:
        AbsentError: there is no such file.
        UserError: it is no file of plain weights, or its description is of another version.
    """
    weights = read_weights(path)
    elements = sum(value.numel() for value in weights.values())
    lines = [f"{path}: {len(weights)} tensors, {elements:,} elements, {elements * 4 / 2**20:.1f} MiB as float32"]
    groups = Counter(name.split(".", 1)[0] for name in weights)
    lines.append("names begin with " + ", ".join(f"{name} ({count})" for name, count in groups.items()))
    lines += _of_values(weights, str(path))
    with torch.device("meta"):
        found = _described(path, weights) if "network" in description_of(path) else _by_names(weights)
        return [*lines, *found]


def _of_values(weights: Weights, path: str) -> list[str]:
    try:
        check_values(weights, path)
    except UserError as error:
        return [str(error)]
    return []


def _described(path: str | Path, weights: Weights) -> Iterator[str]:
    """Say what fits the network of the description, part by part."""
    network = described_network(path)
    described = network.describe()
    yield f"{Path(path).with_suffix('.json').name}: {described['_target_']} with {arguments_of(described)}"
    for part in network.parts:
        _, report = match_weights(network, weights, [part], Path(path).name)
        yield str(report)
        if not report.is_complete:
            yield report.details()


def _by_names(weights: Weights) -> Iterator[str]:
    """Say whose names the file has, as no description says how wide or deep its network is."""
    families: dict[str, Network] = {
        "GenesisUNet": GenesisUNet(3),
        "NonSkipUNet": NonSkipUNet(3),
        **{f"ResNetUNet of {name}": ResNetUNet(3, name=name) for name in RESNETS},
    }
    yield "no model.json describes its network; by their names alone"
    found = 0
    for family, network in families.items():
        _, report = match_weights(network, weights, list(network.parts), family)
        named = {*report.matched, *report.mismatched}
        counts = {part: keys_of(network, part) for part in network.parts}
        texts = [f"{part} {len(named & {*keys})} of {len(keys)}" for part, keys in counts.items() if named & {*keys}]
        if texts and texts[0].startswith("encoder"):
            found += 1
            yield f"{report.source}: {', '.join(texts)}"
    if not found:
        yield "it fits no network of this package"
