from __future__ import annotations

import math
from datetime import timedelta

import pytest

from evaluation.metrics import METRICS
from evaluation.production import gather
from evaluation.records import Labels, Source
from evaluation.stats.trends import DriftLevel
from tests.cluster.history_making import request
from tests.evaluation.ledger.making import example
from tests.evaluation.seen import START, at

SOME = {name: METRICS[name] for name in ("task_success", "user_rating", "cost", "latency_p95")}


def test_figures_are_by_version_and_day_with_the_reported_outcome() -> None:
    served = [request(n, at(n // 30), "agent:1" if n < 30 else "agent:2", success=n % 3 != 0) for n in range(60)]
    found = [one for one in gather(served, SOME).observations() if one.metric == "task_success"]
    assert [(one.subject, one.origin_id, one.n) for one in found] == [
        ("agent:1", "2026-03-01", 30),
        ("agent:2", "2026-03-02", 30),
    ]
    assert found[0].value == pytest.approx(2 / 3)
    assert found[0].low is not None
    assert found[0].high is not None
    assert found[0].low < 2 / 3 < found[0].high
    assert {one.origin for one in found} == {"production"}


def test_order_and_repetition_change_nothing_and_nothing_else_counts() -> None:
    served = [request(n, at(n // 20), "agent:1", success=n % 4 > 0) for n in range(60)]
    others = [example(n, source=source) for n, source in enumerate((Source.TEST, Source.SYNTHETIC, Source.MANUAL))]
    whole = gather(served, SOME).observations()
    assert gather([*others, *reversed(served), *served], SOME).observations() == whole
    assert len(gather([*served, *served], SOME)) == 60


def test_task_keys_are_told_apart_and_not_counted_twice_in_all() -> None:
    served = [request(n, at(0), "agent:1", key=("a", "b")[n % 2]) for n in range(40)]
    made = gather(served, SOME)
    counted = {key: [one.n for one in made.observations(key) if one.metric == "cost"] for key in ("", "a", "b", "c")}
    assert counted == {"": [40], "a": [20], "b": [20], "c": []}


def test_requests_of_one_conversation_resemble_each_other() -> None:
    apart = [request(n, at(0), "v", success=n % 6 < 3).model_copy(update={"conversation": f"c{n}"}) for n in range(60)]
    together = [one.model_copy(update={"conversation": f"c{n // 3}"}) for n, one in enumerate(apart)]
    widths = []
    for served in (apart, together):
        one = next(o for o in gather(served, SOME).observations() if o.metric == "task_success")
        assert one.low is not None
        assert one.high is not None
        widths.append(one.high - one.low)
    assert widths[1] > 1.4 * widths[0]


def test_ratings_count_where_there_are_some() -> None:
    rated = [request(n, at(0), "v").model_copy(update={"labels": Labels(user_satisfaction=4.0) if n < 5 else Labels()})
             for n in range(20)]  # fmt: skip
    found = {one.metric: one.n for one in gather(rated, SOME).observations()}
    assert found["user_rating"] == 5
    assert "task_success" not in found, "nobody judged, and nobody said"


def test_impossible_figures_are_none_and_the_future_is_counted_apart() -> None:
    odd = request(0, at(0), "v")
    odd = odd.model_copy(update={"metrics": odd.metrics.model_copy(update={"cost": math.inf})})
    made = gather([odd, request(1, at(9), "v")], SOME, until=at(1))
    assert (len(made), made.ahead) == (1, 1)
    assert "cost" not in {one.metric for one in made.observations()}
    assert [spend.cost for spend in made.spending()] == [0.0]


def test_what_users_ask_for_is_compared_by_halves_of_the_days() -> None:
    served = [request(n, at(n / 20), "v", tool="book" if n >= 190 else "search") for n in range(400)]
    found = {one.name: one for one in gather(served, SOME).inputs()}
    assert found["tool asked for"].drift.level is DriftLevel.STRONG
    name, before, after = found["tool asked for"].most[0]
    assert (name, before, after) == ("book", 0.0, 1.0)
    assert found["task key"].drift.level is DriftLevel.NONE
    assert found["query length"].drift.level is DriftLevel.NONE


def test_the_scores_of_both_halves_are_kept() -> None:
    served = [request(n, at(n // 10), "v", success=n < 20) for n in range(40)]
    earlier, later = gather(served, SOME).values("task_success")
    assert (earlier.sum(), later.sum(), len(later)) == (20, 0, 20)


def test_nothing_served_gives_nothing() -> None:
    made = gather([], SOME)
    assert (made.observations(), made.inputs(), made.spending(), len(made)) == ([], (), [], 0)
    one_day = gather([request(0, START + timedelta(hours=1), "v")], SOME)
    assert all(one.drift.level is DriftLevel.UNKNOWN for one in one_day.inputs())
