"""What came of one attempt: the figures that every metric is made from (`evaluation/metrics.py`).

Decisions: an outcome is made from scenario and example alone, or from the judged episode that the example is made of,
so that what an earlier, interrupted run persisted counts the same as what ran just now. Production has no scenario:
what it would have expected is empty then, and whatever rests on it was not judged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property

from pydantic import Field

from evaluation.examples import Scales, metrics_of, quality_of_episode
from evaluation.quality import QualityScore, quality_of
from evaluation.records import (
    Episode,
    Example,
    FailureKind,
    Message,
    Metrics,
    Record,
    ToolCall,
    Validation,
    Verdict,
)
from evaluation.scenarios import ExpectedCall, Scenario
from evaluation.validators import exact_calls, protocol_clean, task_success, tool_accuracy

NOT_THE_MODELS_END = frozenset({FailureKind.MODEL_ERROR, FailureKind.AGENT_ERROR, FailureKind.USER_ERROR})
"""An attempt that ended in one of these did not come to an end of its own."""


NO_TOOL = "no tool"
"""Stands where a tool's name would, and none was expected or called."""


class Outcome(Record):
    """What came of one attempt at one scenario."""

    scenario_id: str
    example_id: str
    tool_accuracy: bool | None
    exact_calls: bool | None
    task_success: bool | None
    protocol_clean: bool | None
    verdicts: dict[str, Verdict] = Field(default_factory=dict)
    """By validator."""
    quality: float | None = None
    """Response quality, 0 to 5."""
    components: dict[str, float] = Field(default_factory=dict)
    """Of the quality, by name, 0 to 1; those that apply."""
    rating: float | None = None
    """Mean rating by users, 1 to 5; None where there is none."""
    tokens_in: int
    tokens_out: int
    latency_ms: float
    """Of all model calls together."""
    model_calls: int
    cost: float
    """In the currency of the price table."""
    failure: FailureKind | None
    """The first one."""
    query: str = ""
    answer: str = ""
    """The last message's text; empty where the attempt ended in a call."""
    expected_calls: tuple[ExpectedCall, ...]
    given_calls: tuple[ToolCall, ...]

    @cached_property
    def passed(self) -> dict[str, bool]:
        """Whether each validation that applies passed."""
        judged = {name: verdict for name, verdict in self.verdicts.items() if verdict is not Verdict.NOT_APPLICABLE}
        return {name: verdict is Verdict.PASSED for name, verdict in judged.items()}


def outcome_of(scenario: Scenario | None, example: Example) -> Outcome:
    """Return the outcome that the example records; `scenario` is None for one that no scenario asked for.

    Success that the asking side reported stands in where no validator judged.
    """
    kind = example.error.partition(":")[0] if example.error else None
    given = len(scenario.prompt) if scenario is not None else _given(example.messages)
    found = _outcome(
        scenario,
        example.id,
        example.messages[given:],
        example.validations,
        metrics=example.metrics,
        failure=FailureKind(kind) if kind else None,
        query=example.query,
        quality=QualityScore(value=example.labels.response_quality, components=quality_of(example).components),
        rating=example.labels.user_satisfaction,
    )
    reported = example.labels.success if scenario is None and found.task_success is None else None
    return found if reported is None else found.model_copy(update={"task_success": reported})


def outcome_of_episode(
    scenario: Scenario, episode: Episode, validations: Sequence[Validation], scales: Scales
) -> Outcome:
    """Return the outcome of a judged episode. Raises `LookupError` where the model has no price."""
    return _outcome(
        scenario,
        episode.id,
        episode.messages[episode.given :],
        validations,
        metrics=metrics_of(episode, scales.prices),
        failure=episode.failures[0].kind if episode.failures else None,
        query=scenario.query,
        quality=quality_of_episode(scenario, episode, validations, scales.quality),
        rating=None,
    )


def _outcome(
    scenario: Scenario | None,
    id: str,
    own: Sequence[Message],
    validations: Sequence[Validation],
    *,
    metrics: Metrics,
    failure: FailureKind | None,
    query: str,
    quality: QualityScore,
    rating: float | None,
) -> Outcome:
    last = own[-1] if own else None
    return Outcome(
        scenario_id=scenario.id if scenario is not None else id,
        example_id=id,
        tool_accuracy=tool_accuracy(validations),
        exact_calls=exact_calls(validations),
        task_success=task_success(validations),
        protocol_clean=protocol_clean(validations),
        verdicts={v.name: v.verdict for v in validations},
        quality=quality.value,
        components={name: value for name, value in quality.components.items() if value is not None},
        rating=rating,
        tokens_in=metrics.tokens_in,
        tokens_out=metrics.tokens_out,
        latency_ms=metrics.latency_ms,
        model_calls=metrics.model_calls,
        cost=metrics.cost,
        failure=failure,
        query=query,
        answer=last.content if last is not None and last.role == "assistant" and not last.tool_calls else "",
        expected_calls=scenario.expected.calls if scenario is not None else (),
        given_calls=tuple(call for message in own for call in message.tool_calls),
    )


def _given(messages: Sequence[Message]) -> int:
    """Return how many messages there were before the first answer to the last question asked beforehand."""
    return next((at for at, message in enumerate(messages) if message.role == "assistant"), len(messages))


def failures_by_kind(outcomes: Iterable[Outcome]) -> dict[FailureKind, int]:
    """Count episodes by their first failure."""
    return dict(Counter(outcome.failure for outcome in outcomes if outcome.failure is not None))
