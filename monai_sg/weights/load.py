"""Weights enter a network when it is built, with a report, or are refused."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from ..networks.encoder_decoder import EncoderDecoder
from ..networks.names import renamed
from .reading import read_weights
from .report import LoadReport, WeightsMismatchError

logger = logging.getLogger(__name__)

PARTS = ("encoder", "encoder_decoder")
Module = TypeVar("Module", bound=nn.Module)
Network = TypeVar("Network", bound=EncoderDecoder)


def load_weights(network: EncoderDecoder, weights: Mapping[str, torch.Tensor], part: str, source: str) -> LoadReport:
    """Copy the tensors of ``part`` into ``network`` where names and shapes agree.

    Names of another family of checkpoints are translated by the network's ``renamings`` if more of them fit then.

    Args:
        network: is changed in place.
        weights: name to tensor.
        part: ``encoder``, or ``encoder_decoder``, which is everything but the head where shapes differ.
        source: name used in the report.

    Returns:
        the report; nothing is refused here.
    """
    own = network.state_dict()
    weights, source = _translated(network, weights, source)
    prefixes = (network.encoder_key,) if part == "encoder" else (network.encoder_key, network.decoder_key)
    wanted = [name for name in own if name.split(".", 1)[0] in prefixes]
    candidates = wanted if part == "encoder" else list(own)
    report = LoadReport(source)
    filled: dict[str, torch.Tensor] = {}
    for name in candidates:
        if name not in weights:
            report.missing.append(name)
        elif weights[name].shape == own[name].shape:
            filled[name] = weights[name]
        elif name == f"{network.stem_key}.weight" and _differs_in_inputs_only(weights[name], own[name]):
            filled[name] = adapt_channels(weights[name], own[name].shape[1])
            report.adapted.append(f"{name} from {weights[name].shape[1]} to {own[name].shape[1]} channels")
        else:
            report.mismatched.append(f"{name} {tuple(weights[name].shape)} for {tuple(own[name].shape)}")
    report.matched = list(filled)
    report.unexpected = [name for name in weights if name not in own]
    report.share = sum(own[n].numel() for n in wanted if n in filled) / sum(own[n].numel() for n in wanted)
    network.load_state_dict({**own, **filled})
    return report


def _translated(
    network: EncoderDecoder, weights: Mapping[str, torch.Tensor], source: str
) -> tuple[Mapping[str, torch.Tensor], str]:
    """Return the weights under the names that fit the network best, and the source with the family of names."""
    own = set(network.state_dict())
    best, count, text = weights, len(own & set(weights)), source
    for family, rules in network.renamings.items():
        candidate = {renamed(name, rules): value for name, value in weights.items()}
        if len(own & set(candidate)) > count:
            best, count, text = candidate, len(own & set(candidate)), f"{source}, with the names of {family}"
    return best, text


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


def initialised(
    network: Network,
    path: str | Path | None = None,
    part: str = "encoder_decoder",
    device: torch.device | str = "cpu",
    min_matched: float = 0.9,
) -> Network:
    """Put weights into a new network and the network on its device.

    Args:
        network: as `network_def` of a bundle builds it.
        path: plain state dict; None leaves the random initialisation.
        part: ``encoder`` or ``encoder_decoder``.
        device: where the network goes; convolution weights are laid out channels last, the faster layout for them.
        min_matched: least share of the elements of ``part`` of the network that must be filled, in [0, 1].

    Returns:
        the same network.

    Raises:
        WeightsMismatchError: less than ``min_matched`` was filled.
        ValueError: ``part`` is unknown or the file is not a state dict.
    """
    if part not in PARTS:
        raise ValueError(f"Part {part!r} of a network is unknown; take one of {PARTS}.")
    if path is not None:
        report = load_weights(network, read_weights(path), part, str(path))
        if report.share < min_matched:
            remedy = f"At least {min_matched:.0%} must fit: check that width and channels are those of the file."
            raise WeightsMismatchError(report, remedy)
        logger.info(str(report))
    formats = {2: torch.channels_last, 3: torch.channels_last_3d}
    return network.to(device).to(memory_format=formats[network.spatial_dims])  # type: ignore[call-overload]


def restored(
    module: Module, path: str | Path | bool | None, made_by: str, device: torch.device | str = "cpu"
) -> Module:
    """Put a module, such as a pre-training method with its heads, on its device, with every tensor of a file.

    Args:
        module: is changed in place.
        path: state dict written by a previous stage; None or False, which a command line can say, leaves the weights as
            they are.
        made_by: what writes ``path``, named when it is absent, with the way to go without.
        device: where the module goes.

    Returns:
        the same module.

    Raises:
        FileNotFoundError: ``path`` is absent.
        WeightsMismatchError: a name or a shape differs.
    """
    module = module.to(device)
    if path is None or isinstance(path, bool):
        return module
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} does not exist. {made_by}")
    weights = read_weights(path)
    report = _comparison(module.state_dict(), weights, str(path))
    if report.missing or report.unexpected or report.mismatched:
        remedy = "It was made with other settings: give those (width, number of classes), or make it again."
        raise WeightsMismatchError(report, remedy)
    module.load_state_dict(weights)
    logger.info(f"Starts from {report}.")
    return module


def _comparison(own: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor], source: str) -> LoadReport:
    """Return which names and shapes agree, without any translation."""
    shared = [name for name in own if name in weights]
    report = LoadReport(
        source,
        matched=[name for name in shared if weights[name].shape == own[name].shape],
        missing=[name for name in own if name not in weights],
        unexpected=[name for name in weights if name not in own],
        mismatched=[
            f"{name} {tuple(weights[name].shape)} for {tuple(own[name].shape)}"
            for name in shared
            if weights[name].shape != own[name].shape
        ],
    )
    report.share = sum(own[name].numel() for name in report.matched) / sum(value.numel() for value in own.values())
    return report
