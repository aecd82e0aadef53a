import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evaluation.stats.intervals import Estimate
from evaluation.stats.paired import (
    PairCounts,
    count_pairs,
    difference_of_proportions,
    holm,
    mcnemar,
    needed_pairs,
    permutation,
    ratio_of_proportions,
)

counts = st.builds(PairCounts, *(st.integers(0, 60) for _ in range(4)))


def swapped(c: PairCounts) -> PairCounts:
    return PairCounts(c.both, c.only_base, c.only_candidate, c.neither)


def test_airway_example_has_the_published_intervals():
    # Bentur et al. 2009, as worked by Fagerland, Lydersen and Laake (2013, 2014): Tango, Tang, mid-p
    airway = PairCounts(both=1, only_candidate=1, only_base=7, neither=12)
    difference, ratio = difference_of_proportions(airway), ratio_of_proportions(airway)
    assert (round(difference.low, 3), round(difference.high, 3)) == (-0.517, -0.026)
    assert (round(ratio.low, 3), round(ratio.high, 3)) == (0.065, 0.907)
    assert round(mcnemar(airway), 4) == 0.0391


@given(counts)
def test_swapping_the_arms_flips_the_sign(c):
    forth, back = difference_of_proportions(c), difference_of_proportions(swapped(c))
    assert mcnemar(c) == mcnemar(swapped(c))
    if c.n:
        assert (forth.value, forth.low, forth.high) == pytest.approx((-back.value, -back.high, -back.low), abs=1e-7)
        assert -1 <= forth.low <= forth.value <= forth.high <= 1
    if c.base and c.candidate:
        up, down = ratio_of_proportions(c), ratio_of_proportions(swapped(c))
        assert up.low == pytest.approx(1 / down.high, rel=1e-6)
        assert up.low <= up.value <= up.high


@given(counts, st.integers(1, 500))
def test_identical_pairs_never_change_the_direction(c, more):
    grown = c._replace(both=c.both + more)
    before, after = difference_of_proportions(c), difference_of_proportions(grown)
    assert mcnemar(grown) == mcnemar(c)
    if c.n:
        assert np.sign(before.value) == np.sign(after.value)


@pytest.mark.parametrize(
    ("n", "p", "discordant"), [(30, 0.5, 0.3), (100, 0.8, 0.15), (200, 0.98, 0.03), (60, 0.05, 0.08)]
)
def test_score_intervals_cover(n, p, discordant):
    rng = np.random.default_rng(n)
    both = p - discordant / 2
    draws = rng.multinomial(n, [both, discordant / 2, discordant / 2, 1 - both - discordant], size=1000)
    seen = {tuple(int(x) for x in row) for row in draws}
    inside = {}
    for row in seen:
        difference, ratio = difference_of_proportions(PairCounts(*row)), ratio_of_proportions(PairCounts(*row))
        undefined = ratio.value is None
        inside[row] = (
            difference.low <= 0 <= difference.high,
            undefined or (ratio.low <= 1 and (ratio.high is None or ratio.high >= 1)),
        )
    covered = np.array([inside[tuple(int(x) for x in row)] for row in draws]).mean(axis=0)
    assert (covered >= 0.935).all(), covered  # 0.95 less two standard errors of 1,000 runs


def test_ratio_is_undefined_without_a_success_of_the_base():
    assert ratio_of_proportions(PairCounts(0, 5, 0, 5)).value is None
    never = ratio_of_proportions(PairCounts(0, 0, 5, 5))
    assert never.value == 0.0
    assert never.low == 0.0
    assert never.high < 1


def test_mcnemar_is_the_binomial_test_with_half_the_observed_table():
    for b, c in itertools.product((0, 1, 5, 12), (0, 2, 9)):
        exact = stats.binomtest(b, b + c).pvalue if b + c else 1.0
        expected = exact - stats.binom.pmf(b, b + c, 0.5) if b != c else 1.0
        assert mcnemar(PairCounts(3, b, c, 4)) == pytest.approx(expected)


def test_agrestis_ratings_of_the_prime_minister_have_the_published_interval():
    # Agresti 2002, Categorical Data Analysis, table 10.1: approval fell from 944 to 880 of 1,600. Wald's interval of
    # the fall is 0.021 to 0.059, McNemar's z² is 17.36.
    ratings = PairCounts(both=794, only_candidate=86, only_base=150, neither=570)
    found = difference_of_proportions(ratings)
    assert found.value == pytest.approx(-0.04)
    assert (round(found.low, 3), round(found.high, 3)) == (-0.059, -0.021)
    assert mcnemar(ratings) == pytest.approx(float(stats.chi2.sf(17.36, 1)), rel=0.15)


@pytest.mark.parametrize("n", [30, 100, 300])
@pytest.mark.parametrize("discordant", [0.05, 0.15, 0.4])
def test_equal_arms_differ_by_mcnemar_as_seldom_as_promised(n, discordant):
    wrong = 0.0
    for pairs in range(1, n + 1):
        ahead = np.arange(pairs + 1)
        found = np.array([mcnemar(PairCounts(0, int(a), pairs - int(a), n - pairs)) < 0.05 for a in ahead])
        wrong += float(stats.binom.pmf(pairs, n, discordant) * stats.binom.pmf(ahead, pairs, 0.5)[found].sum())
    assert wrong <= 0.05


def test_permutation_is_scipys_and_holds_its_level():
    rng = np.random.default_rng(3)
    few = rng.normal(0.5, 1, 10)
    exact = stats.permutation_test((few,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert permutation(few) == pytest.approx(exact)
    assert permutation(np.append(few, np.zeros(50))) == permutation(few)
    assert permutation(np.zeros(9)) == 1.0
    assert permutation(np.full(30, 0.1)) == pytest.approx(1e-4)
    shown = sum(permutation(rng.exponential(1, 25) - rng.exponential(1, 25)) < 0.05 for _ in range(200))
    assert shown <= 20


def test_holm():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})


def test_needed_pairs_scales_the_interval():
    # half a width of 0.04 at 100 pairs, 0.02 from the limit: 4 times as many at even odds
    estimate = Estimate(value=0.97, low=0.93, high=1.01, n=100)
    assert needed_pairs(estimate, 0.95, power=0.5) == pytest.approx(300, abs=1)
    assert needed_pairs(estimate, 0.95) > 300
    assert needed_pairs(estimate, 0.97) is None
    assert needed_pairs(Estimate(value=1.0, low=None, high=None, n=1), 0.95) is None


def test_other_values_than_outcomes_are_refused():
    with pytest.raises(ValueError, match="0 or 1"):
        count_pairs(np.array([0.5]), np.array([1.0]))
