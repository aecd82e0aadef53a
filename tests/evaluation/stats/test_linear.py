"""A mean over clusters by Student's t: against scipy, statsmodels' cluster-robust regression, and properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evaluation.stats.intervals import Estimate
from evaluation.stats.linear import linear_mean

ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(-20, 20)), min_size=2, max_size=40)


def test_single_observations_have_students_interval() -> None:
    values = np.array([1.0, 2.0, 4.0, 8.0])
    low, high = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    found = linear_mean(values, np.arange(4))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert linear_mean(values) == found


def test_clusters_have_the_interval_of_statsmodels() -> None:
    # statsmodels 0.15.0: OLS(y, 1).fit(cov_type="cluster", cov_kwds={"groups": g}, use_t=True).conf_int()
    y = np.array([3.1, 2.7, 4.0, 5.2, 4.8, 1.9, 2.2, 6.0, 5.5, 5.9, 3.3, 4.4])
    found = linear_mean(y, np.array([0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 4, 4]))
    assert found.value == pytest.approx(4.083333, abs=1e-6)
    assert (found.low, found.high) == pytest.approx((2.2190119, 5.94765476), abs=1e-6)


@given(ROWS)
def test_swapping_the_arms_flips_the_sign_and_order_does_not_matter(rows: list[tuple[int, int]]) -> None:
    groups, values = np.array([g for g, _ in rows]), np.array([float(v) for _, v in rows])
    found, back = linear_mean(values, groups), linear_mean(-values[::-1], groups[::-1])
    assert found.value == pytest.approx(-(back.value or 0.0), abs=1e-9)
    if found.low is not None:
        assert back.high is not None
        assert found.low == pytest.approx(-back.high, abs=1e-9)
        assert linear_mean(3 * values, groups).low == pytest.approx(3 * found.low, abs=1e-9)


def test_limits_are_cut_off_and_one_cluster_gives_none() -> None:
    found = linear_mean(np.array([1.0, 1.0, 0.0]), np.arange(3), low=0.0, high=1.0)
    assert (found.low, found.high) == (0.0, 1.0)
    one = linear_mean(np.array([1.0, 2.0]), np.array([7, 7]))
    assert one == Estimate(value=1.5, low=None, high=None, n=2)
    assert linear_mean(np.array([]), np.array([], dtype=np.int64)).value is None
    with pytest.raises(ValueError, match="index 0"):
        linear_mean(np.array([math.nan]), np.array([1]))
