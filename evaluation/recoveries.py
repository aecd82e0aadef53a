"""Errors inside an example, and how each was met, as far as the example itself shows it. Pure.

Decisions: an error is a call that could not be made or whose result says that it failed, and output that could not be
read. What followed, up to the user's next message, tells how it was met, in this order: the same tool was called again
and worked (retry) · the assistant asked (clarify) · it said that it did not work (graceful_fail) · another tool worked
(fallback). Where nothing of this followed, where the validators found that it was met wrongly, or where anything but
the same tool's success was found in an example that failed, the way is not known, and a person is to be asked; but
where the scenario wants the call again, or an excuse or a question whose wording it gives, it is known from there.
Limits: arguments are held against a tool's schema only where that needs no regular expression and no document from
elsewhere; what a tool's result says is read by its shape (`evaluation/error_shapes.py`); of output that could not be
read only the first is known, since an example keeps its first failure alone; errors of the endpoint are none of the
model's, and left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from evaluation.error_shapes import error_in, kind_of_error, short_error
from evaluation.ledger.collected import RecoveryRecord, RecoveryStatus
from evaluation.protocols.signs import call_sign
from evaluation.records import (
    Example,
    FailureKind,
    Message,
    RecoveryStrategy,
    ToolCall,
    ToolSpec,
    Validation,
    Verdict,
    stable_id,
)
from evaluation.tools.execute import UNUSABLE, argument_mistakes
from evaluation.validators.recovery import NAME, admits, asks

SURENESS: Mapping[RecoveryStrategy, float] = {
    RecoveryStrategy.RETRY: 0.9,
    RecoveryStrategy.CLARIFY: 0.8,
    RecoveryStrategy.GRACEFUL_FAIL: 0.7,
    RecoveryStrategy.FALLBACK: 0.6,
}
"""Confidence in a way that the example shows: a call that was repeated is plain to see, a way round may be chance."""
_UNSAFE = re.compile(r'"(?:pattern|patternProperties|\$dynamicRef|\$ref": "(?!#))')
_LARGEST_SCHEMA = 100_000
"""Characters of a tool's schema that are still used."""
_MOST_OF_AN_ERROR = 4_000
"""Characters of what a tool said that are kept."""
_UNREADABLE = (FailureKind.MALFORMED_OUTPUT, FailureKind.AGENT_ERROR)


class Broken(NamedTuple):
    """An error, and where it stands."""

    kind: FailureKind
    error: str
    turn: int
    """Index of the assistant message."""
    call: ToolCall | None
    """None where the message itself could not be read."""


class Way(NamedTuple):
    """How an error was, or should have been, met."""

    strategy: RecoveryStrategy
    response: str
    confidence: float


def recoveries_of(example: Example) -> list[RecoveryRecord]:
    """Return the errors of an example, in order, each with how it should have been met where that is known.

    Ids depend on the example and the place in it only.
    """
    judged = next((v for v in example.validations if v.name == NAME), None)
    return [
        _record(example, broken, _way(example, broken, judged, first=number == 0))
        for number, broken in enumerate(errors_of(example))
    ]


def errors_of(example: Example) -> list[Broken]:
    """Return the errors of an example, in order."""
    tools = {tool.name: tool for tool in example.tools}
    found = [
        broken
        for turn, message in enumerate(example.messages)
        for call, result in answered(example.messages, turn)
        if (broken := _broken_call(turn, call, result, tools)) is not None
    ]
    unreadable = _unreadable(example, tools)
    if unreadable is not None and not any(_is_its_call(broken) for broken in found):
        found.append(unreadable)
    return sorted(found, key=lambda broken: broken.turn)


def answered(messages: Sequence[Message], turn: int) -> list[tuple[ToolCall, Message | None]]:
    """Return the calls of one message, each with its result where it has one. Ids may come again in later turns."""
    if not messages[turn].tool_calls:
        return []
    results: dict[str | None, Message] = {}
    for message in messages[turn + 1 :]:
        if message.role != "tool":
            break
        results.setdefault(message.tool_call_id, message)
    return [(call, results.get(call.id)) for call in messages[turn].tool_calls]


def written(call: ToolCall) -> str:
    """Return a call as text, `name({…})`, as corrections are written."""
    return f"{call.name}({json.dumps(call.arguments, ensure_ascii=False)})"


def _broken_call(turn: int, call: ToolCall, result: Message | None, tools: Mapping[str, ToolSpec]) -> Broken | None:
    """Return what was wrong with a call: its result says so, or it has none and could not have been made."""
    error = None if result is None else error_in(result.content)
    if result is not None and error is None:
        return None
    if tools and call.name not in tools:
        wrong = error or f"there is no tool {call.name}; the tools are: {', '.join(tools)}"
        return Broken(FailureKind.UNKNOWN_TOOL, wrong, turn, call)
    if mistakes := _mistakes(tools.get(call.name), call):
        wrong = error or f"invalid arguments for {call.name}: {'; '.join(mistakes)}"
        return Broken(FailureKind.INVALID_ARGUMENTS, wrong, turn, call)
    if error is None or result is None:
        return None
    return Broken(kind_of_error(error, result.content), short_error(error), turn, call)


def _mistakes(tool: ToolSpec | None, call: ToolCall) -> list[str]:
    """Return what is wrong with a call's arguments, as far as the tool's schema may be used here.

    Anybody may send a schema, and this is done while an example is written: one that takes a regular expression, or
    looks elsewhere for a part of itself, could take for ever, and one that is broken may raise anything.
    """
    if tool is None or len(schema := json.dumps(tool.parameters)) > _LARGEST_SCHEMA or _UNSAFE.search(schema):
        return []
    try:
        found = argument_mistakes(tool, call.arguments)
    except Exception:
        return []
    return [] if found and found[0].startswith(UNUSABLE) else found


def _unreadable(example: Example, tools: Mapping[str, ToolSpec]) -> Broken | None:
    """Return the message that could not be read: the first that looks like a call and is none, else the last."""
    kind, _, said = (example.error or "").partition(": ")
    if kind not in _UNREADABLE:
        return None
    turns = [(n, message) for n, message in enumerate(example.messages) if message.role == "assistant"]
    if not turns:
        return None
    alike = (n for n, message in turns if not message.tool_calls and call_sign(message.content, tools))
    return Broken(FailureKind(kind), said, next(alike, turns[-1][0]), None)


def _is_its_call(broken: Broken) -> bool:
    """Whether the error is the call that unreadable arguments left behind: one without any."""
    return broken.kind is FailureKind.INVALID_ARGUMENTS and broken.call is not None and not broken.call.arguments


def _way(example: Example, broken: Broken, judged: Validation | None, *, first: bool) -> Way | None:
    """Return how the error should have been met; None where neither what followed nor the scenario shows it."""
    if judged is not None and judged.verdict is Verdict.FAILED:
        return _by_scenario(example, broken, judged.confidence) if first else None
    shown = _shown(example.messages, broken)
    if shown is None or example.labels.success is not False:
        return shown
    return shown if shown.strategy is RecoveryStrategy.RETRY else None


def _by_scenario(example: Example, broken: Broken, confidence: float) -> Way | None:
    wanted = example.recovery
    if wanted is None:
        return None
    if wanted.strategy is RecoveryStrategy.RETRY and broken.call is not None:
        same = broken.kind in (FailureKind.TOOL_ERROR, FailureKind.TOOL_TIMEOUT)
        return Way(wanted.strategy, written(broken.call), confidence) if same else None
    told = wanted.strategy in (RecoveryStrategy.CLARIFY, RecoveryStrategy.GRACEFUL_FAIL)
    return Way(wanted.strategy, wanted.correct_response, confidence) if told and wanted.correct_response else None


def _shown(messages: Sequence[Message], broken: Broken) -> Way | None:
    after = list(_until_user(messages, broken.turn))
    worked = [call for turn in after for call, result in answered(messages, turn) if _worked(result)]
    again = [call for call in worked if broken.call is None or call.name == broken.call.name]
    if again:
        return _sure(RecoveryStrategy.RETRY, written(again[0]))
    said = next((messages[turn].content for turn in after if not messages[turn].tool_calls), "")
    if asks(said) and not worked:
        return _sure(RecoveryStrategy.CLARIFY, said)
    if admits(said):
        return _sure(RecoveryStrategy.GRACEFUL_FAIL, said)
    return _sure(RecoveryStrategy.FALLBACK, written(worked[0])) if worked else None


def _sure(strategy: RecoveryStrategy, response: str) -> Way:
    return Way(strategy, response, SURENESS[strategy])


def _until_user(messages: Sequence[Message], turn: int) -> Iterator[int]:
    """Yield the indexes of the assistant messages after `turn`, up to the user's next message."""
    for at in range(turn + 1, len(messages)):
        if messages[at].role == "user":
            return
        if messages[at].role == "assistant":
            yield at


def _worked(result: Message | None) -> bool:
    return result is not None and error_in(result.content) is None


def _record(example: Example, broken: Broken, way: Way | None) -> RecoveryRecord:
    message = example.messages[broken.turn]
    place = next((n for n, call in enumerate(message.tool_calls) if call is broken.call), -1)
    asked = [m.content for m in example.messages[: broken.turn] if m.role == "user"]
    return RecoveryRecord(
        id=stable_id("recovery", example.id, broken.turn, place),
        example_id=example.id,
        error_type=broken.kind.value,
        error=broken.error[:_MOST_OF_AN_ERROR],
        turn=broken.turn,
        query=asked[-1] if asked else example.query,
        incorrect_response=message.content if broken.call is None else written(broken.call),
        correct_response=None if way is None else way.response,
        strategy=None if way is None else way.strategy,
        status=RecoveryStatus.QUEUED if way is None else RecoveryStatus.LABELLED,
        confidence=0.0 if way is None else way.confidence,
        at=example.timestamp,
    )
