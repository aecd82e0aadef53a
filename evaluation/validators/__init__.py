"""What was right and wrong in an episode: one validation per respect, each with confidence and reason.

Decisions: a validator is a pure function of scenario and episode. One that raises has no say: its validation is "not
applicable" with confidence 0, and the episode gets a `scorer_error`. Success means that all validators that apply
passed. Confidence is how sure a validator is of its verdict: 1 where it compared exactly, less where it read prose.
What a model says as judge (`rubric.py`) stands beside the others and counts towards no success unless asked to.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from evaluation.records import Episode, Failure, FailureKind, Validation, Verdict
from evaluation.scenarios import Scenario
from evaluation.validators.answer import answer
from evaluation.validators.base import Validator
from evaluation.validators.calls import arguments, tool_selection
from evaluation.validators.limits import limits, stop
from evaluation.validators.policy import policy
from evaluation.validators.protocol import protocol
from evaluation.validators.recovery import recovery
from evaluation.validators.world import world

VALIDATORS: dict[str, Validator] = {
    "tool_selection": tool_selection,
    "arguments": arguments,
    "answer": answer,
    "recovery": recovery,
    "protocol": protocol,
    "world": world,
    "policy": policy,
    "limits": limits,
    "stop": stop,
}

ADVISORY = frozenset({"rubric"})
"""Validations that are reported and count towards no success: a model's opinion gates nothing by itself."""


class Judged(NamedTuple):
    """An episode and what was found in it."""

    episode: Episode
    """With one more failure, `scorer_error`, for each validator that raised."""
    validations: tuple[Validation, ...]


def validate(
    scenario: Scenario, episode: Episode, validators: dict[str, Validator] | None = None
) -> tuple[Validation, ...]:
    """Return one validation per validator. Never raises."""
    chosen = VALIDATORS if validators is None else validators
    return tuple(_guarded(name, validator, scenario, episode) for name, validator in chosen.items())


def judge(scenario: Scenario, episode: Episode, validators: dict[str, Validator] | None = None) -> Judged:
    """Validate the episode and record on it which validators raised."""
    validations = validate(scenario, episode, validators)
    turn = max(len(episode.model_calls) - 1, 0)
    errors = tuple(
        Failure(kind=FailureKind.SCORER_ERROR, message=f"{v.name}: {v.reason}", turn=turn)
        for v in validations
        if is_unjudged(v)
    )
    return Judged(
        episode.model_copy(update={"failures": episode.failures + errors}) if errors else episode, validations
    )


def is_unjudged(validation: Validation) -> bool:
    """Say whether the validator raised, so that nothing is known."""
    return validation.verdict == Verdict.NOT_APPLICABLE and validation.confidence == 0


def applicable(validations: Sequence[Validation]) -> list[Validation]:
    """Return the validations that passed or failed."""
    return [v for v in validations if v.verdict != Verdict.NOT_APPLICABLE]


def counted(validations: Sequence[Validation], advisory: Collection[str] = ADVISORY) -> list[Validation]:
    """Return the validations without those that are advice only."""
    return [v for v in validations if v.name not in advisory]


def tool_accuracy(validations: Sequence[Validation]) -> bool | None:
    """Say whether the set of called tools is the expected one; None where that was not judged."""
    return _verdict(validations, "tool_selection")


def exact_calls(validations: Sequence[Validation]) -> bool | None:
    """Say whether names and arguments of all calls are the expected ones; None where that was not judged."""
    return _all([v for v in validations if v.name in ("tool_selection", "arguments")])


def protocol_clean(validations: Sequence[Validation]) -> bool | None:
    """Say whether all output was well-formed; None where that was not judged."""
    return _verdict(validations, "protocol")


def task_success(validations: Sequence[Validation], advisory: Collection[str] = ADVISORY) -> bool | None:
    """Say whether all validations that apply passed; None where none applies or an unjudged one could have failed.

    `advisory`: those that do not count; give fewer to let a model's judgement count, beside others and never alone.
    """
    judged = counted(validations, advisory)
    return _all(judged) if applicable(counted(judged)) else None


def _all(validations: Sequence[Validation]) -> bool | None:
    if any(v.verdict == Verdict.FAILED for v in validations):
        return False
    return True if applicable(validations) and not any(map(is_unjudged, validations)) else None


def _verdict(validations: Sequence[Validation], name: str) -> bool | None:
    return _all([v for v in validations if v.name == name])


def _guarded(name: str, validator: Validator, scenario: Scenario, episode: Episode) -> Validation:
    try:
        return validator(scenario, episode)
    except Exception as error:
        reason = f"the validator raised {type(error).__name__}: {error}"
        return Validation(name=name, verdict=Verdict.NOT_APPLICABLE, confidence=0.0, reason=reason)
