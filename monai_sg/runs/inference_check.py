"""Before weights are used: are images brought to the form that the weights were trained on?"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..weights.description import settings_of

logger = logging.getLogger(__name__)


def check_inference(weights: str | Path, settings: Mapping[str, Any]) -> None:
    """Warn of settings that differ from those in ``model.json`` beside the weights.

    Weights without such a file are taken as they are.

    Args:
        weights: file that will be loaded.
        settings: id to value, such as ``spacing`` and ``structures``.
    """
    trained = settings_of(weights)
    differences = [
        f"{name} was {trained[name]}, is {value}"
        for name, value in settings.items()
        if name in trained and trained[name] != value
    ]
    if differences:
        logger.warning(
            f"{weights} was trained with other settings: {'; '.join(differences)}. Results will be worse than they "
            f"could be, or measure something else; give the settings that {Path(weights).stem}.json names."
        )
