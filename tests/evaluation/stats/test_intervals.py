import math

import numpy as np
import pytest
from scipy import stats

from evaluation.stats.intervals import Estimate, log_ratio_interval, mean_interval, share_interval, wilson


def test_an_estimate_has_exactly_the_four_keys():
    assert wilson(1, 2).model_dump_json() == ('{"value":0.5,"low":0.09453120573423074,"high":0.9054687942657693,"n":2}')


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (1, 29), (15, 148), (81, 263), (20, 20)])
def test_wilson_is_scipys(successes, n):
    expected = stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert wilson(successes, n).low == pytest.approx(expected.low, abs=1e-12)
    assert wilson(successes, n).high == pytest.approx(expected.high, abs=1e-12)


def test_wilson_gives_newcombes_published_interval():
    estimate = wilson(81, 263)  # Newcombe 1998, table I, method 3: 0.2553 to 0.3662
    assert (round(estimate.low, 4), round(estimate.high, 4)) == (0.2553, 0.3662)


def test_bca_is_close_to_scipys_for_many_skewed_values():
    values = np.random.default_rng(1).lognormal(0, 1, 400)
    ours = mean_interval(values)
    theirs = stats.bootstrap((values,), np.mean, method="BCa", n_resamples=9999, rng=2).confidence_interval
    width = theirs.high - theirs.low
    assert abs(ours.low - theirs.low) < 0.06 * width
    assert abs(ours.high - theirs.high) < 0.06 * width


def test_few_values_get_students_interval():
    values = np.array([1.0, 2.0, 4.0, 8.0])
    low, high = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    assert mean_interval(values).low == pytest.approx(low)
    assert mean_interval(values).high == pytest.approx(high)


def test_degenerate_data_give_no_invented_interval():
    assert mean_interval(np.array([])) == Estimate(value=None, low=None, high=None, n=0)
    assert mean_interval(np.array([3.0])) == Estimate(value=3.0, low=None, high=None, n=1)
    assert mean_interval(np.full(40, 3.0)) == Estimate(value=3.0, low=3.0, high=3.0, n=40)
    assert log_ratio_interval(np.ones(40), np.zeros(40)).value is None
    assert log_ratio_interval(np.zeros(40), np.ones(40)).value == 0.0
    constant = log_ratio_interval(2 * np.arange(1.0, 41), np.arange(1.0, 41))
    assert constant.low == pytest.approx(2)
    assert constant.high == pytest.approx(2)
    with pytest.raises(ValueError, match="index 1"):
        mean_interval(np.array([1.0, math.nan]))


def test_negated_values_give_the_negated_interval_and_swapped_arms_the_reciprocal():
    rng = np.random.default_rng(5)
    x, y = rng.exponential(1, 80), rng.exponential(2, 80)
    forth, back = mean_interval(x - y), mean_interval(y - x)
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low))
    up, down = log_ratio_interval(x, y), log_ratio_interval(y, x)
    assert (up.low, up.high) == pytest.approx((1 / down.high, 1 / down.low))


@pytest.mark.parametrize("n", [30])
def test_intervals_of_means_and_ratios_cover(n):
    rng = np.random.default_rng(n)
    runs, means, ratios = 200, 0, 0
    for _ in range(runs):
        base = rng.gamma(4.0, 25.0, n)
        candidate = base * 0.9 * rng.gamma(20.0, 1 / 20.0, n)
        difference, ratio = mean_interval(candidate - base), log_ratio_interval(candidate, base)
        means += difference.low <= -10 <= difference.high
        ratios += ratio.low <= 0.9 <= ratio.high
    # 0.95 less three standard errors of 200 runs
    assert means / runs >= 0.90
    assert ratios / runs >= 0.90


def test_a_ratio_that_is_the_same_on_every_pair_has_no_width_however_it_is_rounded():
    for scale in (1e-160, 1e-5, 1.0, 1e5):
        base = scale * np.arange(1, 41) / 3
        ratio = log_ratio_interval(1.1 * base, base)
        assert ratio.value == pytest.approx(1.1)
        assert ratio.low == pytest.approx(1.1)
        assert ratio.high == pytest.approx(1.1)


def test_shares_of_clusters_stay_within_their_bounds_and_are_wilsons_where_each_is_one_or_none() -> None:
    assert share_interval(np.array([1.0, 0, 0, 1])) == wilson(2, 4)
    few = share_interval(np.array([0.5, 0.0]), np.array([2, 2]))
    assert few.low is not None
    assert few.high is not None
    assert 0 <= few.low < 0.25 < few.high <= 1
    assert share_interval(np.array([0.3])).low is None
    with pytest.raises(ValueError, match="expected shares of 0 to 1"):
        share_interval(np.array([1.2]))


def test_shares_of_clusters_are_covered() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(400):
        chances = rng.beta(1.0, 2.0, size=30)  # a third on average, and clusters that differ much
        shares = rng.binomial(4, chances) / 4
        found = share_interval(shares, np.full(30, 4))
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 1 / 3 <= found.high
    assert covered / 400 >= 0.93
