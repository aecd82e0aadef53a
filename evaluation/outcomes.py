"""The figures of a test run: one `Outcome` per example, and their summary, each figure with its interval.

Decisions: an outcome is made from scenario and example alone, so that what an earlier, interrupted run persisted counts
the same as what ran just now. Shares get an exact interval, means a bootstrap one; several attempts at one scenario
are averaged first, because only scenarios are independent of each other.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from evaluation.examples import metrics_of
from evaluation.pricing import PriceTable
from evaluation.records import Episode, Example, FailureKind, Message, Metrics, Record, ToolCall, Validation
from evaluation.scenarios import ExpectedCall, Scenario
from evaluation.stats.intervals import Estimate, mean_interval, share_interval
from evaluation.validators import exact_calls, protocol_clean, task_success, tool_accuracy


class Outcome(Record):
    """What came of one attempt at one scenario."""

    scenario_id: str
    example_id: str
    tool_accuracy: bool | None
    exact_calls: bool | None
    task_success: bool | None
    protocol_clean: bool | None
    tokens_in: int
    tokens_out: int
    latency_ms: float
    """Of all model calls together."""
    model_calls: int
    cost: float
    failure: FailureKind | None
    """The first one."""
    expected_calls: tuple[ExpectedCall, ...]
    given_calls: tuple[ToolCall, ...]


Measure = Callable[[Outcome], float | None]

MEASURES: dict[str, Measure] = {
    "tool_accuracy": lambda o: o.tool_accuracy,
    "exact_calls": lambda o: o.exact_calls,
    "task_success": lambda o: o.task_success,
    "protocol_clean": lambda o: o.protocol_clean,
    "tokens_per_episode": lambda o: o.tokens_in + o.tokens_out,
    "latency_ms": lambda o: o.latency_ms / o.model_calls if o.model_calls else None,
    "cost": lambda o: o.cost,
}
"""What is measured of each outcome; None where it was not judged. `latency_ms` is per model call."""
SHARES = ("tool_accuracy", "exact_calls", "task_success", "protocol_clean")
"""Measures that are yes or no for one attempt."""


def outcome_of(scenario: Scenario, example: Example) -> Outcome:
    """Return the outcome that the example records."""
    kind = example.error.partition(":")[0] if example.error else None
    own = example.messages[len(scenario.prompt) :]
    failure = FailureKind(kind) if kind else None
    return _outcome(scenario, example.id, own, example.validations, metrics=example.metrics, failure=failure)


def outcome_of_episode(
    scenario: Scenario, episode: Episode, validations: Sequence[Validation], prices: PriceTable
) -> Outcome:
    """Return the outcome of a judged episode. Raises `LookupError` where the model has no price."""
    own = episode.messages[episode.given :]
    failure = episode.failures[0].kind if episode.failures else None
    return _outcome(scenario, episode.id, own, validations, metrics=metrics_of(episode, prices), failure=failure)


def _outcome(
    scenario: Scenario,
    id: str,
    own: Sequence[Message],
    validations: Sequence[Validation],
    *,
    metrics: Metrics,
    failure: FailureKind | None,
) -> Outcome:
    return Outcome(
        scenario_id=scenario.id,
        example_id=id,
        tool_accuracy=tool_accuracy(validations),
        exact_calls=exact_calls(validations),
        task_success=task_success(validations),
        protocol_clean=protocol_clean(validations),
        tokens_in=metrics.tokens_in,
        tokens_out=metrics.tokens_out,
        latency_ms=metrics.latency_ms,
        model_calls=metrics.model_calls,
        cost=metrics.cost,
        failure=failure,
        expected_calls=scenario.expected.calls,
        given_calls=tuple(call for message in own for call in message.tool_calls),
    )


def summarize(outcomes: Iterable[Outcome]) -> dict[str, Estimate]:
    """Return each measure's mean over scenarios with its 95% interval; `n` counts scenarios where it was judged."""
    by_scenario: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_scenario[outcome.scenario_id].append(outcome)
    return {name: _estimate(list(by_scenario.values()), name) for name in MEASURES}


def failures_by_kind(outcomes: Iterable[Outcome]) -> dict[FailureKind, int]:
    """Count episodes by their first failure."""
    return dict(Counter(outcome.failure for outcome in outcomes if outcome.failure is not None))


def _estimate(scenarios: Sequence[Sequence[Outcome]], name: str) -> Estimate:
    measure = MEASURES[name]
    values = [judged for attempts in scenarios if (judged := [v for o in attempts if (v := measure(o)) is not None])]
    means = np.array([statistics.fmean(judged) for judged in values])
    made = np.array([len(judged) for judged in values])
    return share_interval(means, made) if name in SHARES else mean_interval(means)
