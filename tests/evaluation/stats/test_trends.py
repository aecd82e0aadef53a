"""Figures over time: against scipy, simulated changes, and series that are short, constant, seasonal or gap-ridden."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from evaluation.stats.intervals import Array
from evaluation.stats.trends import DriftLevel, category_drift, change_points, crossing, drift, trend


def noisy(seed: int, n: int, slope: float = 0.0, noise: float = 0.02) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    times = np.sort(rng.uniform(0, 90, n))
    return times, 0.8 + slope * times + rng.normal(0, noise, n)


def test_the_slope_is_scipys_and_one_bad_day_does_not_move_it() -> None:
    times, values = noisy(0, 40, -0.002)
    found = trend(times[::-1], values[::-1])
    slope, _, low, high = stats.theilslopes(values, times)
    assert (found.slope.value, found.slope.low, found.slope.high) == pytest.approx((slope, low, high))
    assert found.level == pytest.approx(0.8 - 0.002 * times[-1], abs=0.02)
    values[20] = -50
    assert trend(times, values).slope.value == pytest.approx(slope, abs=0.0005)


def test_the_slope_of_the_cloud_seeding_experiment_is_the_published_one() -> None:
    # Hollander and Wolfe 1973, Nonparametric Statistical Methods, 9.1 to 9.3: Theil's estimate is -0.056.
    found = trend(np.arange(1.0, 6.0), np.array([1.26, 1.27, 1.12, 1.16, 1.03]))
    assert found.slope.value == pytest.approx(-0.05625)


def test_a_slope_is_claimed_where_there_is_none_once_in_twenty() -> None:
    wrong = 0
    for seed in range(300):
        found = trend(*noisy(seed, 25)).slope
        assert found.low is not None
        assert found.high is not None
        wrong += not found.low <= 0 <= found.high
    assert wrong <= 30


@pytest.mark.parametrize(
    ("times", "said"),
    [([], "0 observations, 5 are needed"), ([1, 2], "2 observations"), ([3] * 9, "observations at 1 times")],
)
def test_too_little_data_is_said_so(times: list[float], said: str) -> None:
    values = np.linspace(1, 2, len(times))
    found = trend(np.array(times, dtype=float), values)
    assert found.slope.value is None
    assert said in found.reason
    ahead = crossing(np.array(times, dtype=float), values, 0.5, falling=True)
    assert (ahead.day, ahead.reason) == (None, f"too little data: {found.reason}")


def test_two_changes_are_found_where_they_are() -> None:
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(level, 0.05, 40) for level in (0.6, 0.8, 0.7)])
    found = change_points(np.arange(120.0), values)
    assert [point.at for point in found] == [pytest.approx(40, abs=2), pytest.approx(80, abs=3)]
    assert found[0].before.value == pytest.approx(0.6, abs=0.03)
    assert found[1].after.value == pytest.approx(0.7, abs=0.03)
    assert all(point.p_value < 0.01 for point in found)
    # What lies between two changes is the second side of the one and the first of the other.
    assert found[0].after == found[1].before
    assert found[0].after.n == pytest.approx(40, abs=5)


def test_values_of_one_time_have_no_order_that_could_look_like_a_change() -> None:
    rng = np.random.default_rng(2)
    assert change_points(np.zeros(200), rng.normal(0, 1, 200)) == []
    times = np.repeat(np.arange(30.0), 20)
    assert change_points(times, rng.normal(0, 1, 600)) == []
    assert len(change_points(times, rng.normal(0, 1, 600) + 2 * (times >= 15))) == 1


def test_changes_are_claimed_in_noise_as_seldom_as_promised() -> None:
    wrong = sum(bool(change_points(*noisy(seed, 60), alpha=0.05)) for seed in range(100))
    assert wrong <= 14


def test_short_and_constant_series_have_no_change() -> None:
    assert change_points(np.arange(6.0), np.array([0, 0, 0, 1, 1, 1.0])) == []
    assert change_points(np.arange(50.0), np.full(50, 0.3)) == []
    assert change_points(np.array([]), np.array([])) == []


def test_seasons_and_gaps_do_not_break_anything() -> None:
    times = np.concatenate([np.arange(30.0), np.arange(200.0, 260.0)])
    values = 0.8 + 0.05 * np.sin(times * 2 * math.pi / 7)
    found = trend(times, values)
    assert found.slope.value == pytest.approx(0, abs=0.001)
    assert found.days == 259
    change_points(times, values)
    assert crossing(times, values, 0.5, falling=True).day is None or found.slope.value


def test_drift_is_found_and_equal_samples_are_left_in_peace() -> None:
    rng = np.random.default_rng(3)
    reference = rng.normal(0, 1, 2000)
    same, some, much = rng.normal(0, 1, 2000), rng.normal(0.4, 1, 2000), rng.normal(1, 1, 2000)
    assert drift(reference, same).level is DriftLevel.NONE
    assert drift(reference, some).level is DriftLevel.SOME
    found = drift(reference, much)
    assert found.level is DriftLevel.STRONG
    # The index of two normal distributions a unit apart is 1: the sum of both relative entropies.
    assert found.index == pytest.approx(1, abs=0.15)
    assert found.p_value == pytest.approx(float(stats.ks_2samp(reference, much).pvalue))
    small = drift(rng.normal(0, 1, 12), rng.normal(0, 1, 12))
    assert small.level is DriftLevel.NONE
    assert drift(reference, np.array([1.0, 2.0])).level is DriftLevel.UNKNOWN


def test_a_constant_figure_can_drift_too() -> None:
    assert drift(np.zeros(50), np.zeros(50)).level is DriftLevel.NONE
    assert drift(np.zeros(50), np.ones(50)).level is DriftLevel.STRONG


def test_categories_drift() -> None:
    earlier = ["a"] * 500 + ["b"] * 500
    assert category_drift(earlier, ["a"] * 490 + ["b"] * 510).level is DriftLevel.NONE
    found = category_drift(earlier, ["a"] * 200 + ["b"] * 600 + ["c"] * 200)
    assert found.level is DriftLevel.STRONG
    assert (found.reference, found.current) == (1000, 1000)
    assert category_drift(["a"] * 20, ["a"] * 20).level is DriftLevel.NONE
    assert category_drift(["a"], ["b"]).level is DriftLevel.UNKNOWN


def test_when_a_figure_will_meet_its_floor() -> None:
    times, values = noisy(4, 60, -0.002)
    found = crossing(times, values, 0.5, falling=True)
    assert found.low is not None
    assert found.day is not None
    assert found.high is not None
    assert found.low < found.day < found.high
    assert found.day == pytest.approx(150, abs=15)
    spent = crossing(times, times * 2.0, 300.0, falling=False)
    assert spent.day == pytest.approx(150, abs=0.01)


def test_what_cannot_be_foreseen_says_why() -> None:
    times, values = noisy(5, 40, 0.002)
    assert crossing(times, values, 0.5, falling=True).reason == "the figure does not move towards the limit"
    assert crossing(times, values, 2.0, falling=True).reason == "the limit is met already"
    flat = crossing(*noisy(7, 40, -0.00005), 0.5, falling=True)
    assert flat.high is None
    assert flat.reason


@pytest.mark.parametrize("bad", [[math.nan] * 6, [1.0] * 5])
def test_bad_series_are_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        trend(np.arange(6.0), np.array(bad))
