"""Write weights that anyone can read, with a file that says what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ..networks.contract import Network, checked_network, keys_of
from ..utils.files import sha256_of, write_atomic, write_json
from .description import VERSION


def save_weights(module: torch.nn.Module, path: str | Path) -> Path:
    """Write a plain state dict on the CPU, atomically; ``torch.load(weights_only=True)`` reads it."""
    return _write(module.state_dict(), path)


def _write(weights: Mapping[str, torch.Tensor], path: str | Path) -> Path:
    state = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
    return write_atomic(path, lambda file: torch.save(state, file))


def origin_of(path: str | Path | None) -> dict[str, str]:
    """Return name and SHA-256 of the weights that a training starts from, without their folder; ``{}`` from scratch."""
    return {} if path is None else {"file": Path(path).name, "sha256": sha256_of(path)}


def save_network(
    network: Network, path: str | Path, description: Mapping[str, Any], parts: Sequence[str] | None = None
) -> Path:
    """Write the weights of a network, and beside them ``<stem>.json``: how to build it and what it was trained on.

    Args:
        network: its class and arguments are written.
        path: file of the weights.
        description: further JSON-like facts: method, data, preprocessing, licence.
        parts: the parts that are written; ``None`` for the whole network.

    Returns:
        ``path``.

    Raises:
        UserError: the network does not declare its parts.
    """
    names = keys_of(checked_network(network), *(network.parts if parts is None else parts))
    state = network.state_dict()
    path = _write({name: state[name] for name in names}, path)
    facts = {"version": VERSION, "network": network.describe(), **description, "sha256": sha256_of(path)}
    write_json(path.with_suffix(".json"), facts)
    return path
