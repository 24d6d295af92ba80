"""Weights enter a network when it is built, with a report, or are refused."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from ..networks.contract import AnyNetwork, Network, checked_network, parts_named
from ..networks.initial_weights import draw_initial_weights
from ..utils.errors import AbsentError
from .matching import Weights, match_weights, remedy_for
from .reading import check_values, read_weights
from .report import LoadReport, WeightsMismatchError

logger = logging.getLogger(__name__)

Module = TypeVar("Module", bound=nn.Module)


def load_weights(network: Network, weights: Weights, part: str | Sequence[str], source: str) -> LoadReport:
    """Fill parts of a network, every tensor of them.

    An adapted first convolution counts as filled, see `adapt_channels`. What is in no part asked for stays as it is.

    Args:
        network: is changed in place, unless the weights are refused.
        weights: name to tensor.
        part: ``encoder``, ``encoder_decoder``, or a list of parts that the network declares.
        source: name used in the report.

    Returns:
        the report.

    Raises:
        UserError: the network has no such part, or values are not finite.
        WeightsMismatchError: a tensor of the part is not in ``weights``, or has another shape there.
    """
    parts = parts_named(network, part)
    filled, report = match_weights(network, weights, parts, source)
    if not report.is_complete:
        raise WeightsMismatchError(report, remedy_for(network, weights, parts, report))
    check_values(filled, source)
    network.load_state_dict({**network.state_dict(), **filled})
    return report


def initialised(
    network: AnyNetwork,
    path: str | Path | None = None,
    part: str | Sequence[str] = "encoder_decoder",
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> AnyNetwork:
    """Put weights into a new network and the network on its device.

    Initial weights are drawn from ``seed`` and the names of the parts, see `draw_initial_weights`, so that neither the
    global generator nor the size of a head changes those of the encoder.

    Args:
        network: as `network_def` of a bundle builds it.
        path: plain state dict; None leaves the initial weights.
        part: what is filled: ``encoder``, ``encoder_decoder``, or a list of parts that the network declares.
        device: where the network goes; convolution weights are laid out channels last, the faster layout for them.
        seed: of the initial weights.

    Returns:
        the same network.

    Raises:
        WeightsMismatchError: not every tensor of ``part`` was filled.
        UserError: the network does not declare its parts or has no such ``part``, the file is not a state dict, or
            its values are not finite.
    """
    checked_network(network)
    draw_initial_weights(network, seed)
    if path is not None:
        logger.info(str(load_weights(network, read_weights(path), part, str(path))))
    formats = {2: torch.channels_last, 3: torch.channels_last_3d}
    network.to(device).to(memory_format=formats[network.spatial_dims])
    return network


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
        AbsentError: ``path`` is absent.
        UserError: values in it are not finite.
        WeightsMismatchError: a name or a shape differs.
    """
    module = module.to(device)
    if path is None or isinstance(path, bool):
        return module
    if not Path(path).is_file():
        raise AbsentError(f"{path} does not exist. {made_by}")
    weights = read_weights(path)
    report = _comparison(module.state_dict(), weights, str(path))
    if report.unexpected or not report.is_complete:
        remedy = "It was made with other settings: give those (width, number of classes), or make it again."
        raise WeightsMismatchError(report, remedy)
    check_values(weights, str(path))
    module.load_state_dict(weights)
    logger.info(f"Starts from {report}.")
    return module


def _comparison(own: Weights, weights: Weights, source: str) -> LoadReport:
    """Return which names and shapes agree, without any translation."""
    shapes = {name: (tuple(weights[name].shape), tuple(own[name].shape)) for name in own if name in weights}
    return LoadReport(
        source,
        matched=[name for name, (there, here) in shapes.items() if there == here],
        missing=[name for name in own if name not in weights],
        unexpected=[name for name in weights if name not in own],
        mismatched={name: f"{there} for {here}" for name, (there, here) in shapes.items() if there != here},
    )
