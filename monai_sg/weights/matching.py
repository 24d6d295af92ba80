"""Which tensors of a file belong to which of a network, by names and shapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import torch

from ..networks.contract import Network, keys_of
from ..networks.names import Rules, renamed
from .report import LoadReport

PREFIX_DEPTH = 3
COUNTER = "num_batches_tracked"  # Batch norm only counts in it, and older files lack it.

Weights = Mapping[str, torch.Tensor]


def match_weights(
    network: Network, weights: Weights, parts: Sequence[str], source: str
) -> tuple[dict[str, torch.Tensor], LoadReport]:
    """Find the tensors of some parts of a network in a file.

    A prefix that names of the file share, such as ``module.``, is taken off, and the names of another family of
    checkpoints are translated by the ``renamings`` that the network's encoder declares, where more of them fit then.

    Args:
        network: is not changed; may lie on the meta device.
        weights: name to tensor.
        parts: names of parts.
        source: name used in the report.

    Returns:
        the tensors by the names of the network, and the report.
    """
    own, wanted = network.state_dict(), keys_of(network, *parts)
    weights, changes = _translated(network, weights, set(wanted))
    report = LoadReport(", ".join([source, *changes]), parts, unexpected=[name for name in weights if name not in own])
    filled: dict[str, torch.Tensor] = {}
    for name in wanted:
        found = weights.get(name)
        if found is None:
            if not name.endswith(COUNTER):
                report.missing.append(name)
        elif found.shape == own[name].shape:
            filled[name] = found
        elif name == f"{network.stem_key}.weight" and _differs_in_inputs_only(found, own[name]):
            filled[name] = adapt_channels(found, own[name].shape[1])
            report.adapted.append(f"{name} from {found.shape[1]} to {own[name].shape[1]} channels")
        else:
            report.mismatched[name] = f"{tuple(found.shape)} for {tuple(own[name].shape)}"
    report.matched = list(filled)
    return filled, report


def _translated(network: Network, weights: Weights, wanted: set[str]) -> tuple[Weights, list[str]]:
    """Return the weights under the names of which the network wants most, and in words what was changed."""
    encoder = getattr(network, "encoder", None)
    namings: dict[str, Rules] = {"": (), **getattr(encoder, "renamings", {})}
    hits: Counter[tuple[str, str]] = Counter()
    for family, rules in namings.items():
        for name in weights:
            for prefix in _prefixes(name):
                hits[prefix, family] += renamed(name.removeprefix(prefix), rules) in wanted
    # Of equals the first is taken: names as they are, and the shortest prefix.
    prefix, family = max(hits, key=lambda naming: hits[naming], default=("", ""))
    if not hits[prefix, family]:
        return weights, []
    changes = [f"prefix {prefix!r} taken off"] * bool(prefix) + [f"with the names of {family}"] * bool(family)
    return {renamed(name.removeprefix(prefix), namings[family]): value for name, value in weights.items()}, changes


def _prefixes(name: str) -> list[str]:
    words = name.split(".")
    return ["".join(f"{word}." for word in words[:depth]) for depth in range(min(PREFIX_DEPTH, len(words) - 1) + 1)]


def adapt_channels(weight: torch.Tensor, channels: int) -> torch.Tensor:
    """Make a convolution weight for another number of input channels.

    Each new channel gets the sum over the old ones, divided by the new number, so that an image repeated over the new
    channels gives the response that the same image repeated over the old channels gave.

    Args:
        weight: ``(out, in, *kernel)``.
        channels: input channels wanted.

    Returns:
        ``(out, channels, *kernel)``.
    """
    return (weight.sum(1, keepdim=True) / channels).expand(-1, channels, *weight.shape[2:]).contiguous()


def _differs_in_inputs_only(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape[:1] == other.shape[:1] and one.shape[2:] == other.shape[2:]


def remedy_for(network: Network, weights: Weights, parts: Sequence[str], report: LoadReport) -> str:
    """Return what to do about weights that do not fill some parts of a network.

    Args:
        network: that was to be filled.
        weights: of the file.
        parts: that were asked for.
        report: of `match_weights`.
    """
    stem = f"{network.stem_key}.weight"
    translated, _ = _translated(network, weights, set(keys_of(network, *parts)))
    here, there = network.state_dict()[stem], translated.get(stem)
    if there is None and not report.matched and not report.mismatched:
        return (
            "No name in the file is one of this network; `monai-sg weights inspect FILE` says what the file "
            "holds and which networks it fits."
        )
    if there is not None and there.dim() != here.dim():
        dims = there.dim() - 2
        return f"The file is of a network in {dims}D, this one is in {here.dim() - 2}D: give spatial_dims {dims}."
    if there is not None and there.shape[0] != here.shape[0]:
        return (
            f"The file has width {there.shape[0]} (channels of its first convolution), the network {here.shape[0]}: "
            f"give width {there.shape[0]}."
        )
    wrong = {*report.missing, *report.mismatched}
    whole = [part for part in parts if not wrong & set(keys_of(network, part))]
    if whole and len(whole) < len(parts):
        return f"Of this network the file fits the {' and '.join(whole)} only: say --pretrained_part {'_'.join(whole)}."
    return (
        "The file is of a network with other arguments or of another kind: build that one (model.json beside the file "
        "describes it, or `monai-sg weights inspect FILE` does)."
    )
