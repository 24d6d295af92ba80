"""Whether the values of images fit the window that becomes [0, 1], such as HU a window in HU."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from math import floor, log10

import numpy as np

from ..utils.distributed import rank
from ..utils.errors import UserError
from .intensity import Window

logger = logging.getLogger(__name__)

LEAST_FILLED = 0.05
MOST_BEYOND = 2.0
NEVER_IN_HU = -1200.0
HU_WIDTH = 50.0
ALIKE = 4.0
LEAST_COHORT = 3
MAX_NAMED = 20

Quantiles = Sequence[float]
"""The values below which 0.5, 5, 50, 95 and 99.5 % of the foreground of an image lie."""


def why_unfit(quantiles: Quantiles, window: Window) -> str:
    """Return why an image does not fit a window, or ``""``; a reason that reads well after its name.

    It does not where its values leave the window, or fill less than 5 % of it; where none is below 0 although the
    window begins there, as that of HU does; where a window from 0 is exceeded twice over; where what has to be HU goes
    on below air.
    """
    low, high = window
    lowest, dark, _, _, highest = quantiles
    spans = f"has values from {lowest:.4g} to {highest:.4g}"
    filled = (min(highest, high) - max(lowest, low)) / (high - low)
    if filled <= 0:
        return f"{spans}, all outside"
    if filled < LEAST_FILLED:
        return f"{spans}, which fill {filled:.2%} of it"
    if low < 0 <= lowest:
        return f"{spans}, none below 0"
    if low >= 0 and lowest >= 0 and highest > low + MOST_BEYOND * (high - low):
        return f"{spans}, far beyond it"
    if low < 0 < high and high - low > HU_WIDTH and dark < NEVER_IN_HU:
        return f"{spans}, below what HU can be"
    return ""


def check_fit(quantiles: Mapping[str, Sequence[Quantiles]], window: Window) -> None:
    """Warn of the images that do not fit the window, and stop where more than half of them do not.

    Args:
        quantiles: of each channel of each image, by its name.
        window: the intensities that become 0 and 1.

    Raises:
        UserError: more than half of three or more images do not fit; with a window that would.
    """
    reasons = {
        name: reason
        for name, channels in quantiles.items()
        if (reason := next(filter(None, (why_unfit(each, window) for each in channels)), ""))
    }
    if not reasons:
        return
    named = "; ".join(f"{name} {reason}" for name, reason in list(reasons.items())[:MAX_NAMED])
    more = f" and {len(reasons) - MAX_NAMED} more" if len(reasons) > MAX_NAMED else ""
    sentence = (
        f"The values of {len(reasons)} of {len(quantiles)} images do not fit intensity_range "
        f"[{window[0]:g}, {window[1]:g}]: {named}{more}."
    )
    if 2 * len(reasons) > len(quantiles) >= LEAST_COHORT:
        raise UserError(f"{sentence} Give {_proposal([quantiles[name] for name in reasons])}.")
    if rank() == 0:
        logger.warning(
            f"{sentence} Correct or remove them, or give --intensity_range percentile, by which each image has its own."
        )


def _proposal(unfit: Sequence[Sequence[Quantiles]]) -> str:
    """Return the setting that fits images: one window if they are alike, else one for each."""
    ends = np.array([[channels[0][0], channels[0][-1]] for channels in unfit])
    widths = ends[:, 1] - ends[:, 0]
    if widths.max() > ALIKE * widths.min():
        return "--intensity_range percentile, by which each image has its own"
    low, high = np.median(ends, axis=0).tolist()
    low, high = (_round(value) if abs(value) > LEAST_FILLED * (high - low) else 0.0 for value in (low, high))
    return f'--intensity_range "[{low:g},{high:g}]" if that is their unit, or --intensity_range percentile'


def _round(value: float) -> float:
    """Return a value with two figures."""
    return 0.0 if value == 0 else round(value, 1 - floor(log10(abs(value))))
