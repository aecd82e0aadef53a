"""Every metric, measured by hand; and those of one's own beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evaluation.metrics import METRICS, Direction, Level, measured
from evaluation.outcomes import Outcome, outcome_of
from evaluation.own_metrics import FIELDS, MetricsConfig, OwnMetric, all_metrics, values_of
from evaluation.records import FailureKind, Verdict
from tests.evaluation.ledger.making import example

P, F, N = Verdict.PASSED, Verdict.FAILED, Verdict.NOT_APPLICABLE


def outcome(**fields: Any) -> Outcome:
    whole: dict[str, Any] = {
        "scenario_id": "s",
        "example_id": "e",
        "tool_accuracy": True,
        "exact_calls": True,
        "task_success": False,
        "protocol_clean": True,
        "tokens_in": 90,
        "tokens_out": 10,
        "latency_ms": 300.0,
        "model_calls": 3,
        "cost": 0.5,
        "failure": None,
        "expected_calls": (),
        "given_calls": (),
    }
    return Outcome(**whole | fields)


def of(metric: str, **fields: Any) -> float | None:
    return measured(outcome(**fields)).get(metric)


def test_each_metric_says_all_that_there_is_to_say() -> None:
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.title
        assert metric.unit
        assert metric.source
        assert metric.formula.endswith(".")
        assert metric.direction in Direction
        assert (metric.level is Level.QUANTILE) == (metric.quantile is not None)
        assert metric.figure in METRICS
    assert METRICS["cost"].better(-0.1)
    assert not METRICS["cost"].better(0.1)
    assert METRICS["quality"].better(0.1)
    assert not METRICS["quality"].better(-0.1)


def test_what_was_not_measured_is_left_out_and_never_zero() -> None:
    found = measured(outcome(task_success=None, tool_accuracy=None, model_calls=0))
    assert not {"task_success", "tool_accuracy", "latency_ms", "user_rating", "positive_rate", "quality"} & found.keys()
    assert found["tokens_per_episode"] == 100
    assert found["exact_calls"] == 1.0


def test_latency_is_of_one_call_and_cost_of_the_episode() -> None:
    assert of("latency_ms") == 100.0
    assert of("cost") == 0.5
    assert "latency_p95" not in measured(outcome()), "quantiles are over scenarios, not of one attempt"


@pytest.mark.parametrize(
    ("verdicts", "failure", "completed"),
    [
        ({"answer": P, "world": P, "tool_selection": F}, None, 1.0),
        ({"answer": P, "world": F}, None, 0.0),
        ({"answer": N, "world": N, "stop": N}, None, 1.0),
        ({"answer": P}, FailureKind.MODEL_ERROR, 0.0),
        ({"answer": P}, FailureKind.TOOL_ERROR, 1.0),
    ],
)
def test_a_task_is_completed_by_whatever_way(
    verdicts: dict[str, Verdict], failure: FailureKind | None, completed: float
) -> None:
    assert of("task_completion", verdicts=verdicts, failure=failure) == completed


def test_recovery_and_helpfulness_apply_where_they_were_judged() -> None:
    assert of("recovery_rate") is None
    assert of("recovery_rate", verdicts={"recovery": N}) is None
    assert of("recovery_rate", verdicts={"recovery": F}) == 0.0
    assert of("response_helpfulness", components={"brevity": 1.0}) is None
    assert of("response_helpfulness", components={"helpfulness": 0.5}) == 0.5
    assert of("analysis_relevance", components={"answer_relevance": 0.25}) == 0.25


def test_ratings_are_of_the_rated() -> None:
    assert of("user_rating", rating=3.5) == 3.5
    assert of("positive_rate", rating=3.5) == 0.0
    assert of("positive_rate", rating=4.0) == 1.0


def test_an_example_of_production_is_measured_by_the_same_functions() -> None:
    row = example(1)
    found = outcome_of(None, row)
    assert found.scenario_id == row.id
    assert found.expected_calls == ()
    assert measured(found)["cost"] == row.metrics.cost


def test_expressions_are_metrics_like_others() -> None:
    config = MetricsConfig(
        own={
            "tokens_per_call": OwnMetric(
                expression="tokens_out / model_calls", direction=Direction.LOWER, unit="tokens"
            ),
            "calm": OwnMetric(expression="'!' not in answer", direction=Direction.HIGHER, title="no shouting"),
        }
    )
    metrics = all_metrics(config)
    assert list(metrics)[: len(METRICS)] == list(METRICS)
    found = measured(outcome(tokens_out=12, answer="Yes!"), metrics)
    assert (found["tokens_per_call"], found["calm"]) == (4.0, 0.0)
    assert "tokens_per_call" not in measured(outcome(model_calls=0), metrics)
    assert metrics["calm"].binary
    assert metrics["calm"].title == "no shouting"
    assert not metrics["tokens_per_call"].binary


def test_each_field_of_an_expression_stands_for_something() -> None:
    assert set(values_of(outcome())) == set(FIELDS)


GOOD = """
from evaluation.metrics import Direction, Metric
METRICS = [
    Metric("shouts", "shouts", "Exclamation marks of the answer.", "marks", Direction.LOWER, "the answer",
           lambda o: o.answer.count("!")),
    Metric("brittle", "brittle", "Fails on long answers.", "none", Direction.LOWER, "the answer",
           lambda o: 1 / 0 if len(o.answer) > 20 else 1.0),
]
"""


def test_a_file_adds_metrics_and_one_that_raises_did_not_measure(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(GOOD)
    metrics = all_metrics(MetricsConfig(file=path))
    assert measured(outcome(answer="Ho! Ho!"), metrics)["shouts"] == 2.0
    assert "brittle" not in measured(outcome(answer="x" * 30), metrics)


def test_all_mistakes_come_together(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from evaluation.metrics import *\n"
        "def m(name, f, **more): return Metric(name, name, 'f', 'u', Direction.LOWER, 's', f, **more)\n"
        "METRICS = [m('cost', lambda o: 1), m('Bad Name', lambda o: 1), m('text', lambda o: 'x'),\n"
        "           m('raising', lambda o: o.nothing), m('half', lambda o: 0.5, binary=True),\n"
        "           m('q', lambda o: 1, quantile=1.5, reads='nobody')]\n"
    )
    own = {"broken": OwnMetric(expression="tokens_out /", direction=Direction.LOWER)}
    with pytest.raises(ValueError, match=r"metrics") as caught:
        all_metrics(MetricsConfig(file=path, own=own))
    said = str(caught.value)
    for part in (
        "broken: expected an expression",
        "expected a name that no other metric has, found 'cost'",
        "found 'Bad Name'",
        "text: expected a number, yes or no, or None, found 'x'",
        "raising: expected a function of an outcome, found AttributeError",
        "half: expected yes or no, as it says it is, found 0.5",
        "expected a quantile between 0 and 1, found 1.5",
        "expected `reads` to name a metric, found 'nobody'",
    ):
        assert part in said


@pytest.mark.parametrize(
    ("text", "said"),
    [("METRICS = []", "expected a list METRICS"), ("METRICS = [1]", "expected a list"), ("1 / 0", "ZeroDivisionError")],
)
def test_a_file_without_metrics_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(ValueError, match=said):
        all_metrics(MetricsConfig(file=path))
    with pytest.raises(ValueError, match="found none"):
        all_metrics(MetricsConfig(file=tmp_path / "absent.py"))
