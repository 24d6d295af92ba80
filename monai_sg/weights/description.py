"""What the file beside weights says about them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..utils.files import read_json, sha256_of

logger = logging.getLogger(__name__)

SETTINGS = ("spatial_dims", "width", "batch_statistics", "foreground", "known_labels", "match_affine", "structure")


def description_of(path: str | Path) -> dict[str, Any]:
    """Return what the ``.json`` beside weights says; nothing if it is absent or describes another file."""
    path = Path(path)
    beside = path.with_suffix(".json")
    if not path.is_file() or not beside.is_file():
        return {}
    content: dict[str, Any] = read_json(beside)
    if content.get("sha256") != sha256_of(path):
        logger.warning(f"{beside} describes other weights than {path}, by its sha256; it is not used.")
        return {}
    return content


def settings_of(path: str | Path) -> dict[str, Any]:
    """Return ids of a config with the values that weights were made with, as far as their description says it."""
    facts = description_of(path)
    return {name: facts[name] for name in SETTINGS if name in facts} | facts.get("preprocessing", {})


def crop_spacing(path: str | Path, spacing: Sequence[float] | None = None) -> list[float]:
    """Return the spacing in mm at which pre-trained weights saw their crops.

    Args:
        path: the weights.
        spacing: is returned if given.

    Returns:
        mm per axis; nothing where neither ``spacing`` nor a description says it.
    """
    return list(spacing or settings_of(path).get("crop_spacing") or [])
