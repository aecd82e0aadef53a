from __future__ import annotations

import pytest

from evaluation.figures import summarize
from evaluation.metrics import METRICS
from evaluation.oracle import oracle
from evaluation.outcomes import Outcome, failures_by_kind, outcome_of
from evaluation.records import Example, FailureKind
from tests.evaluation.attempts import BY_ID, call, calling, follow, run, saying
from tests.evaluation.test_examples import example


def outcome(scenario_id: str = "s", **fields) -> Outcome:
    base = outcome_of(
        BY_ID["near_twin"], example(BY_ID["near_twin"], run(BY_ID["near_twin"], oracle(BY_ID["near_twin"])))
    )
    return base.model_copy(update={"scenario_id": scenario_id, "latency_ms": 30.0, "model_calls": 2} | fields)


def test_an_outcome_can_be_made_again_from_the_ledgers_row() -> None:
    one = BY_ID["tool_error"]
    made = example(one, follow(one, calling(call("stock", item="pen")), saying("It failed.")))
    found = outcome_of(one, Example.model_validate_json(made.model_dump_json()))
    assert found == outcome_of(one, made)
    assert (found.tool_accuracy, found.exact_calls, found.task_success) == (True, True, False)
    assert found.failure == FailureKind.TOOL_ERROR
    assert [c.name for c in found.given_calls] == [c.name for c in found.expected_calls] == ["stock"]
    assert failures_by_kind([found, found, outcome()]) == {FailureKind.TOOL_ERROR: 2}


def test_each_measure_has_an_interval_and_says_on_how_many_scenarios_it_rests() -> None:
    made = [outcome(f"s{i}", task_success=i % 4 != 0, tool_accuracy=None) for i in range(40)]
    found = summarize(made)
    assert found.keys() == METRICS.keys()
    share = found["task_success"]
    assert (share.value, share.n) == (0.75, 40)
    assert 0.58 < share.low < 0.62 < 0.85 < share.high < 0.88
    assert (found["tool_accuracy"].value, found["tool_accuracy"].n) == (None, 0)
    assert found["latency_ms"].value == pytest.approx(15)


def test_attempts_at_one_scenario_count_as_one() -> None:
    made = [outcome(f"s{i}", task_success=right) for i in range(10) for right in (True, i < 5)]
    found = summarize(made)["task_success"]
    assert (found.value, found.n) == (0.75, 10)
    assert found.low < 0.75 < found.high


def test_nothing_sums_up_to_no_figure() -> None:
    assert all(metric.value is None and metric.n == 0 for metric in summarize([]).values())
