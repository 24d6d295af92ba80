"""Before weights are used: are images brought to the form that the weights were trained on?"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..utils.files import read_json
from .workflow import check_command_line

logger = logging.getLogger(__name__)


def check_inference(weights: str | Path, preprocessing: Mapping[str, Any]) -> None:
    """Warn of settings that differ from those in ``model.json`` beside the weights.

    Weights without such a file are taken as they are.

    Args:
        weights: file that will be loaded.
        preprocessing: name to value, such as ``spacing`` and ``intensity_range``.

    Raises:
        ValueError: an override of the command line names no id.
    """
    check_command_line()
    description = Path(weights).with_suffix(".json")
    trained = read_json(description).get("preprocessing", {}) if description.is_file() else {}
    differences = [
        f"{name} was {trained[name]}, is {value}"
        for name, value in preprocessing.items()
        if name in trained and trained[name] != value
    ]
    if differences:
        logger.warning(
            f"{weights} was trained on images of another form: {'; '.join(differences)}. Results will be worse than "
            f"they could be; give the settings that {description.name} names."
        )
