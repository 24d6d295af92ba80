"""The boxes of a pattern table."""

from __future__ import annotations

import logging
from typing import cast

from ...utils.errors import UserError
from ..records import PatternTable, checked_split
from .box import Box

logger = logging.getLogger(__name__)


def pattern_boxes(table: PatternTable, split: str = "training") -> list[Box]:
    """Return the boxes of one split with ``label`` and ``scale``, for `ReadBoxd`.

    Where no patient is left for validation the exact training boxes are validated on, and the log says so.

    Raises:
        UserError: for an unknown split, or one without boxes.
    """
    boxes = [cast(Box, dict(row)) for row in getattr(table, checked_split(split))]
    if split == "validation" and not boxes:
        logger.warning(
            "No validation box was found, so the training boxes are validated on: the losses say nothing about other "
            "patients, and early stopping cannot see over-fitting."
        )
        boxes = [cast(Box, dict(row)) for row in table.training if row["scale"] == 1]
    if not boxes:
        raise UserError(
            f"The pattern table has no {split} boxes; give the data list {split} images and discover again."
        )
    return boxes
