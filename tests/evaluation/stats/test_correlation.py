"""Rank correlation: published examples, scipy, symmetry, coverage, and what has no coefficient."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evaluation.stats.correlation import rank_correlation
from evaluation.stats.intervals import Array

ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), min_size=4, max_size=40)


def columns(rows: list[tuple[int, int]]) -> tuple[Array, Array]:
    both = np.array(rows, dtype=np.float64)
    return both[:, 0], both[:, 1]


def test_the_published_example_of_ties() -> None:
    # Kendall 1970, Rank Correlation Methods, 3.4 and 3.7: two rankings of ten with ties.
    one = np.array([1, 2.5, 2.5, 4.5, 4.5, 6.5, 6.5, 8, 9.5, 9.5])
    other = np.array([1, 2, 4.5, 4.5, 4.5, 4.5, 8, 8, 8, 10.0])
    found = rank_correlation(one, other)
    assert found.kendall == pytest.approx(0.859, abs=0.0005)
    assert found.spearman.value == pytest.approx(float(stats.spearmanr(one, other).statistic))


def test_the_interval_is_that_of_bonett_and_wright() -> None:
    # Their formula by hand for r = 0.5 and n = 28: atanh(0.5) ± 1.96 √(1.125 / 25).
    order = np.arange(28.0)
    rng = np.random.default_rng(0)
    found = rank_correlation(order, order + rng.normal(0, 12, 28)).spearman
    assert found.value is not None
    half = 1.959964 * math.sqrt((1 + found.value**2 / 2) / 25)
    assert found.low == pytest.approx(math.tanh(math.atanh(found.value) - half), abs=1e-6)
    assert found.high == pytest.approx(math.tanh(math.atanh(found.value) + half), abs=1e-6)


@given(ROWS)
def test_it_is_scipys_whatever_the_order_of_the_two_and_turns_with_one_of_them(rows: list[tuple[int, int]]) -> None:
    one, other = columns(rows)
    found, swapped, turned = rank_correlation(one, other), rank_correlation(other, one), rank_correlation(-one, other)
    if found.reason:
        assert (found.spearman.value, found.kendall) == (None, None)
        return
    assert found.spearman.value is not None
    assert found.spearman.value == pytest.approx(float(stats.spearmanr(one, other).statistic))
    assert found.kendall == pytest.approx(float(stats.kendalltau(one, other).statistic))
    for same, sign in ((swapped, 1), (turned, -1)):
        assert same.spearman.value == pytest.approx(sign * found.spearman.value, abs=1e-9)
    assert turned.spearman.high == pytest.approx(-(found.spearman.low or 0.0), abs=1e-9)
    assert found.spearman.low is not None
    assert found.spearman.high is not None
    assert -1 <= found.spearman.low <= found.spearman.value <= found.spearman.high <= 1


@given(ROWS, st.sampled_from([1e-3, 7.0]))
def test_units_and_the_order_of_things_do_not_matter(rows: list[tuple[int, int]], scale: float) -> None:
    one, other = columns(rows)
    found, again = rank_correlation(one, other), rank_correlation(scale * one[::-1] + 1, other[::-1])
    assert (again.reason, again.n) == (found.reason, found.n)
    assert again.spearman.value == pytest.approx(found.spearman.value)


def test_ratings_that_follow_a_score_loosely_are_covered() -> None:
    def drawn(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
        score = rng.normal(0, 1, n)
        return score, np.clip(np.round(3 + score + rng.normal(0, 0.8, n)), 1, 5)

    truth = rank_correlation(*drawn(np.random.default_rng(1), 200_000)).spearman.value
    assert truth is not None
    rng = np.random.default_rng(2)
    found = [rank_correlation(*drawn(rng, 40)).spearman for _ in range(400)]
    inside = [one.low <= truth <= one.high for one in found if one.low is not None and one.high is not None]
    # 0.95 less and more three standard errors of 400 runs.
    assert len(inside) == 400
    assert 0.917 <= float(np.mean(inside)) <= 0.983


def test_a_perfect_order_has_an_interval_that_is_not_a_point() -> None:
    order = np.arange(12.0)
    same, reverse = rank_correlation(order, order).spearman, rank_correlation(order, -order).spearman
    assert (same.value, same.high, reverse.value, reverse.low) == (1, 1, -1, -1)
    assert same.low is not None
    assert reverse.high == pytest.approx(-same.low)
    assert 0.5 < same.low < 0.9


def test_what_has_no_coefficient_says_why() -> None:
    assert rank_correlation(np.arange(3.0), np.arange(3.0)).reason == "3 pairs, 4 are needed"
    constant = rank_correlation(np.arange(9.0), np.full(9, 5.0))
    assert (constant.spearman.value, constant.kendall) == (None, None)
    assert constant.reason == "the second figure is the same everywhere"
    assert "the first and the second" in rank_correlation(np.ones(9), np.ones(9)).reason
    with pytest.raises(ValueError, match="expected pairs, found 2 and 3 values"):
        rank_correlation(np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match="index 0"):
        rank_correlation(np.array([math.nan]), np.ones(1))
