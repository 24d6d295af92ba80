from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from monai_sg.studies import paired_statistics
from monai_sg.studies.paired_statistics import (
    bootstrap_interval,
    compare_paired,
    detectable_difference,
    holm,
)

OURS = np.array([[0.80, 0.70, 0.60], [0.90, 0.72, 0.66]])
THEIRS = np.array([[0.70, 0.65, 0.62], [0.74, 0.60, 0.61]])


def test_two_seeds_and_three_cases_by_hand() -> None:
    # Differences .10 .05 -.02 and .16 .12 .05: means of seeds .13/3 and .11, of cases .13, .085, .015.
    found = compare_paired(OURS, THEIRS, ["a", "b"])
    assert found.mean == pytest.approx(0.46 / 6)
    assert (found.seeds, found.cases) == (2, 3)
    assert found.wilcoxon == pytest.approx(0.25)  # all three of one sign: 2 / 2^3
    assert found.welch == pytest.approx(stats.ttest_ind([0.70, 0.76], [1.97 / 3, 0.65], equal_var=False).pvalue)
    assert found.low <= found.mean <= found.high
    assert found.detectable == pytest.approx(detectable_difference(np.std([0.13 / 3, 0.11], ddof=1), 2))


def test_cases_without_a_value_in_any_run_are_left_out() -> None:
    ours, theirs = OURS.copy(), THEIRS.copy()
    ours[0, 1] = np.nan
    found = compare_paired(ours, theirs, ["a", "b"])
    assert found.cases == 2
    assert found.mean == pytest.approx((0.10 - 0.02 + 0.16 + 0.05) / 4)
    with pytest.raises(ValueError, match="nothing to compare"):
        compare_paired(ours * np.nan, theirs, ["a", "b"])
    with pytest.raises(ValueError, match="do not pair"):
        compare_paired(ours[:1], theirs, ["a"])


def test_equal_arms_have_no_difference() -> None:
    found = compare_paired(OURS, OURS, ["a", "b"])
    assert (found.mean, found.low, found.high, found.detectable) == (0, 0, 0, 0)
    assert (found.welch, found.wilcoxon) == (1, 1)


def test_a_single_seed_speaks_of_cases_only() -> None:
    found = compare_paired(OURS[:1], THEIRS[:1], ["a"])
    assert math.isnan(found.welch)
    assert math.isnan(found.detectable)
    assert found.low < found.mean < found.high
    alone = compare_paired(OURS[:1, :1], THEIRS[:1, :1], ["a"])
    assert math.isnan(alone.low)
    assert math.isnan(alone.high)


def test_interval_of_many_cases_is_that_of_scipy() -> None:
    differences = np.random.default_rng(0).exponential(size=400)
    low, high = bootstrap_interval(differences[None], ["a"])
    level = 1 - 2 * stats.norm.cdf(-math.sqrt(400 / 399) * stats.t.ppf(0.975, 399))
    theirs = stats.bootstrap(
        (differences,), np.mean, confidence_level=level, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_interval_of_five_seeds_is_right_as_often_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paired_statistics, "RESAMPLES", 1000)
    generator, right = np.random.default_rng(0), 0
    for trial in range(300):
        differences = generator.normal(0.3, 1, (5, 1)) + generator.normal(0, 0.5, (5, 40))
        low, high = bootstrap_interval(differences, list("abcde"), trial)
        right += low <= 0.3 <= high
    assert 0.91 < right / 300 < 0.985


def test_seeds_that_share_weights_are_drawn_together() -> None:
    # Two files of weights with six seeds each, alike within: as uncertain as two seeds, not as twelve.
    differences = np.repeat([0.0, 1.0], 6)[:, None] + np.zeros((12, 4))
    assert bootstrap_interval(differences, ["a"] * 6 + ["b"] * 6) == (0, 1)
    low, high = bootstrap_interval(differences, list("abcdefghijkl"))
    assert 0 < low < 0.25
    assert 0.75 < high < 1


@pytest.mark.parametrize("seeds", [2, 5, 20])
def test_detectable_difference_is_found_four_times_of_five(seeds: int) -> None:
    difference = detectable_difference(2.0, seeds)
    trials = np.random.default_rng(0).normal(difference, 2.0, (20_000, seeds))
    found = stats.ttest_1samp(trials, 0.0, axis=1).pvalue < 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.01)


def test_holm_by_hand() -> None:
    # Sorted .01 .02 .04: times 3, 2, 1 gives .03 .04 .04.
    assert holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.6, 0.5]) == [1.0, 1.0]  # never below a smaller one
    found = holm([math.nan, 0.02])
    assert math.isnan(found[0])
    assert found[1] == 0.02
