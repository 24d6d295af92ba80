"""What the file beside weights says about them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..networks.contract import Network, checked_network
from ..networks.description import arguments_of, built
from ..utils.errors import AbsentError, UserError
from ..utils.files import read_json, sha256_of

logger = logging.getLogger(__name__)

VERSION = 1
ENDS = ("in_channels", "out_channels", "num_classes")  # A target task has its own.
SETTINGS = ("structures", "classes", "multi_label")


def description_of(path: str | Path) -> dict[str, Any]:
    """Return what the ``.json`` beside weights says; nothing if it is absent or describes another file.

    Raises:
        UserError: it describes these weights in a form that another version of this package writes.
    """
    path = Path(path).expanduser()
    beside = path.with_suffix(".json")
    if not path.is_file() or not beside.is_file():
        return {}
    content = read_json(beside)
    if not isinstance(content, Mapping) or content.get("sha256") != sha256_of(path):
        logger.warning(f"{beside} describes other weights than {path}, by its sha256; it is not used.")
        return {}
    if content.get("version") != VERSION:
        raise UserError(
            f"{beside} has the version {content.get('version')!r} and this package reads version {VERSION}; make the "
            f"file anew with `monai-sg weights import {path} --network_def ... --output DIR`."
        )
    for name in ("network", "preprocessing"):
        if not isinstance(content.get(name, {}), Mapping):
            raise UserError(f"{beside} is damaged: its {name} is {str(content[name])[:40]!r}, not an object.")
    return dict(content)


def described_network(path: str | Path) -> Network:
    """Build the network of a weight file from ``model.json`` beside it, with its initial weights.

    Raises:
        AbsentError: there is no description of these weights.
        UserError: it is of another version, or describes no network of this package.
    """
    described = network_described(path)
    try:
        network: Any = built(described)
    except UserError as error:
        raise UserError(f"{Path(path).with_suffix('.json')} cannot be used: {error}") from error
    return checked_network(network)


def network_described(path: str | Path) -> dict[str, Any]:
    """Return class and arguments of the network of a weight file, from ``model.json`` beside it.

    Raises:
        AbsentError: there is no description of these weights.
        UserError: it is of another version.
    """
    if not Path(path).is_file():
        raise AbsentError(f"The weights {path} do not exist; check the path.")
    facts = description_of(path)
    if "network" not in facts:
        raise AbsentError(
            f"No {Path(path).with_suffix('.json')} describes the network of {path}; give it, for example --network_def "
            '\'{"_target_": "monai_sg.networks.genesis_unet.GenesisUNet", "spatial_dims": 3, "width": 32}\'.'
        )
    return dict(facts["network"])


def settings_of(path: str | Path) -> dict[str, Any]:
    """Return ids of a config with the values that weights were made with, as far as their description says it.

    They are arguments of the network, what is segmented, and the preprocessing.
    """
    facts = description_of(path)
    own = {name: facts[name] for name in SETTINGS if name in facts}
    return {**arguments_of(facts.get("network", {})), **own, **facts.get("preprocessing", {})}


def encoder_settings(path: str | Path) -> dict[str, Any]:
    """Return ids of a config with the values that build the encoder of weights, whatever goes in and comes out.

    They are ``spatial_dims``, ``width`` and the like; nothing where no description says them.
    """
    described = arguments_of(description_of(path).get("network", {}))
    return {name: value for name, value in described.items() if name not in ENDS}


def crop_spacing(path: str | Path, spacing: Sequence[float] | None = None) -> list[float]:
    """Return the spacing in mm at which pre-trained weights saw their crops.

    Args:
        path: the weights.
        spacing: is returned if given.

    Returns:
        mm per axis; nothing where neither ``spacing`` nor a description says it.
    """
    return list(spacing or settings_of(path).get("crop_spacing") or [])
