"""Quantiles of one arm and of pairs: scipy, a published interval, symmetry, coverage, and too little data."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.stats.mstats import hdquantiles

from evaluation.stats.intervals import BOOTSTRAP_TO, Array, Estimate
from evaluation.stats.quantiles import (
    paired_quantile_difference,
    paired_quantile_ratio,
    paired_quantile_test,
    quantile_interval,
)

PAIRS = st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=6, max_size=30)


def latencies(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """Milliseconds of the same calls in two arms, the second a tenth quicker."""
    shared = rng.gamma(4.0, 25.0, n)
    return shared * rng.gamma(20.0, 1 / 20, n), 0.9 * shared * rng.gamma(20.0, 1 / 20, n)


def columns(rows: list[tuple[int, int]]) -> tuple[Array, Array]:
    both = np.array(rows, dtype=np.float64)
    return both[:, 0], both[:, 1]


def test_a_quantiles_interval_is_scipys() -> None:
    rng = np.random.default_rng(0)
    for n, q in ((10, 0.5), (80, 0.9), (100, 0.95), (300, 0.5)):
        values = rng.gamma(4.0, 25.0, n)
        theirs = stats.quantile_test(values, p=q).confidence_interval(0.95)
        found = quantile_interval(values, q)
        assert (found.low, found.high) == (theirs.low, theirs.high)
        assert found.value == np.quantile(values, q)


def test_the_upper_quartile_has_the_published_interval() -> None:
    # Conover 1999, Practical Nonparametric Statistics, 3.2: 16 tubes; the level that the 9th and 15th reach is 90%.
    tubes = np.array([46.9, 47.2, 49.1, 56.5, 56.8, 59.2, 59.9, 63.2, 63.3, 63.4, 63.7, 64.1, 67.1, 67.7, 73.3, 78.5])
    found = quantile_interval(tubes, 0.75, alpha=0.14)
    assert (found.low, found.high) == (63.3, 73.3)


def test_too_few_values_leave_a_side_open() -> None:
    few = quantile_interval(np.arange(71.0), 0.95)
    assert few.low is not None
    assert few.high is None
    assert quantile_interval(np.arange(72.0), 0.95).high == 71
    assert quantile_interval(np.arange(5.0), 0.5) == Estimate(value=2.0, low=None, high=None, n=5)
    assert quantile_interval(np.array([]), 0.5) == Estimate(value=None, low=None, high=None, n=0)
    assert paired_quantile_difference(np.arange(49.0), np.arange(49.0) + 1, 0.95).low is None
    assert paired_quantile_difference(np.arange(50.0), np.arange(50.0) + 1, 0.95).low is not None
    empty = np.array([]), np.array([])
    assert paired_quantile_difference(*empty, 0.5) == Estimate(value=None, low=None, high=None, n=0)
    assert paired_quantile_ratio(*empty, 0.5).n == 0
    assert paired_quantile_test(*empty, 0.5) == 1.0


@pytest.mark.parametrize("q", [0.5, 0.95])
def test_the_difference_is_that_of_scipys_harrell_davis_estimates(q: float) -> None:
    base, candidate = latencies(np.random.default_rng(1), 120)
    theirs = [float(hdquantiles(side, [q])[0]) for side in (base, candidate)]
    assert paired_quantile_difference(base, candidate, q).value == pytest.approx(theirs[1] - theirs[0])
    assert paired_quantile_ratio(base, candidate, q).value == pytest.approx(theirs[1] / theirs[0])


@given(PAIRS, st.sampled_from([0.5, 0.75]))
def test_swapping_the_arms_flips_the_sign_and_inverts_the_ratio(rows: list[tuple[int, int]], q: float) -> None:
    base, candidate = columns(rows)
    forth, back = paired_quantile_difference(base, candidate, q), paired_quantile_difference(candidate, base, q)
    assert forth.value == -(back.value or 0.0)
    up, down = paired_quantile_ratio(base, candidate, q), paired_quantile_ratio(candidate, base, q)
    if forth.low is not None:
        assert back.high is not None
        assert forth.low == pytest.approx(-back.high, abs=1e-9)
        assert up.low == pytest.approx(1 / (down.high or math.nan))
    assert paired_quantile_test(base, candidate, q) == paired_quantile_test(candidate, base, q)


@given(PAIRS)
def test_a_unit_changes_nothing_but_the_unit(rows: list[tuple[int, int]]) -> None:
    base, candidate = columns(rows)
    one, other = (paired_quantile_difference(k * base, k * candidate, 0.5) for k in (1.0, 1e-3))
    assert one.value == pytest.approx(1e3 * (other.value or 0.0))
    ratios = [paired_quantile_ratio(k * base, k * candidate, 0.5) for k in (1.0, 1e-3)]
    assert ratios[0].low == pytest.approx(ratios[1].low)


def test_the_order_of_pairs_does_not_matter_to_the_figure_and_hardly_to_the_interval() -> None:
    base, candidate = latencies(np.random.default_rng(2), 200)
    order = np.random.default_rng(3).permutation(200)
    one, other = (paired_quantile_difference(*of, 0.9) for of in ((base, candidate), (base[order], candidate[order])))
    assert one.value == other.value
    assert one.low is not None
    assert one.high is not None
    assert other.low == pytest.approx(one.low, abs=0.1 * (one.high - one.low))


@pytest.mark.parametrize(("n", "q"), [(50, 0.5), (50, 0.95), (120, 0.9), (200, 0.95)])
def test_differences_and_ratios_of_latencies_are_covered(n: int, q: float) -> None:
    truth = np.array([float(np.quantile(side, q)) for side in latencies(np.random.default_rng(9), 1_000_000)])
    rng = np.random.default_rng(n)
    runs, differences, ratios = 100, 0, 0
    for _ in range(runs):
        base, candidate = latencies(rng, n)
        difference, ratio = (of(base, candidate, q) for of in (paired_quantile_difference, paired_quantile_ratio))
        assert difference.low is not None
        assert difference.high is not None
        assert ratio.low is not None
        assert ratio.high is not None
        differences += difference.low <= truth[1] - truth[0] <= difference.high
        ratios += ratio.low <= 0.9 <= ratio.high
    # 0.94 less three standard errors of 100 runs.
    assert min(differences, ratios) / runs >= 0.87


@pytest.mark.parametrize("q", [0.5, 0.95])
def test_equal_arms_differ_as_seldom_as_promised_and_unequal_ones_more_often(q: float) -> None:
    rng = np.random.default_rng(4)
    equal, better, runs = 0, 0, 100
    for _ in range(runs):
        base, candidate = latencies(rng, 150)
        equal += paired_quantile_test(base, candidate / 0.9, q) < 0.05
        better += paired_quantile_test(base, candidate, q) < 0.05
    assert equal / runs <= 0.115
    assert better > 3 * equal


def test_many_pairs_give_the_same_in_closed_form_as_the_bootstrap_does() -> None:
    base, candidate = latencies(np.random.default_rng(5), BOOTSTRAP_TO + 1)
    many = paired_quantile_ratio(base, candidate, 0.9)
    fewer = paired_quantile_ratio(base[1:], candidate[1:], 0.9)
    assert many.low == pytest.approx(fewer.low, abs=0.004)
    assert many.high == pytest.approx(fewer.high, abs=0.004)
    assert paired_quantile_test(base, candidate, 0.9) < 1e-6


def test_identical_pairs_do_not_differ() -> None:
    values = np.random.default_rng(6).gamma(4.0, 25.0, 60)
    same = paired_quantile_difference(values, values, 0.5)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    assert paired_quantile_test(values, values, 0.5) == 1.0
    assert paired_quantile_ratio(np.zeros(60), values, 0.5).value is None


def test_other_quantiles_and_what_is_no_pair_are_refused() -> None:
    for q in (0.0, 1.0, math.nan):
        with pytest.raises(ValueError, match="expected a quantile between 0 and 1"):
            quantile_interval(np.ones(3), q)
    with pytest.raises(ValueError, match="expected pairs, found 3 and 2 values"):
        paired_quantile_test(np.ones(3), np.ones(2), 0.5)
    with pytest.raises(ValueError, match="index 0"):
        paired_quantile_difference(np.array([math.inf]), np.ones(1), 0.5)
