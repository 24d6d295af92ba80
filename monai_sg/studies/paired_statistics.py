"""Is one arm better than another? Paired differences over seeds and cases, with what they can and cannot show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

Values = NDArray[np.float64]

ALPHA = 0.05
POWER = 0.8
RESAMPLES = 10_000
QUANTILES = 4096


@dataclass(frozen=True)
class PairedDifference:
    """Mean of ours less theirs over seeds and cases.

    Attributes:
        mean: the difference.
        low: lower end of its 95 % interval.
        high: upper end of it.
        welch: p of Welch's t-test on the means of the seeds, as if the two arms had nothing in common.
        wilcoxon: p of Wilcoxon's signed-rank test on the cases, each averaged over the seeds: it speaks of other
            patients, with these trainings.
        detectable: difference that a paired t-test over as many seeds, spread as these are, finds in 80 % of trials.
        seeds: number of seeds.
        cases: number of cases.
    """

    mean: float
    low: float
    high: float
    welch: float
    wilcoxon: float
    detectable: float
    seeds: int
    cases: int


def compare_paired(ours: Values, theirs: Values, groups: Sequence[str], seed: int = 0) -> PairedDifference:
    """Compare two arms that share seeds and cases.

    Args:
        ours: measure per seed and case ``(seeds, cases)``; cases with a value that is NaN in either arm are left out.
        theirs: of the other arm, in the same order.
        groups: what the seeds that belong together have in common, such as the weights that they start from.
        seed: of the bootstrap.

    Raises:
        ValueError: the shapes differ, or no case is left.
    """
    if ours.shape != theirs.shape or len(groups) != len(ours):
        raise ValueError(
            f"Arms of {ours.shape} and {theirs.shape} seeds and cases in {len(groups)} groups do not pair."
        )
    known = ~np.isnan(ours + theirs).any(0)
    if not known.any():
        raise ValueError("No case has a value in every run of both arms, so there is nothing to compare.")
    ours, theirs = ours[:, known], theirs[:, known]
    differences = ours - theirs
    low, high = bootstrap_interval(differences, groups, seed)
    per_seed, per_case = differences.mean(1), differences.mean(0)
    several = len(per_seed) > 1
    return PairedDifference(
        mean=float(differences.mean()),
        low=low,
        high=high,
        welch=float(stats.ttest_ind(ours.mean(1), theirs.mean(1), equal_var=False).pvalue) if several else nan,
        wilcoxon=float(stats.wilcoxon(per_case).pvalue) if per_case.any() else 1.0,
        detectable=detectable_difference(float(per_seed.std(ddof=1)), len(per_seed)) if several else nan,
        seeds=len(per_seed),
        cases=int(known.sum()),
    )


def bootstrap_interval(differences: Values, groups: Sequence[str], seed: int = 0) -> tuple[float, float]:
    r"""Return a 95 % interval of the mean by drawing groups, their seeds, and cases, each with replacement.

    The percentiles lie further out than 2.5 and 97.5, at :math:`\Phi(\mp\sqrt{n / (n - 1)}\, t_{n - 1})` for n seeds,
    or cases of a single seed; otherwise the interval of a few seeds would be too narrow (Hesterberg, What teachers
    should know about the bootstrap, American Statistician 69 (2015), 371-386, "expanded percentile").

    Args:
        differences: ``(seeds, cases)``, without NaN.
        groups: of each seed.
        seed: of the draws.

    Returns:
        lower and upper end; both NaN where neither seeds nor cases are several.
    """
    seeds, cases = differences.shape
    free = seeds if seeds > 1 else cases
    if free < 2:
        return nan, nan
    generator = np.random.default_rng(seed)
    weights = _seed_weights(groups, generator)
    drawn = generator.multinomial(cases, np.full(cases, 1 / cases), RESAMPLES) / cases
    means = ((weights @ differences) * drawn).sum(1)
    outside = stats.norm.cdf(-sqrt(free / (free - 1)) * stats.t.ppf(1 - ALPHA / 2, free - 1))
    low, high = np.quantile(means, [outside, 1 - outside])
    return float(low), float(high)


def _seed_weights(groups: Sequence[str], generator: np.random.Generator) -> Values:
    """Draw weights ``(resamples, seeds)`` of sum 1: groups with replacement, in each of them seeds with replacement."""
    names = sorted(set(groups))
    members = [np.flatnonzero([name == group for group in groups]) for name in names]
    times = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), RESAMPLES)
    weights = np.zeros((RESAMPLES, len(groups)))
    for own, count in zip(members, times.T, strict=True):
        for draw in range(len(names)):  # each time that the group is drawn, its seeds are drawn anew
            own_times = generator.multinomial(len(own), np.full(len(own), 1 / len(own)), RESAMPLES)
            weights[:, own] += (count > draw)[:, None] * own_times / len(own)
    return weights / len(names)


def detectable_difference(deviation: float, seeds: int) -> float:
    """Return the difference that a two-sided paired t-test at 5 % finds with a power of 80 %.

    Args:
        deviation: standard deviation of the paired differences of the seeds.
        seeds: number of pairs, at least 2.
    """
    quantiles = (np.arange(QUANTILES) + 0.5) / QUANTILES
    limit = stats.t.ppf(1 - ALPHA / 2, seeds - 1) * np.sqrt(stats.chi2.ppf(quantiles, seeds - 1) / (seeds - 1))

    def lacking(effect: float) -> float:
        shift = effect * sqrt(seeds)
        return float((stats.norm.cdf(shift - limit) + stats.norm.cdf(-shift - limit)).mean() - POWER)

    return deviation * float(optimize.brentq(lacking, 0.0, 1000.0))


def holm(values: Sequence[float]) -> list[float]:
    """Adjust p values by Holm's step-down method, so that the chance of any false finding stays at the level; NaN stay.

    Args:
        values: p of each comparison.
    """
    order = sorted((index for index, value in enumerate(values) if not isnan(value)), key=values.__getitem__)
    adjusted, largest = list(values), 0.0
    for step, index in enumerate(order):
        largest = max(largest, min(1.0, values[index] * (len(order) - step)))
        adjusted[index] = largest
    return adjusted
