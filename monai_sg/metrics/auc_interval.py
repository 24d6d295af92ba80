"""How far an area under the ROC curve may be from the one of other patients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..utils.seeds import seed_for

RESAMPLES = 1000
AT_ONCE = 1 << 22
"""Numbers that are held at once while resampling."""


class Interval(NamedTuple):
    """An area under the ROC curve, and the central 95 % of those of resampled patients."""

    auc: float
    low: float
    high: float


def auc_intervals(
    probability: NDArray[np.floating],
    label: NDArray[np.integer],
    patients: Sequence[str],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[list[Interval], Interval]:
    """Resample patients with replacement, all images of a patient together, and give percentile intervals.

    Args:
        probability: ``(N, C)``.
        label: ``(N, C)``, 0 or 1.
        patients: patient of each image (N).
        resamples: number of resamples.
        seed: of the draws.

    Returns:
        the interval of each class, NaN where the images have no positives or no negatives; and that of the mean over
        the classes that have both, in each resample those of them that have both in it.
    """
    weights = _weights(patients, resamples, seed)
    whole = np.ones((1, len(label)), dtype=weights.dtype)
    drawn = np.stack([weighted_auc(p, g, weights) for p, g in zip(probability.T, label.T, strict=True)])
    values = np.stack([weighted_auc(p, g, whole) for p, g in zip(probability.T, label.T, strict=True)])[:, 0]
    each = [_interval(value, row) for value, row in zip(values, drawn, strict=True)]
    known = np.isfinite(values)
    if not known.any():
        return each, Interval(np.nan, np.nan, np.nan)
    return each, _interval(values[known].mean(), _known_means(drawn[known]))


def _weights(patients: Sequence[str], resamples: int, seed: int) -> NDArray[np.float32]:
    """Return how often each image (N) is drawn in each resample (R)."""
    names, index = np.unique(np.asarray(patients), return_inverse=True)
    generator = np.random.default_rng(seed_for(seed, "bootstrap"))
    counts = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    return counts[:, index].astype(np.float32)


def weighted_auc(
    probability: NDArray[np.floating], label: NDArray[np.integer], weights: NDArray[np.float32]
) -> NDArray[np.float64]:
    r"""Return :math:`\sum_{i \in P, j \in N} w_i w_j ([p_i > p_j] + [p_i = p_j] / 2) / (\sum_P w_i \sum_N w_j)`.

    Args:
        probability: (N).
        label: (N), 0 or 1.
        weights: ``(R, N)``, how often each image counts.

    Returns:
        (R), NaN where a resample has no positives or no negatives.
    """
    _, tie = np.unique(probability, return_inverse=True)
    order = np.argsort(tie, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(tie[order]) > 0])
    positive = label[order] > 0
    rows = max(1, AT_ONCE // max(1, len(order)))
    parts = [_auc_of(weights[start : start + rows, order], positive, starts) for start in range(0, len(weights), rows)]
    return np.concatenate(parts)


def _auc_of(weights: NDArray[np.float32], positive: NDArray[np.bool_], starts: NDArray[np.intp]) -> NDArray[np.float64]:
    """Work out `weighted_auc` of images in the order of their probability; ``starts`` are the first of each value."""
    positives = np.add.reduceat(weights * positive, starts, axis=1, dtype=np.float64)
    negatives = np.add.reduceat(weights * ~positive, starts, axis=1, dtype=np.float64)
    below = np.cumsum(negatives, axis=1) - negatives / 2
    pairs = positives.sum(1) * negatives.sum(1)
    with np.errstate(invalid="ignore"):
        return np.where(pairs > 0, (positives * below).sum(1) / pairs, np.nan)


def _known_means(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the classes of each resample that are numbers."""
    known = np.isfinite(drawn)
    count = known.sum(0)
    total = np.where(known, drawn, 0.0).sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _interval(value: float, drawn: NDArray[np.float64]) -> Interval:
    known = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or not len(known):
        return Interval(float(value), np.nan, np.nan)
    low, high = np.percentile(known, (2.5, 97.5))
    return Interval(float(value), float(low), float(high))
