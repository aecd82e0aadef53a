"""What examples come to, against counting them by hand."""

from __future__ import annotations

import statistics
from datetime import date, timedelta

import pytest

from evaluation.ledger import ExampleFilter, Ledger
from evaluation.ledger.statistics import imbalance
from evaluation.records import Example, Labels, Metrics, Source
from tests.evaluation.ledger.making import START, Clock, example, feedback


def made(number: int) -> Example:
    base = example(number, source=list(Source)[number % 4], model_version=f"agent:{number % 2}")
    return base.model_copy(
        update={
            "timestamp": START + timedelta(hours=13 * number),
            "task_key": "planner" if number % 3 else "summarizer",
            "tools_used": ((), ("search",), ("search", "book"))[number % 3],
            "error": "tool_error: broke: again" if number % 5 == 0 else None,
            "labels": Labels(response_quality=number / 8 if number % 2 else None, success=number % 2 == 0,
                             validation_confidence=number / 40),
            "metrics": Metrics(latency_ms=number, tokens_in=10, tokens_out=1, cost=0.5, model_calls=1),
        }
    )  # fmt: skip


EXAMPLES = [made(number) for number in range(41)]


@pytest.fixture
def filled(ledger: Ledger, clock: Clock) -> Ledger:
    clock.now = START + timedelta(days=40)
    ledger.add_examples(EXAMPLES)
    for rater, rating in (("a", 1), ("b", 4)):
        ledger.add_feedback(feedback(f"f-{rater}", "e0001", rating, rater=rater))
    ledger.add_feedback(feedback("f-c", "e0002", 5))
    return ledger


def test_counts_and_sums_are_those_of_counting(filled: Ledger) -> None:
    found = filled.statistics()
    assert found.examples == 41
    assert (found.first, found.last) == (START, START + timedelta(hours=13 * 40))
    assert found.shares["task_key"] == {"planner": 27, "summarizer": 14}
    assert found.shares["source"] == {"test": 11, "manual": 10, "production": 10, "synthetic": 10}
    assert found.shares["success"] == {"yes": 21, "no": 20}
    assert found.shares["correct_tool_selection"] == {"none": 41}
    assert found.shares["error_kind"] == {"none": 32, "tool_error": 9}
    assert found.tools == {"search": 27, "book": 13}
    assert found.without_tools == 14
    assert (found.tokens_in, found.tokens_out, found.cost) == (410, 41, 20.5)
    assert found.bytes == sum(len(one.model_dump_json().encode()) for one in EXAMPLES)
    assert filled.database_bytes() > found.bytes


def test_histograms_hold_each_value_once(filled: Ledger) -> None:
    found = filled.statistics()
    rated = {"e0001": 2.5, "e0002": 5.0}
    qualities = [rated.get(one.id, one.labels.response_quality) for one in EXAMPLES]
    known = [quality for quality in qualities if quality is not None]
    assert sum(found.quality.counts) == len(known) == 21
    assert found.quality.missing == 20
    assert found.quality.mean == pytest.approx(statistics.mean(known))
    assert found.quality.counts[0] == sum(value < 0.5 for value in known)
    assert found.quality.counts[-1] == sum(value >= 4.5 for value in known)
    assert found.confidence.counts[-1] == 5  # 0.9 and on, 1.0 among them
    assert found.ratings.counts == (0, 0, 0, 1, 0, 0, 0, 1)
    assert (found.ratings.mean, found.ratings.missing) == (3.75, 39)
    assert found.latency_ms == {"p50": 20, "p90": 36, "p95": 38, "p99": 40}


def test_growth_is_by_day_and_by_week(filled: Ledger) -> None:
    found = filled.statistics()
    days = [one.timestamp.date() for one in EXAMPLES]
    assert found.by_day == {day: days.count(day) for day in sorted(set(days))}
    assert sum(found.by_week().values()) == 41
    assert min(found.by_week()) == date(2025, 12, 29)  # the Monday before the second of January


def test_a_filter_leaves_the_others_out(filled: Ledger) -> None:
    found = filled.statistics(ExampleFilter(task_key="summarizer", min_confidence=0.5, limit=1))
    chosen = [one for one in EXAMPLES if one.task_key == "summarizer" and one.labels.validation_confidence >= 0.5]
    assert found.examples == len(chosen) == 7
    assert found.tools == {}
    assert filled.statistics(ExampleFilter(tool="book", min_rating=4)).ratings.counts[-1] == 1
    nothing = filled.statistics(ExampleFilter(task_key="none"))
    assert (nothing.examples, nothing.first, nothing.latency_ms, nothing.by_day) == (0, None, {}, {})


def test_imbalance_is_nought_for_equal_shares_and_near_one_for_a_single_one() -> None:
    assert imbalance({"a": 5, "b": 5}) == pytest.approx(0)
    assert imbalance({"a": 1_000_000, "b": 1}) == pytest.approx(1, abs=1e-4)
    assert imbalance({"a": 3}) is None
    assert imbalance({}) is None
