"""A config that goes without those parts of the package for which MONAI has its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .configs import REQUIRED, references
from .sources import merged


def self_contained(config: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config with what takes the place of its ids, without those that nothing refers to any more.

    Args:
        config: a config that runs by itself, or an overlay of one, whose ids the config it is laid over may refer to.
        overlay: the content of ``packed_<config>``; ``null`` for an id that is not needed.
    """
    whole = "bundle_root" in config
    found = merged(config, overlay) if whole else {**config, **overlay}
    used = set(references(dict(config))) - set(REQUIRED) if whole else set()
    while lost := used & set(found) - set(references(found)):
        found = {name: value for name, value in found.items() if name not in lost}
    needless = {name for name, value in overlay.items() if value is None} - set(references(found))
    return {name: value for name, value in found.items() if name not in needless}
