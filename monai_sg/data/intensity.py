"""Which intensities become 0 and 1: the same for all images (CT), or chosen for each image (MRI)."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from numbers import Real

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..utils.errors import UserError

HU_AIR = -500.0  # what is below is air, or nothing was measured there
MODES = ("percentile", "zscore")
PERCENTILES = (0.5, 99.5)
QUANTILES = (0.5, 5.0, 50.0, 95.0, 99.5)
DEVIATIONS = 3.0
MOST_VOXELS = 1 << 22

IntensityRange = Sequence[float] | str
Window = tuple[float, float]


def checked_range(intensity_range: IntensityRange) -> Window | str:
    """Return two numbers as floats, or the name of a window per image.

    Raises:
        UserError: it is neither.
    """
    if isinstance(intensity_range, str):
        if intensity_range in MODES:
            return intensity_range
    elif isinstance(intensity_range, Sequence) and len(intensity_range) == 2:
        low, high = list(intensity_range)
        if isinstance(low, Real) and isinstance(high, Real) and low < high:
            return float(low), float(high)
    raise UserError(
        f"intensity_range = {intensity_range!r} is neither two numbers, the lower one first, "
        f"nor one of {', '.join(MODES)}."
    )


def intensity_window(values: NDArray[np.generic], mode: str) -> Window:
    """Return the intensities of one image that become 0 and 1.

    ``percentile`` takes the percentiles 0.5 and 99.5 of the foreground, ``zscore`` its mean - 3 and + 3 standard
    deviations. Foreground is what is above the image's minimum. Of a large image a lattice of at most about 4 million
    voxels is looked at.

    Args:
        values: one channel, ``(*spatial)``; NaN and infinite voxels take no part.
        mode: ``percentile`` or ``zscore``.

    Returns:
        two values, the lower one first; lowest and highest of the image where its foreground has a single value.

    Raises:
        ValueError: all voxels have the same value, or none is finite.
    """
    foreground = _foreground(values)
    if foreground.size:
        if mode == "percentile":
            low, high = np.percentile(foreground, PERCENTILES).tolist()
        else:
            mean, spread = float(foreground.mean()), DEVIATIONS * float(foreground.std())
            low, high = mean - spread, mean + spread
        if low < high:
            return low, high
    finite = values[np.isfinite(values)]
    if not finite.size or finite.min() == finite.max():
        raise UserError("The image has a single value or none that is finite; there is nothing to scale.")
    return float(finite.min()), float(finite.max())


def foreground_quantiles(values: NDArray[np.generic]) -> list[float]:
    """Return the values below which 0.5, 5, 50, 95 and 99.5 % of the foreground lie; see `intensity_window`."""
    foreground = _foreground(values)
    return np.percentile(foreground if foreground.size else values.min(), QUANTILES).tolist()


def _foreground(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return the values above the minimum, of a lattice of a large image."""
    step = ceil((values.size / MOST_VOXELS) ** (1 / values.ndim))
    seen = values[(slice(None, None, step),) * values.ndim]
    seen = seen[np.isfinite(seen)]
    return seen[seen > seen.min()].astype(np.float64) if seen.size else np.zeros(0)


def scaled(image: Tensor, window: Window | tuple[Tensor, Tensor]) -> Tensor:
    """Return an image with ``window``, or one per channel, mapped to [0, 1]; what lies outside is clipped."""
    low, high = window
    return ((image - low) / (high - low)).clamp(0, 1)
