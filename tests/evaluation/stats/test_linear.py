from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evaluation.stats.linear import linear_mean


def test_without_groups_it_is_student_s_interval() -> None:
    values = np.random.default_rng(0).normal(3, 2, 40)
    found = linear_mean(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.value, found.low, found.high) == pytest.approx((values.mean(), expected.low, expected.high))
    own = linear_mean(values, np.arange(40))
    assert (own.low, own.high) == pytest.approx((found.low, found.high))


def test_groups_of_one_size_are_their_means() -> None:
    values = np.random.default_rng(1).normal(size=(12, 5)) + np.random.default_rng(2).normal(size=(12, 1))
    found = linear_mean(values.ravel(), np.repeat(np.arange(12), 5))
    expected = linear_mean(values.mean(axis=1))
    assert (found.value, found.low, found.high) == pytest.approx((expected.value, expected.low, expected.high))
    assert found.n == 60


def test_few_and_bounded() -> None:
    assert linear_mean(np.array([])).value is None
    alone = linear_mean(np.array([1.0, 2.0]), np.zeros(2, dtype=np.int64))
    assert (alone.value, alone.low) == (1.5, None)
    bounded = linear_mean(np.array([0.0, 1.0, 1.0]), low=0.0, high=1.0)
    assert (bounded.low, bounded.high) == (0.0, 1.0)
    with pytest.raises(ValueError, match="expected finite numbers"):
        linear_mean(np.array([np.nan]))
