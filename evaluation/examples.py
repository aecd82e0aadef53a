"""From an episode and its validations to an example: the row that the ledger keeps.

Decisions: pure, and the example's id is the episode's, so that a run that is done again writes the same rows. Quality
is that of `evaluation/quality.py`, as far as it can be told before people rate the answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evaluation.pricing import PriceTable, load_prices
from evaluation.quality import QualityConfig, QualityScore, Response, quality_of_response
from evaluation.records import (
    Episode,
    ErrorRecovery,
    Example,
    FailureKind,
    Labels,
    Message,
    Metrics,
    ModelCall,
    Provenance,
    RecoveryStrategy,
    Source,
    Validation,
)
from evaluation.rewards import RewardConfig, reward
from evaluation.scenarios import Scenario
from evaluation.validators import applicable, counted, is_unjudged, task_success, tool_accuracy

FITTING_STRATEGY: Mapping[FailureKind, RecoveryStrategy] = {
    FailureKind.MODEL_ERROR: RecoveryStrategy.FALLBACK,
    FailureKind.MALFORMED_OUTPUT: RecoveryStrategy.RETRY,
    FailureKind.UNKNOWN_TOOL: RecoveryStrategy.FALLBACK,
    FailureKind.INVALID_ARGUMENTS: RecoveryStrategy.RETRY,
    FailureKind.TOOL_ERROR: RecoveryStrategy.GRACEFUL_FAIL,
    FailureKind.TOOL_TIMEOUT: RecoveryStrategy.RETRY,
    FailureKind.SCORER_ERROR: RecoveryStrategy.GRACEFUL_FAIL,
    FailureKind.AGENT_ERROR: RecoveryStrategy.RETRY,
    FailureKind.USER_ERROR: RecoveryStrategy.GRACEFUL_FAIL,
}
"""What to do after a failure that the scenario says nothing about."""


@dataclass(frozen=True)
class Origin:
    """Where an example comes from, as far as the episode does not know."""

    source: Source = Source.TEST
    model_version: str | None = None
    """The registered version; None: the episode's model."""
    variant: str | None = None
    stage: int | None = None
    parent_id: str | None = None
    """The failed example that this one corrects."""
    user_hash: str | None = None
    conversation: str | None = None


@dataclass(frozen=True)
class Scales:
    """What turns tokens, texts and verdicts into figures."""

    prices: PriceTable = field(default_factory=load_prices)
    rewards: RewardConfig = field(default_factory=RewardConfig)
    quality: QualityConfig = field(default_factory=QualityConfig)


def to_example(
    scenario: Scenario,
    episode: Episode,
    validations: Sequence[Validation],
    *,
    run_id: str,
    origin: Origin | None = None,
    scales: Scales | None = None,
) -> Example:
    """Return the episode as an example. Raises `LookupError` where the price table has no price for the model."""
    origin, scales = origin or Origin(), scales or Scales()
    labels = labels_of(validations)
    if labels.success is not None:  # without a verdict the texts alone would tell, and that is none
        quality = quality_of_episode(scenario, episode, validations, scales.quality).value
        labels = labels.model_copy(update={"response_quality": quality})
    metrics = metrics_of(episode, scales.prices)
    query_at = query_index(episode.messages, episode.given)
    first = episode.failures[0] if episode.failures else None
    return Example(
        id=episode.id,
        task_key=episode.task_key,
        query=episode.messages[query_at].content if query_at is not None else "",
        context=context_of(episode.messages[:query_at]),
        user_hash=origin.user_hash,
        conversation=origin.conversation,
        timestamp=episode.started_at,
        messages=episode.messages,
        tools=episode.tools,
        response=episode.answer,
        error=f"{first.kind.value}: {first.message}" if first else None,
        tools_used=tuple(dict.fromkeys(call.name for call in episode.calls)),
        analysis="\n".join(f"{v.name}: {v.verdict.value} ({v.confidence:.2f}): {v.reason}" for v in validations),
        validations=tuple(validations),
        labels=labels,
        metrics=metrics,
        provenance=_provenance(scenario, episode, run_id, origin),
        reward=reward(labels, metrics, scales.rewards),
        recovery=recovery_of(scenario, episode, labels),
    )


def labels_of(validations: Sequence[Validation]) -> Labels:
    """Return the labels that the validations alone amount to; confidence is 0 where a validator raised.

    Quality is none of them: it needs the whole example.
    """
    counting = counted(validations)
    judged = applicable(counting)
    unjudged = any(map(is_unjudged, counting))
    return Labels(
        correct_tool_selection=tool_accuracy(validations),
        validation_confidence=0.0 if unjudged else min((v.confidence for v in judged), default=0.0),
        success=task_success(validations),
    )


def quality_of_episode(
    scenario: Scenario, episode: Episode, validations: Sequence[Validation], config: QualityConfig
) -> QualityScore:
    """Return the quality of a judged episode with its components."""
    query_at = query_index(episode.messages, episode.given)
    told = Response(
        episode.messages[query_at].content if query_at is not None else "",
        episode.messages,
        episode.answer,
        validations,
        task_success(validations),
        None,
        episode.tokens_out,
    )
    return quality_of_response(told, config=config, expected_tokens=scenario.expected.output_tokens)


def metrics_of(episode: Episode, prices: PriceTable) -> Metrics:
    """Return what the episode took. Raises `LookupError` where the model has no price."""
    return metrics_of_calls(episode.model_calls, episode.model, prices)


def metrics_of_calls(calls: Sequence[ModelCall], model: str, prices: PriceTable) -> Metrics:
    """Return what these calls of a model took. Raises `LookupError` where it has no price."""
    latency_ms = sum(call.latency_ms for call in calls)
    tokens_in, tokens_out = sum(call.tokens_in for call in calls), sum(call.tokens_out for call in calls)
    cached = sum(call.tokens_cached for call in calls)
    return Metrics(
        latency_ms=latency_ms,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cost=prices.cost(tokens_in, tokens_out, model, cached=cached, latency_ms=latency_ms),
        model_calls=len(calls),
        price_version=prices.version,
    )


def query_index(messages: Sequence[Message], given: int = 0) -> int | None:
    """Return where the last user message before the first answer stands; None where there is none.

    Answers among the `given` first messages are part of the task.
    """
    at = None
    for index, message in enumerate(messages):
        if message.role == "assistant" and at is not None and index >= given:
            break
        if message.role == "user":
            at = index
    return at


def context_of(before: Sequence[Message]) -> str:
    """Return the system prompt, and what was said before the query, one `role: text` each."""
    return "\n".join(f"{message.role}: {message.content}" for message in before if message.content)


def recovery_of(scenario: Scenario, episode: Episode, labels: Labels) -> ErrorRecovery | None:
    """Return how the error was, and should have been, met; None where nothing went wrong or was missing."""
    strategy = scenario.expected.recovery
    if not episode.failures and strategy is None:
        return None
    kind = episode.failures[0].kind if episode.failures else None
    reference = scenario.expected.answer.reference if scenario.expected.answer else ""
    said = _said(episode)
    return ErrorRecovery(
        query=scenario.query,
        error_type=kind.value if kind else scenario.kind.value,
        correct_response=said if labels.success else reference or None,
        incorrect_response=said if labels.success is False else None,
        strategy=strategy or (FITTING_STRATEGY[kind] if kind else RecoveryStrategy.GRACEFUL_FAIL),
    )


def _said(episode: Episode) -> str:
    """Return the answer, or the last calls where the episode ended in calls."""
    last = next((m for m in reversed(episode.messages) if m.role == "assistant"), None)
    if episode.answer or last is None:
        return episode.answer
    return "; ".join(f"{call.name}({json.dumps(call.arguments, ensure_ascii=False)})" for call in last.tool_calls)


def _provenance(scenario: Scenario, episode: Episode, run_id: str, origin: Origin) -> Provenance:
    return Provenance(
        source=origin.source,
        scenario_id=scenario.id,
        scenario_group=scenario.group,
        part=scenario.part.value,
        run_id=run_id,
        model_version=origin.model_version or episode.model,
        variant=origin.variant,
        stage=origin.stage,
        seed=episode.seed,
        template_hash=episode.template_hash,
        parent_id=origin.parent_id,
    )
