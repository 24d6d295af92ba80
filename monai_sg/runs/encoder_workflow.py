"""Settings that suit a file of weights: from the description beside it, else from the weights themselves."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..networks.encoder_decoder import EncoderDecoder
from ..utils.bundle_folders import PRETRAINING, bundle_root
from ..utils.files import absolute, read_json
from ..weights.description import description_of
from ..weights.inspect import find_tensor
from ..weights.reading import read_weights
from .chain import initialised_workflow, places
from .place_check import ARGUMENTS
from .workflow import CheckedWorkflow

logger = logging.getLogger(__name__)

DESCRIBED = ("intensity_range", "spacing", "crop_size", "overview_size")
FOR_FILMS = {"intensity_range": [0, 255], "crop_size": [64, 64], "overview_size": [128, 128]}


def encoder_workflow(weights: str, data: str, output: str, overrides: Mapping[str, Any]) -> CheckedWorkflow:
    """Return the initialised `embed.json` for a file of weights.

    Number of axes and width are those of the weights. ``intensity_range``, ``spacing``, ``crop_size`` and
    ``overview_size`` are what the description beside the weights says, or else the defaults of the config.

    Args:
        weights: plain state dict with an encoder of this package.
        data: folder with the images.
        output: folder for everything that is written.
        overrides: ids of the config with their values; they win.

    Raises:
        FileNotFoundError: there are no such weights.
        ValueError: the weights hold no encoder of this package, or an override names no id.
    """
    path = absolute(weights)
    settings = {"network::path": str(path), **_shape_of(path), **_described(path)}
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


def _described(path: Path) -> dict[str, Any]:
    """Return the overrides that the description of the weights gives."""
    given: dict[str, Any] = description_of(path).get("preprocessing", {})
    found = {name: given[name] for name in DESCRIBED if given.get(name)}
    if "intensity_range" not in found:
        logger.info(f"No description of {path} says what intensities it was trained on; see --intensity_range.")
    return found


def _shape_of(path: Path) -> dict[str, Any]:
    """Return the overrides that the weights themselves give."""
    key = f"{EncoderDecoder.stem_key}.weight"
    stem = find_tensor(read_weights(path), key)
    if stem is None or stem.dim() not in (4, 5):
        raise ValueError(
            f"{path} has no {key} of a convolution, so it holds no encoder of this package; "
            "`monai-sg weights inspect FILE` says what it holds."
        )
    dims = stem.dim() - 2
    return {"width": stem.shape[0], "spatial_dims": dims, **(FOR_FILMS if dims == 2 else {})}
