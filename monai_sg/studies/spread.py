"""Means and standard deviations, as they are drawn and read."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Return mean and standard deviation, which is 0 for a single value."""
    return mean(values), stdev(values) if len(values) > 1 else 0.0


def spread_text(values: Sequence[float], digits: int, sign: str = "") -> str:
    """Return mean and standard deviation for reading, the mean alone for a single value; ``sign`` may be ``+``."""
    middle, deviation = spread(values)
    return f"{middle:{sign}.{digits}f} ± {deviation:.{digits}f}" if len(values) > 1 else f"{middle:{sign}.{digits}f}"
