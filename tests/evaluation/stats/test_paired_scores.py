"""Score intervals of pairs, found again by maximising the likelihood, and laws that all paired figures keep."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar

from evaluation.stats.intervals import log_ratio_interval, mean_interval
from evaluation.stats.paired import (
    PairCounts,
    difference_of_proportions,
    holm,
    permutation,
    ratio_of_proportions,
)

Z = 1.959964
TABLES = [PairCounts(20, 9, 4, 12), PairCounts(3, 1, 7, 12), PairCounts(150, 20, 10, 20), PairCounts(40, 3, 3, 4)]
ROWS = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), min_size=2, max_size=40)


def score_of_difference(table: PairCounts, delta: float) -> float:
    """Score statistic of a difference, the nuisance chance by brute force (Tango 1998, formula 4)."""
    n, b, c = table.n, table.only_candidate, table.only_base

    def unlikely(q: float) -> float:
        return -(b * math.log(q + delta) + c * math.log(q) + (n - b - c) * math.log(1 - 2 * q - delta))

    edges = (max(0.0, -delta) + 1e-12, (1 - delta) / 2 - 1e-12)
    q = minimize_scalar(unlikely, bounds=edges, method="bounded", options={"xatol": 1e-12}).x
    return float((b - c - n * delta) / math.sqrt(n * (2 * q + delta - delta**2)))


def score_of_ratio(table: PairCounts, ratio: float) -> float:
    """Score statistic of a ratio, both nuisance chances by brute force (Tang, Tang and Chan 2003)."""

    def cells(at: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float, float, float]:
        both, only_base = math.exp(at[0]), math.exp(at[1])
        only_candidate = ratio * (both + only_base) - both
        return both, only_candidate, only_base, 1 - both - only_candidate - only_base

    def unlikely(at: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        chances = cells(at)
        if min(chances) <= 0:
            return math.inf
        return -sum(count * math.log(chance) for count, chance in zip(table, chances, strict=True))

    # A start inside: a share of the pairs that the ratio asks for, spread over both kinds of discordance.
    base = min(0.5, 0.5 / ratio)
    start = np.log([base * min(1.0, ratio) * 0.8, base - base * min(1.0, ratio) * 0.8])
    found = minimize(unlikely, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 5000})
    _, only_candidate, only_base, _ = cells(found.x)
    variance = table.n * ratio * (only_candidate + only_base)
    return float((table.candidate - ratio * table.base) / math.sqrt(variance))


@pytest.mark.parametrize("table", TABLES)
def test_the_limits_of_a_difference_are_where_the_score_is_z(table: PairCounts) -> None:
    found = difference_of_proportions(table)
    assert found.low is not None
    assert found.high is not None
    assert score_of_difference(table, found.low) == pytest.approx(Z, abs=1e-4)
    assert score_of_difference(table, found.high) == pytest.approx(-Z, abs=1e-4)


@pytest.mark.parametrize("table", TABLES)
def test_the_limits_of_a_ratio_are_where_the_score_is_z(table: PairCounts) -> None:
    found = ratio_of_proportions(table)
    assert found.low is not None
    assert found.high is not None
    assert score_of_ratio(table, found.low) == pytest.approx(Z, abs=1e-3)
    assert score_of_ratio(table, found.high) == pytest.approx(-Z, abs=1e-3)


def test_holms_adjustment_is_that_of_statsmodels() -> None:
    # statsmodels 0.15.0: multipletests(p, method="holm")[1]
    p_values = {"a": 0.0003, "b": 0.012, "c": 0.04, "d": 0.008, "e": 0.2, "f": 0.011}
    expected = {"a": 0.0018, "b": 0.044, "c": 0.08, "d": 0.04, "e": 0.2, "f": 0.044}
    assert holm(p_values) == pytest.approx(expected)
    assert holm({}) == {}


@settings(deadline=None)
@given(ROWS, st.integers(1, 20))
def test_identical_pairs_never_change_the_direction_and_never_make_means_differ(
    rows: list[tuple[int, int]], more: int
) -> None:
    base, candidate = np.array(rows, dtype=np.float64).T
    grown = [np.concatenate([side, np.full(more, 7.0)]) for side in (base, candidate)]
    moved, after = candidate - base, grown[1] - grown[0]
    assert np.sign(mean_interval(moved).value or 0.0) == np.sign(mean_interval(after).value or 0.0)
    assert permutation(after) == permutation(moved)


@settings(deadline=None)
@given(ROWS, st.sampled_from([1e-3, 40.0]))
def test_means_and_ratios_keep_swaps_units_and_order(rows: list[tuple[int, int]], scale: float) -> None:
    base, candidate = np.array(rows, dtype=np.float64).T
    found, scaled = mean_interval(candidate - base), mean_interval(scale * (candidate - base))
    swapped, turned = mean_interval(base - candidate), mean_interval((candidate - base)[::-1])
    assert found.value == pytest.approx(-(swapped.value or 0.0), abs=1e-9)
    assert found.value == pytest.approx(turned.value, abs=1e-9)
    ratio, inverse = log_ratio_interval(candidate, base), log_ratio_interval(scale * base, scale * candidate)
    assert ratio.value == pytest.approx(1 / (inverse.value or math.nan))
    if found.low is not None and found.high is not None:
        assert scaled.low == pytest.approx(scale * found.low, abs=1e-6 * scale)
        assert swapped.high == pytest.approx(-found.low, abs=1e-6)
        # Bootstraps draw in the order of the data: another order is another draw.
        assert turned.low == pytest.approx(found.low, abs=0.15 * (found.high - found.low) + 1e-9)
    if ratio.low is not None:
        assert inverse.high == pytest.approx(1 / ratio.low, rel=1e-6)
