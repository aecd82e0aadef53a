"""Metrics of one's own: expressions in the settings, and a Python file with a `METRICS` list.

Decisions: they stand beside the built-in ones, are measured, compared and gated on like them, and may not take their
names. One that raises on an outcome did not measure it. A file is code and is executed: load only what you trust.
Both kinds are tried on a made-up outcome first, so that most mistakes show before a run.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field

from evaluation.code_files import executed
from evaluation.expressions import Expression, ExpressionError
from evaluation.metrics import METRICS, Coverage, Direction, Metric
from evaluation.outcomes import Outcome
from evaluation.records import Record, ToolCall

_NAME = re.compile(r"[a-z][a-z0-9_]*")

FIELDS: Mapping[str, str] = {
    "answer": "the final message's text",
    "cost": "in the currency of the price table",
    "exact_calls": "yes or no",
    "expected_tools": "names of the tools of the expected calls",
    "failure": "the first failure's kind; an empty text where there is none",
    "helpfulness": "component of the quality, 0 to 1",
    "latency_ms": "of all model calls together",
    "model_calls": "how many",
    "protocol_clean": "yes or no",
    "quality": "0 to 5",
    "query": "what the user asked",
    "rating": "mean rating by users, 1 to 5",
    "relevance": "component of the quality, 0 to 1",
    "task_success": "yes or no",
    "tokens_in": "prompt tokens of all model calls",
    "tokens_out": "output tokens of all model calls",
    "tool_accuracy": "yes or no",
    "tools": "names of the tools that were called, in order",
}
"""What an expression may use."""

_SAMPLE = Outcome(
    scenario_id="sample",
    example_id="sample",
    tool_accuracy=True,
    exact_calls=True,
    task_success=True,
    protocol_clean=True,
    quality=4.0,
    components={"helpfulness": 1.0, "answer_relevance": 0.8},
    rating=4.0,
    tokens_in=100,
    tokens_out=20,
    latency_ms=120.0,
    model_calls=2,
    cost=0.001,
    failure=None,
    query="What is the weather in Oslo?",
    answer="It rains in Oslo.",
    expected_calls=(),
    given_calls=(ToolCall(id="c", name="get_weather", arguments={"city": "Oslo"}),),
)


class OwnMetric(Record):
    """A metric as an expression over the fields of an outcome."""

    expression: str
    """`tokens_out / model_calls`; the fields and functions stand in `ratchet metrics --fields`."""
    direction: Direction
    """`higher` or `lower`: which way is better."""
    title: str = ""
    """In tables; empty: the metric's name."""
    unit: str = ""
    coverage: Coverage = Coverage.EVERY
    """Which scenarios have to have it: `every`, `sampled`, or `where_both`."""
    both_solved: bool = False
    """Compare it only on scenarios that both arms solved."""
    scale: float = Field(default=1.0, gt=0)
    """What tables multiply it by."""


class MetricsConfig(Record):
    """The metrics beside the built-in ones."""

    file: Path | None = None
    """Python file with a `METRICS` list of `evaluation.metrics.Metric`."""
    own: dict[str, OwnMetric] = Field(default_factory=dict)
    """By name."""


def all_metrics(config: MetricsConfig) -> Mapping[str, Metric]:
    """Return the built-in metrics and those of the config, by name. Raises `ValueError` with all that is wrong."""
    found = [_of_expression(name, own) for name, own in config.own.items()]
    mistakes = [one for one in found if isinstance(one, str)]
    metrics = [one for one in found if isinstance(one, Metric)]
    if config.file is not None:
        metrics += _of_file(config.file.expanduser(), mistakes)
    for metric in metrics:
        mistakes += _mistakes(metric, [one.name for one in metrics])
    if mistakes:
        raise ValueError("\n".join(dict.fromkeys(mistakes)))
    return {**METRICS, **{metric.name: guarded(metric) for metric in metrics}}


def values_of(outcome: Outcome) -> dict[str, Any]:
    """Return what the names of `FIELDS` stand for."""
    own = {"helpfulness": outcome.components.get("helpfulness"),
           "relevance": outcome.components.get("answer_relevance"),
           "expected_tools": tuple(call.name for call in outcome.expected_calls),
           "failure": outcome.failure.value if outcome.failure else "",
           "tools": tuple(call.name for call in outcome.given_calls)}  # fmt: skip
    return own | {name: getattr(outcome, name) for name in FIELDS if name not in own}


def _of_expression(name: str, own: OwnMetric) -> Metric | str:
    try:
        expression = Expression(own.expression, FIELDS)
    except ExpressionError as error:
        return f"metrics.own.{name}: {error}"
    return Metric(
        name=name,
        title=own.title or name.replace("_", " "),
        formula=own.expression,
        unit=own.unit or "your own",
        direction=own.direction,
        source="expression in the settings",
        measure=lambda outcome: _number(expression(values_of(outcome))),
        binary=expression.is_truth,
        coverage=own.coverage,
        both_solved=own.both_solved,
        scale=own.scale,
    )


def _of_file(path: Path, mistakes: list[str]) -> list[Metric]:
    try:
        found = getattr(executed(path, "metrics"), "METRICS", None)
    except ValueError as error:
        mistakes.append(f"metrics.file: {error}")
        return []
    if not isinstance(found, list | tuple) or not found or not all(isinstance(one, Metric) for one in found):
        mistakes.append(f"metrics.file: {path}: expected a list METRICS of evaluation.metrics.Metric, found {found!r}")
        return []
    return list(found)


def _mistakes(metric: Metric, names: list[str]) -> Iterator[str]:
    if not _NAME.fullmatch(metric.name):
        yield f"metrics: expected a name in lower case and underscores, found {metric.name!r}"
    if metric.name in METRICS or names.count(metric.name) > 1:
        yield f"metrics: expected a name that no other metric has, found {metric.name!r}"
    if metric.quantile is not None and not 0 < metric.quantile < 1:
        yield f"metrics: {metric.name}: expected a quantile between 0 and 1, found {metric.quantile:g}"
    if metric.reads is not None and metric.reads not in METRICS and metric.reads not in names:
        yield f"metrics: {metric.name}: expected `reads` to name a metric, found {metric.reads!r}"
    try:
        value = metric.measure(_SAMPLE)
    except Exception as error:
        yield f"metrics: {metric.name}: expected a function of an outcome, found {type(error).__name__}: {error}"
        return
    if value is not None and not isinstance(value, int | float):
        yield f"metrics: {metric.name}: expected a number, yes or no, or None, found {value!r}"
    elif value is not None and not 0 <= value < math.inf:
        yield f"metrics: {metric.name}: expected a number of at least 0, found {value} on a sample"
    elif metric.binary and value not in (None, 0, 1):
        yield f"metrics: {metric.name}: expected yes or no, as it says it is, found {value!r}"


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, bool | int | float) else value


def guarded(metric: Metric) -> Metric:
    """Return the metric with a function that never raises: an outcome on which it does was not measured."""
    return replace(metric, measure=functools.partial(_guarded, metric.measure))


def _guarded(measure: Callable[[Outcome], Any], outcome: Outcome) -> float | None:
    try:
        value = measure(outcome)
        return None if value is None else float(value)
    except Exception:
        return None
