"""`embed.json` with the settings that suit a file of weights: those of the description beside it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..networks.description import arguments_of
from ..utils.bundle_folders import PRETRAINING, bundle_root
from ..utils.files import absolute, read_json
from ..weights.description import description_of, network_described
from .chain import initialised_workflow, places
from .place_check import ARGUMENTS
from .workflow import CheckedWorkflow

logger = logging.getLogger(__name__)

DESCRIBED = ("intensity_range", "spacing", "crop_size", "overview_size")


def encoder_workflow(weights: str, data: str, output: str, overrides: Mapping[str, Any]) -> CheckedWorkflow:
    """Return the initialised `embed.json` for a file of weights.

    The network is the one that the description beside the weights names, or ``network_def`` among the overrides.
    ``intensity_range``, ``spacing``, ``crop_size`` and ``overview_size`` are what the description says, or else the
    defaults of the config.

    Args:
        weights: plain state dict of a network that declares an encoder.
        data: folder with the images.
        output: folder for everything that is written.
        overrides: ids of the config with their values; they win.

    Raises:
        AbsentError: there are no such weights, or neither a description nor ``network_def`` says of what network.
        UserError: the description is of another version or unfit, or an override names no id.
    """
    path = absolute(weights)
    settings = {"weights": str(path), **_axes(path, overrides), **_preprocessing(path)}
    values = {**places(data, output), **_cache_of(path), **settings, **overrides}
    config = bundle_root(PRETRAINING) / "configs" / "embed.json"
    return initialised_workflow([config], values, workflow_type=None)


def _cache_of(path: Path) -> dict[str, str]:
    """Return the cache of the training that left the weights, which may hold the images already."""
    arguments = path.parents[1] / ARGUMENTS
    saved: dict[str, Any] = read_json(arguments) if arguments.is_file() else {}
    if saved.get("ckpt_dir") != str(path.parent) or not Path(saved["cache_dir"]).is_dir():
        return {}
    logger.info(f"Images are cached where the training of the weights cached its own, in {saved['cache_dir']}.")
    return {"cache_dir": saved["cache_dir"]}


def _axes(path: Path, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers of axes and channels of the images that the network takes, as overrides."""
    arguments = arguments_of(overrides.get("network_def") or network_described(path))
    return {name: value for name, value in arguments.items() if name in ("spatial_dims", "in_channels")}


def _preprocessing(path: Path) -> dict[str, Any]:
    """Return the overrides that the description of the weights gives."""
    given: dict[str, Any] = description_of(path).get("preprocessing", {})
    found = {name: given[name] for name in DESCRIBED if given.get(name)}
    if "intensity_range" not in found:
        logger.info(f"No description of {path} says what intensities it was trained on; see --intensity_range.")
    return found
