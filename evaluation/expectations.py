"""What a template expects, written out for one scenario: calls, answer and strategy with their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.filling import answer_mistakes, render
from evaluation.located import SuiteError
from evaluation.records import RecoveryStrategy, ToolCall
from evaluation.scenarios import Expected, ExpectedAnswer, ExpectedArgument, ExpectedCall, Kind
from evaluation.templates import PLACEHOLDER, Intent


def expected_of(name: str, intent: Intent, calls: Sequence[ToolCall], values: Mapping[str, Any]) -> Expected:
    """Return what is right. `calls` are filled; `values` holds slots and results; `name` stands in mistakes.

    Raises `SuiteError` where the answer needs a value that there is not, or leaves out what it must state.
    """
    repeats = 1 + (intent.fault.times or 0) if intent.fault else 1
    expected = tuple(
        expected_call(call.name, call.arguments)
        for at, call in enumerate(calls)
        for _ in range(repeats if at == 0 else 1)
    )
    answer = expected_answer(name, intent, rendered(name, intent.answer, values), values)
    return Expected(calls=expected, order=intent.order, answer=answer, recovery=strategy_of(intent))


def strategy_of(intent: Intent) -> RecoveryStrategy | None:
    """Return how what goes wrong has to be met."""
    return intent.recovery or (RecoveryStrategy.CLARIFY if intent.kind == Kind.MISSING_ARGUMENT else None)


def expected_call(name: str, arguments: Mapping[str, Any]) -> ExpectedCall:
    """Return an expected call of which each argument has exactly one value."""
    return ExpectedCall(name=name, arguments={k: ExpectedArgument(any_of=(v,)) for k, v in arguments.items()})


def expected_answer(name: str, intent: Intent, reference: str, values: Mapping[str, Any]) -> ExpectedAnswer | None:
    """Return what the last answer has to say, or None where it is nothing. Raises `SuiteError` as `expected_of`."""
    answer = ExpectedAnswer(
        contains=tuple(dict.fromkeys(text for state in intent.states for text in _stated(name, state, values))),
        any_of=tuple(rendered(name, text, values) for text in intent.accept),
        reference=reference,
    )
    broken = answer_mistakes(answer) if answer.reference else []
    if broken:
        raise SuiteError([f"{name}: expected a reference answer that says {broken}, found {answer.reference!r}"])
    return answer if answer != ExpectedAnswer() else None


def rendered(name: str, text: str, values: Mapping[str, Any]) -> str:
    """Return `text` with slots and results filled in. Raises `SuiteError` naming a placeholder that has no value."""
    return PLACEHOLDER.sub(lambda m: render(_value(name, m[1], values)), text)


def _stated(name: str, state: str, values: Mapping[str, Any]) -> list[str]:
    value = _value(name, state.removeprefix("slot."), values)
    return [render(item) for item in value] if isinstance(value, list) else [render(value)]


def _value(name: str, placeholder: str, values: Mapping[str, Any]) -> Any:
    if placeholder not in values:
        known = ", ".join(sorted(values))
        raise SuiteError(
            [f"{name}: expected {{{placeholder}}} to be a slot or a field of a result, found only: {known}"]
        )
    return values[placeholder]
