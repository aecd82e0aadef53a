from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from evaluation.forecasts import budget_forecast, floor_forecast
from evaluation.ledger import Observation
from tests.evaluation.seen import START, at, observation


def line(slope: float, days: int = 20, noise: float = 0.0) -> list[Observation]:
    lot = np.random.default_rng(1)
    return [observation(0.9 + slope * day + noise * float(lot.normal()), day) for day in range(days)]


def test_a_falling_line_meets_its_floor() -> None:
    found = floor_forecast(line(-0.01), 0.6, at(20), falling=True)
    assert found.at is not None
    assert abs(found.at - at(30)) < timedelta(minutes=1)
    noisy = floor_forecast(line(-0.01, 40, 0.01), 0.4, at(40), falling=True)
    assert noisy.low is not None
    assert noisy.high is not None
    assert noisy.at is not None
    assert noisy.low < noisy.at < noisy.high
    assert noisy.low < at(50) < noisy.high


def test_the_interval_of_a_crossing_holds_it_as_often_as_it_says() -> None:
    lot, held, runs = np.random.default_rng(3), 0, 200
    for _ in range(runs):
        seen = [observation(0.9 - 0.005 * day + 0.02 * float(lot.normal()), day) for day in range(40)]
        found = floor_forecast(seen, 0.6, at(40), falling=True)
        held += found.low is not None and found.low <= at(60) and (found.high is None or at(60) <= found.high)
    assert held / runs >= 0.92


def test_a_slope_that_is_not_clear_may_never_meet_the_floor() -> None:
    lot = np.random.default_rng(2)
    seen = [observation(0.9 - 0.0005 * day + 0.02 * float(lot.normal()), day) for day in range(30)]
    found = floor_forecast(seen, 0.6, at(30), falling=True)
    assert found.high is None
    assert found.low is not None
    assert found.low > at(30)


def test_a_rising_cost_meets_its_ceiling() -> None:
    found = floor_forecast(line(0.01), 1.2, at(20), falling=False)
    assert found.at is not None
    assert abs(found.at - at(30)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("slope", "floor", "said"),
    [(0.01, 0.5, "does not move"), (0.0, 0.5, "does not move"), (-0.01, 0.95, "met already"),
     (-1e-6, 0.5, "ten years")],
)  # fmt: skip
def test_what_is_not_foreseeable_is_said(slope: float, floor: float, said: str) -> None:
    assert said in floor_forecast(line(slope), floor, at(20), falling=True).reason


def test_too_little_data_is_said() -> None:
    assert "too little data" in floor_forecast(line(-0.01, 3), 0.5, at(20), falling=True).reason
    assert "too little data" in floor_forecast([], 0.5, at(20), falling=True).reason


def test_a_line_that_has_met_its_floor_since_the_last_observation_is_told_so() -> None:
    found = floor_forecast(line(-0.01), 0.6, at(60), falling=True)
    assert "by now" in found.reason


def test_a_budget_is_spent_at_the_rate_of_whole_days() -> None:
    first = START.date()
    spending = {first + timedelta(days=n): 2.0 for n in range(10)} | {first + timedelta(days=10): 0.5}
    found = budget_forecast(spending, 40.5, at(10))
    assert (found.spent, found.since, found.per_day.value, found.per_day.n) == (20.5, first, 2.0, 10)
    assert found.forecast.at == found.forecast.low == found.forecast.high == at(20)


def test_days_without_traffic_cost_nothing_and_widen_the_interval() -> None:
    first = START.date()
    spending = {first + timedelta(days=n): 4.0 for n in range(0, 20, 2)}
    found = budget_forecast(spending, 80.0, at(20))
    assert found.per_day.value == 2.0
    forecast = found.forecast
    assert forecast.at == at(40)
    assert forecast.low is not None
    assert forecast.high is not None
    assert forecast.low < at(38) < at(42) < forecast.high


@pytest.mark.parametrize(
    ("spending", "budget", "said"),
    [
        ({}, 5.0, "too little data"),
        ({START.date(): 1.0}, 5.0, "too little data"),
        ({START.date(): 9.0}, 5.0, "spent already"),
        ({START.date(): 0.0}, 5.0, "nothing was spent"),
        ({START.date(): 1e-3}, 5.0, "ten years"),
    ],
)
def test_a_budget_that_cannot_be_foreseen_is_said(spending: dict[date, float], budget: float, said: str) -> None:
    now = at(0) if said == "too little data" else at(30)
    assert said in budget_forecast(spending, budget, now).forecast.reason


def test_costs_in_the_future_are_not_spent() -> None:
    assert budget_forecast({START.date() + timedelta(days=9): 9.0}, 5.0, at(1)).spent == 0


def test_the_budget_interval_holds_the_day_as_often_as_it_says() -> None:
    lot, held, runs = np.random.default_rng(4), 0, 300
    for _ in range(runs):
        costs = lot.gamma(2.0, 1.0, 400)
        spending = {START.date() + timedelta(days=n): float(costs[n]) for n in range(30)}
        found = budget_forecast(spending, 160.0, at(30)).forecast
        day = int(np.searchsorted(np.cumsum(costs), 160.0)) + 1
        assert found.low is not None
        assert found.high is not None
        held += found.low <= at(day) and at(day - 1) <= found.high
    assert held / runs >= 0.92
