"""Observations in groups: what single observations give, textbook formulas for groups, and coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evaluation.stats.clustered import (
    Groups,
    clustered_log_ratio,
    clustered_mean,
    clustered_permutation,
    clustered_share,
)
from evaluation.stats.intervals import Array, Estimate, log_ratio_interval, mean_interval, proportion, share_interval
from evaluation.stats.paired import permutation

VALUES = st.lists(st.tuples(st.integers(0, 5), st.floats(-10, 10).map(lambda x: round(x, 3))), min_size=2, max_size=40)


def covered(found: Estimate, truth: float) -> bool:
    return found.low is not None and found.high is not None and found.low <= truth <= found.high


@pytest.mark.parametrize("n", [1, 5, 40])
def test_groups_of_one_give_exactly_what_single_observations_give(n: int) -> None:
    rng = np.random.default_rng(n)
    top, bottom = rng.gamma(2.0, 1.0, n), rng.gamma(2.0, 1.0, n)
    alone = rng.permutation(n)
    assert clustered_mean(top, alone, seed=3) == mean_interval(top, seed=3)
    assert clustered_log_ratio(top, bottom, alone, seed=3) == log_ratio_interval(top, bottom, seed=3)
    assert clustered_permutation(top - bottom, alone, seed=3) == permutation(top - bottom, seed=3)
    assert clustered_share(np.round(top / (1 + top)), alone) == share_interval(np.round(top / (1 + top)))


def test_few_groups_have_the_textbooks_interval_of_a_ratio() -> None:
    # Cochran 1977, Sampling Techniques, 6.4, the jackknife in place of the linear variance.
    values, groups = np.array([1.0, 2, 4, 7, 5, 6]), np.array([3, 3, 1, 1, 1, 9])
    found = clustered_mean(values, groups)
    sums, sizes = np.array([3.0, 16, 6]), np.array([2.0, 3, 1])
    left_out = (sums.sum() - sums) / (sizes.sum() - sizes)
    error = math.sqrt(2 / 3 * ((left_out - left_out.mean()) ** 2).sum())
    assert found.value == pytest.approx(25 / 6)
    assert found.n == 6
    assert found.high == pytest.approx(25 / 6 + stats.t.ppf(0.975, 2) * error)


def test_equal_groups_are_their_means() -> None:
    rng = np.random.default_rng(0)
    values, groups = rng.normal(0, 1, (8, 5)), np.repeat(np.arange(8), 5)
    found, means = clustered_mean(values, groups), mean_interval(values.mean(axis=1))
    assert (found.value, found.low, found.high) == pytest.approx((means.value, means.low, means.high))
    assert clustered_permutation(values, groups) == permutation(values.mean(axis=1))


@given(VALUES)
def test_swapping_the_arms_flips_the_sign(rows: list[tuple[int, float]]) -> None:
    groups, values = np.array([g for g, _ in rows]), np.array([v for _, v in rows])
    forth, back = clustered_mean(values, groups), clustered_mean(-values, groups)
    assert forth.value == pytest.approx(-(back.value or 0.0), abs=1e-9)
    if forth.low is not None:
        assert back.high is not None
        assert forth.low == pytest.approx(-back.high, abs=1e-6)
    assert clustered_permutation(values, groups) == clustered_permutation(-values, groups)


@given(VALUES)
def test_neither_order_within_groups_nor_their_names_matter(rows: list[tuple[int, float]]) -> None:
    groups, values = np.array([g for g, _ in rows]), np.array([v for _, v in rows])
    order = np.lexsort((values, groups))
    one, other = clustered_mean(values[order], groups[order]), clustered_mean(values[order], 100 - groups[order])
    assert one == other
    assert clustered_share(np.abs(values) / 10, groups).low == pytest.approx(
        clustered_share(np.abs(values[order]) / 10, groups[order]).low, abs=1e-9
    )


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_unit_changes_nothing_but_the_unit(scale: float) -> None:
    rng = np.random.default_rng(4)
    values, groups = rng.exponential(1, 60), rng.integers(0, 15, 60)
    one, other = clustered_mean(values, groups), clustered_mean(scale * values, groups)
    assert one.low is not None
    assert other.low == pytest.approx(scale * one.low)
    first, second = clustered_log_ratio(values, values[::-1], groups), clustered_log_ratio(
        scale * values, scale * values[::-1], groups
    )  # fmt: skip
    assert (first.low, first.high) == pytest.approx((second.low, second.high))


def drawn(rng: np.random.Generator, clusters: int) -> tuple[Array, Groups]:
    """Outcomes of groups that differ much, three quarters successes, and their groups."""
    groups = np.repeat(np.arange(clusters), rng.integers(1, 9, clusters))
    return (rng.random(len(groups)) < rng.beta(3, 1, clusters)[groups]).astype(float), groups


def test_a_difference_of_equal_arms_is_found_as_seldom_as_promised_although_groups_resemble() -> None:
    rng = np.random.default_rng(5)
    inside, shares, naive, found, runs = 0, 0, 0, 0, 300
    for _ in range(runs):
        values, groups = drawn(rng, 30)
        shares += covered(clustered_share(values, groups), 0.75)
        which = np.sign(rng.normal(0, 1, 30)[groups] + rng.normal(0, 0.5, len(groups)))
        moved = (rng.random(len(groups)) < 0.3).astype(float) * which
        inside += covered(clustered_mean(moved, groups), 0.0)
        naive += covered(mean_interval(moved), 0.0)
        found += clustered_permutation(moved, groups) < 0.05
    # 0.95 less three standard errors of 300 runs; who takes the scenarios for independent is far below.
    assert min(inside, shares) / runs >= 0.912
    assert found / runs <= 0.088
    assert naive < inside - 10


def test_one_group_or_none_gives_no_interval() -> None:
    one = clustered_mean(np.array([1.0, 2.0]), np.array([4, 4]))
    assert (one.value, one.low, one.high, one.n) == (1.5, None, None, 2)
    assert clustered_share(np.array([1.0, 0.0]), np.array([4, 4])) == Estimate(value=0.5, low=None, high=None, n=2)
    empty = np.array([]), np.array([], dtype=np.int64)
    assert clustered_mean(*empty) == Estimate(value=None, low=None, high=None, n=0)
    assert clustered_share(*empty).n == clustered_log_ratio(empty[0], *empty).n == 0
    assert clustered_permutation(*empty) == 1.0


def test_where_nothing_shows_how_much_groups_differ_a_group_is_one_observation() -> None:
    groups = np.repeat(np.arange(12), 5)
    assert clustered_share(np.ones(60), groups) == proportion(12, 12).model_copy(update={"n": 60})
    assert clustered_share(np.zeros(60), groups).high == proportion(0, 12).high
    same = clustered_share(np.tile([1.0, 0.0, 0.0, 0.0, 0.0], 12), groups)
    assert same.value == pytest.approx(0.2)
    assert same.low is not None
    assert same.low > 0.08


def test_a_ratio_that_is_not_defined_stays_so() -> None:
    groups = np.array([0, 0, 1])
    assert clustered_log_ratio(np.ones(3), np.zeros(3), groups) == Estimate(value=None, low=None, high=None, n=3)


def test_bad_groups_and_values_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a group for each value, found 2 values and 1 groups"):
        clustered_mean(np.ones(2), np.array([1]))
    with pytest.raises(ValueError, match="expected integer codes of groups, found float64"):
        clustered_permutation(np.ones(2), np.array([1.0, 2.0]))
    with pytest.raises(ValueError, match="index 1"):
        clustered_log_ratio(np.array([1.0, math.nan]), np.ones(2), np.array([1, 2]))
    with pytest.raises(ValueError, match="expected values of 0 to 1, found 0 to 2"):
        clustered_share(np.array([0.0, 2.0]), np.array([1, 1]))
