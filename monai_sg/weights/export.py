"""Write weights that anyone can read, with a file that says what they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..networks.encoder_decoder import EncoderDecoder
from ..utils.files import sha256_of, write_atomic, write_json


def save_weights(module: torch.nn.Module, path: str | Path) -> Path:
    """Write a plain state dict on the CPU, atomically; ``torch.load(weights_only=True)`` reads it."""
    state = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
    return write_atomic(path, lambda file: torch.save(state, file))


def origin_of(path: str | Path | None) -> dict[str, str]:
    """Return name and SHA-256 of the weights that a training starts from, without their folder; ``{}`` from scratch."""
    return {} if path is None else {"file": Path(path).name, "sha256": sha256_of(path)}


def save_network(network: EncoderDecoder, path: str | Path, description: Mapping[str, Any]) -> Path:
    """Write the weights of a network, and beside them ``<stem>.json``: how to build it and what it was trained on.

    Args:
        network: its class, arguments and the keys of encoder, stem and head are written.
        path: file of the weights.
        description: further JSON-like facts: method, data, preprocessing, licence.

    Returns:
        ``path``.
    """
    path = save_weights(network, path)
    stem, head = (network.get_parameter(f"{key}.weight") for key in (network.stem_key, network.head_key))
    facts = {
        "network": type(network).__name__,
        "spatial_dims": network.spatial_dims,
        "in_channels": stem.shape[1],
        "out_channels": head.shape[0],
        "width": stem.shape[0],
        "skips": network.skips,
        "batch_statistics": network.batch_statistics,
        "encoder_key": network.encoder_key,
        "stem_key": network.stem_key,
        "decoder_key": network.decoder_key,
        "head_key": network.head_key,
        "sha256": sha256_of(path),
    }
    write_json(path.with_suffix(".json"), {**facts, **description})
    return path
