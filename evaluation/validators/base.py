"""What a validator is, and the few things that all of them ask of an episode."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from evaluation.records import Episode, FailureKind, ToolCall, Validation, Verdict, stable_id
from evaluation.scenarios import Scenario

Validator = Callable[[Scenario, Episode], Validation]
"""Judges one respect of one episode. Pure; may raise on an episode that it cannot read."""

BROKEN_TOOL = frozenset({FailureKind.TOOL_ERROR, FailureKind.TOOL_TIMEOUT})
"""Failures that are the tool's and not the model's."""


class MadeCall(NamedTuple):
    """A call with what became of it."""

    call: ToolCall
    broke: bool
    """The tool failed; the call itself was a proper one."""

    def repeats(self, other: MadeCall) -> bool:
        """Say whether both ask for the same."""
        return same_call(self.call, other.call)


def same_call(one: ToolCall, other: ToolCall) -> bool:
    """Say whether two calls have the same name and arguments (types count: `True` is not 1)."""
    return one.name == other.name and stable_id(one.arguments) == stable_id(other.arguments)


def made_calls(episode: Episode) -> list[MadeCall]:
    """Return the episode's calls in order, each with whether its tool failed."""
    broken = {(f.turn, f.call_id) for f in episode.failures if f.kind in BROKEN_TOOL}
    own = [message for message in episode.messages[episode.given :] if message.role == "assistant"]
    return [MadeCall(call, (turn, call.id) in broken) for turn, m in enumerate(own) for call in m.tool_calls]


def without_retries(made: list[MadeCall]) -> list[ToolCall]:
    """Return the calls, leaving out each that broke and was made again later."""
    return [m.call for at, m in enumerate(made) if not (m.broke and any(m.repeats(later) for later in made[at + 1 :]))]


def passed(name: str, reason: str, confidence: float = 1.0) -> Validation:
    """Return a validation that passed."""
    return Validation(name=name, verdict=Verdict.PASSED, confidence=confidence, reason=reason)


def failed(name: str, reason: str, confidence: float = 1.0) -> Validation:
    """Return a validation that failed."""
    return Validation(name=name, verdict=Verdict.FAILED, confidence=confidence, reason=reason)


def not_applicable(name: str, reason: str) -> Validation:
    """Return a validation of something that the scenario does not ask for."""
    return Validation(name=name, verdict=Verdict.NOT_APPLICABLE, confidence=1.0, reason=reason)
