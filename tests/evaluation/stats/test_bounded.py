"""Where few pairs differ, the score interval holds beside the usual one."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.stats.bounded import few_differ, fractions, outer_difference, outer_ratio
from evaluation.stats.intervals import Estimate, log_ratio_interval, mean_interval
from evaluation.stats.paired import count_pairs, difference_of_proportions, ratio_of_proportions


def test_yes_or_no_pairs_are_their_own_fractions() -> None:
    rng = np.random.default_rng(0)
    base, candidate = (rng.random((2, 80)) < 0.7).astype(float)
    counts = fractions(base, candidate, 1.0, 80)
    assert tuple(counts) == pytest.approx(tuple(count_pairs(base, candidate)))


def test_pairs_that_are_all_alike_have_a_width() -> None:
    same = np.full(30, 4.0)
    counts = fractions(same, same, 5.0, 30)
    difference = outer_difference(mean_interval(same - same), counts, 5.0, 0.05)
    score = difference_of_proportions(counts)
    assert score.low is not None
    assert difference.low == pytest.approx(5 * score.low)
    assert (difference.value, difference.low) == (0.0, -(difference.high or 0.0))
    ratio = outer_ratio(log_ratio_interval(same, same), counts, 0.05)
    expected = ratio_of_proportions(counts)
    assert (ratio.low, ratio.high) == pytest.approx((expected.low, expected.high))
    assert (ratio.low or 0) < 0.95


def test_the_outer_of_both_intervals_holds() -> None:
    counts = fractions(np.zeros(20), np.zeros(20), 1.0, 20)
    wide = Estimate(value=0.0, low=-0.9, high=0.9, n=20)
    assert outer_difference(wide, counts, 1.0, 0.05) == wide
    unknown = Estimate(value=0.0, low=None, high=None, n=1)
    assert outer_difference(unknown, counts, 1.0, 0.05).low is not None


def test_groups_that_differ_are_counted_once() -> None:
    moved = np.r_[np.zeros(50), np.ones(60)]
    assert few_differ(moved, np.r_[np.arange(50), np.repeat(np.arange(50, 60), 6)])
    assert not few_differ(moved, np.arange(110))
