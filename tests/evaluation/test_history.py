from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.history import Asked, History, basis, history
from evaluation.ledger import Observation
from evaluation.marks import MarkKind, Reign, Trail
from evaluation.metrics import METRICS
from evaluation.production import gather
from evaluation.records import Example
from tests.cluster.history_making import request
from tests.evaluation.seen import at, event, observation, promoted

SUCCESS = {"task_success": METRICS["task_success"]}
TRAIL = Trail(rollouts=[promoted("agent:2", "agent:1", 40)], events=[event("agent:2", 40)], champion="agent:2")


def told(seen: list[Observation], served: list[Example] | None = None, trail: Trail = TRAIL, **fields: Any) -> History:
    asked = Asked(SUCCESS, at(200))._replace(**fields)
    return history(seen, gather(served or [], SUCCESS, asked.now), trail, asked)


def served(days: int, *, begin: int = 0, version: str = "agent:2", fall: float = 0.0, noise: int = 3) -> list[Example]:
    lot = np.random.default_rng(noise)
    return [
        request(
            (begin + day) * 100 + n, at(begin + day + n / 100), version, success=bool(lot.random() < 0.9 - fall * day)
        )
        for day in range(days)
        for n in range(40)
    ]


def test_days_in_use_come_first_then_the_same_scenarios_then_one_origin() -> None:
    same = [observation(0.5, day) for day in range(6)]
    apart = [observation(0.5, day + 0.5, suite_digest=f"x{day}", origin="test") for day in range(9)]
    days = [observation(0.5, day + 0.2, suite_digest="", origin="production") for day in range(5)]
    reigned = [Reign("agent:1", None)]
    for seen, words in (
        (same + apart + days, "5 days in use"),
        (same + apart, "6 measurements on the same scenarios"),
        (apart, "9 measurements on 9 different sets of scenarios"),
        (apart[:1], "1 measurement on the same scenarios"),
    ):
        assert words in basis(seen, reigned).what
    assert basis([], reigned).points == ()


def test_a_promotion_is_a_change_with_its_mark_and_no_slope_of_the_champion() -> None:
    use = [*served(40, version="agent:1", fall=0.01), *served(40, begin=40)]
    found = told([], use).metrics[0]
    assert any(mark.kind is MarkKind.PROMOTED for change in found.changes for mark in change.near)
    assert {one.subject for one in found.ahead.points} == {"agent:2"}
    assert found.lately is not None
    assert found.lately.per_week.low is not None
    assert found.lately.per_week.high is not None
    assert found.lately.per_week.low <= 0 <= found.lately.per_week.high


def test_a_forecast_rests_on_the_present_champion() -> None:
    use = [*served(40, version="agent:1", noise=1), *served(40, begin=40, fall=0.01)]
    found = told([], use, floors={"task_success": 0.3}, now=at(80)).metrics[0]
    assert found.floor is not None
    assert found.floor.low is not None
    assert found.floor.high is not None
    assert found.floor.low < at(100) < found.floor.high
    assert "agent:2, 40 days in use" in found.ahead.what


def test_figures_and_marks_of_the_future_are_left_out_and_said() -> None:
    seen = [observation(0.5, day) for day in range(8)]
    whole, cut = told(seen, now=at(100)), told(seen, [request(1, at(50), "agent:1")], now=at(4))
    assert whole.notes == ()
    assert len(cut.metrics[0].series[0].points) == 5
    assert cut.marks == ()
    assert cut.notes[0].startswith("3 figures, 1 requests and 1 events bear a time after now")


def test_a_clock_that_was_set_back_is_said() -> None:
    events = [event("agent:2", 41, "started", 1), event("agent:2", 40, "promoted", 2)]
    assert "set back" in told([observation(0.5, 1)], trail=TRAIL._replace(events=events)).notes[0]


def test_order_does_not_matter() -> None:
    seen = [observation(0.5 + day / 100, day, f"agent:{1 + day // 4}") for day in range(8)]
    use = served(12)
    assert told(seen, use) == told(seen[::-1], use[::-1])


def test_days_limit_all_but_the_improvement() -> None:
    seen = [observation(0.5, 1), observation(0.7, 39, "agent:2"), observation(0.7, 150, "agent:2")]
    found = told(seen, since=at(100))
    assert [series.version for series in found.metrics[0].series] == ["agent:2"]
    assert found.marks == ()
    assert found.metrics[0].improvement.lines[0].version == "agent:1"


def test_one_version_or_task_key_can_be_asked_for() -> None:
    seen = [observation(0.5, 1), observation(0.7, 2, "agent:2"), observation(0.1, 3, "agent:2", task_key="planner")]
    by_version, by_key = told(seen, version="agent:2"), told(seen, task_key="planner")
    assert [series.version for series in by_version.metrics[0].series] == ["agent:2"]
    assert [mark.version for mark in by_version.marks] == ["agent:2"]
    assert [point.value for series in by_key.metrics[0].series for point in series.points] == [0.1]


def test_without_any_champion_the_most_measured_version_is_followed() -> None:
    seen = [observation(0.5, day, "other") for day in range(6)] + [observation(0.9, 9, "rare")]
    found = told(seen, trail=Trail()).metrics[0]
    assert {one.subject for one in found.basis.points} == {"other"}
    assert found.slope.reason == ""
    assert "no version" in found.improvement.reason


def test_what_production_comes_to_now_stands_for_what_was_kept_of_it() -> None:
    use = served(3)
    kept = [one.model_copy(update={"value": 0.0}) for one in gather(use, SUCCESS).observations()]
    points = told(kept, use).metrics[0].series[0].points
    assert len(points) == 3
    assert all(point.value > 0 for point in points)


def test_a_budget_is_told_where_it_is_asked_for() -> None:
    found = told([], served(10), budget=100.0, now=at(10))
    assert found.budget is not None
    assert math.isclose(found.budget.spent, 0.4)
    assert told([], served(3)).budget is None


def test_nothing_gives_an_empty_history() -> None:
    assert told([], trail=Trail()).metrics == ()


def season(day: float) -> float:
    return 0.7 + 0.1 * math.sin(2 * math.pi * day / 7)


@pytest.mark.parametrize("floor", [0.1, 0.7, 2.0])
@pytest.mark.parametrize(
    "values",
    [
        {day: season(day) for day in range(60)},
        dict.fromkeys(range(60), 0.5),
        {day * day: 0.5 for day in range(12)},
        {0: 0.5, 180: 0.6},
        {0: 0.5},
    ],
    ids=["season", "constant", "gaps", "two", "one"],
)
def test_seasonal_constant_and_broken_series_do_no_harm(values: dict[int, float], floor: float) -> None:
    seen = [observation(value, day, suite_digest="", origin="production") for day, value in values.items()]
    found = told(seen, floors={"task_success": floor}).metrics[0]
    assert found.floor is not None
    assert (found.floor.at is None) <= bool(found.floor.reason), "no date without its reason"
    assert History.model_validate_json(told(seen).model_dump_json()) == told(seen)


POINTS = st.lists(
    st.tuples(
        st.floats(-1e6, 1e6),
        st.integers(0, 300),
        st.sampled_from(["agent:1", "agent:2", "other"]),
        st.sampled_from(["production", "compare", "test"]),
        st.sampled_from(["", "a", "b"]),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(POINTS, st.floats(-1e6, 1e6), st.integers(1, 400))
def test_no_series_breaks_it(points: list[tuple[float, int, str, str, str]], floor: float, now: int) -> None:
    seen = [observation(value, day, version, origin=origin, suite_digest=digest)
            for value, day, version, origin, digest in points]  # fmt: skip
    found = told(seen, now=at(now), floors={"task_success": floor})
    for one in found.metrics:
        assert all(point.at <= at(now) for series in one.series for point in series.points)
        forecast = one.floor
        assert forecast is not None
        assert forecast.at is not None or forecast.reason
        ends: list[datetime] = [end for end in (forecast.low, forecast.at, forecast.high) if end is not None]
        assert all(end <= at(now) + timedelta(days=3653) for end in ends)
    assert len(found.metrics) == any(one.at <= at(now) for one in seen)
