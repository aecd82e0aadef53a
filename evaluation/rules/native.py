"""Calls by our own rules: what the validators of a test run say of them, without a model and without a run.

Decisions: only what calls can show is judged, which tools were called and with which arguments; an answer was not
recorded. An output that is no list of calls made none.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from evaluation.records import Episode, Message, ModelCall, StopReason, ToolCall, Validation, Verdict
from evaluation.rules.base import VALID, Call, Finding, Ruling, calls_of, invalid
from evaluation.scenarios import Scenario
from evaluation.validators import VALIDATORS, exact_calls, validate
from evaluation.validators.calls import shown

_OF_CALLS = {name: VALIDATORS[name] for name in ("tool_selection", "arguments")}


def judge(scenario: Scenario, output: Any) -> Ruling:
    """Return whether the calls are the expected ones; the error is `format` or a validator's name. Never raises."""
    calls = calls_of(output)
    if calls is None and (scenario.expected.calls or scenario.expected.any_call):
        said = f"expected a list of objects with one key each, {{name: arguments}}, found {shown(output)}"
        return invalid(Finding(error="format", message=said))
    found = validations(scenario, calls or [])
    if exact_calls(found):
        return VALID
    return invalid(*(Finding(error=v.name, message=v.reason) for v in found if v.verdict != Verdict.PASSED))


def validations(scenario: Scenario, calls: list[Call]) -> tuple[Validation, ...]:
    """Return what each validator of calls says of `calls`, with how sure it is."""
    return validate(scenario, _episode(scenario, calls), _OF_CALLS)


def _episode(scenario: Scenario, calls: list[Call]) -> Episode:
    """Return the episode in which a model made `calls` at once, and nothing else."""
    made = tuple(ToolCall(id=f"call_{i}", name=call.name, arguments=call.arguments) for i, call in enumerate(calls))
    return Episode(
        id=scenario.id,
        scenario_id=scenario.id,
        task_key=scenario.task_key,
        messages=(*scenario.messages, Message(role="assistant", tool_calls=made)),
        tools=(),
        given=len(scenario.messages),
        model_calls=(ModelCall(latency_ms=0, tokens_in=0, tokens_out=0, finish="tool_calls" if made else "stop"),),
        stop_reason=StopReason.CALLED if made else StopReason.ANSWERED,
        seed=0,
        model="recorded",
        started_at=datetime(2000, 1, 1, tzinfo=UTC),
    )
