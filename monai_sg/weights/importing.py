"""Weights of elsewhere, brought into the form of this package once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..networks.contract import checked_network, parts_named
from ..networks.description import built
from .export import origin_of, save_network
from .load import load_weights
from .reading import read_weights
from .report import LoadReport


def import_weights(
    path: str | Path,
    output: str | Path,
    network_def: Mapping[str, Any],
    part: str | Sequence[str] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> LoadReport:
    """Write ``model.pt`` with the names of this package and ``model.json``, which says what network they are of.

    Only what the file holds is written: a file of an encoder does not become a network with a random decoder.

    Args:
        path: weights of elsewhere, such as a released checkpoint or a ResNet of torchvision.
        output: folder for the two files.
        network_def: class and arguments of the network, as they stand in ``model.json``.
        part: what is taken, ``encoder``, ``encoder_decoder`` or a list of parts; ``None`` for all parts.
        facts: further entries of ``model.json``, such as ``preprocessing`` and ``licence``.

    Returns:
        what was found in the file.

    Raises:
        UserError: ``network_def`` describes no network of this package, or the file is no file of plain weights.
        WeightsMismatchError: the file does not fill the network.
    """
    made: Any = built(network_def)
    network = checked_network(made)
    parts = list(network.parts) if part is None else parts_named(network, part)
    report = load_weights(network, read_weights(path), parts, str(path))
    described = {"method": "imported", "parts": parts, "imported_from": origin_of(path), **(facts or {})}
    save_network(network, Path(output) / "model.pt", described, parts)
    return report
