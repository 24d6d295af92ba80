"""Records that are left out, said in few lines."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

logger = logging.getLogger(__name__)

MOST_IN_FULL = 3
CHANGING = re.compile(r"\[[^]]*\]|\S*/\S+|\d[\d.]*")
"""What differs between like reasons: lists of values, paths, numbers."""


def warn_of(reasons: Mapping[str, str]) -> None:
    """Warn of records that are left out: of like reasons the first three in full, then the names of the others.

    Args:
        reasons: by name, reading well after it.
    """
    groups: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        groups.setdefault(CHANGING.sub("#", reason), []).append(name)
    for names in groups.values():
        for name in names[:MOST_IN_FULL]:
            logger.warning(f"{name} {reasons[name]}; it is left out.")
        if more := names[MOST_IN_FULL:]:
            logger.warning(f"{len(more)} more are left out for a like reason: {', '.join(more)}.")
