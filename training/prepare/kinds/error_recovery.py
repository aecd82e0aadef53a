"""What to do after an error: the conversation up to the error and what the tool said of it, then the right next step.

Decisions: one row for each error whose right answer is known, by a rule, a reviewer, or the example itself. Where the
conversation went on with just that answer, its own message is the row's last; else the answer is written as one: JSON
with `name` and `arguments` (or a list of such) as calls, anything else as text. Only that message carries loss, so that
the mistake is read and never learned.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from evaluation.ledger.collected import RecoveryRecord, RecoveryStatus
from evaluation.records import Example, Message, ToolCall, stable_id
from training.prepare.config import KindConfig, LimitConfig
from training.prepare.example_rows import Made
from training.prepare.kinds.base import AT_KIND, LIMITS, Item, Kind, Left


def make(item: Item, config: KindConfig, limits: LimitConfig) -> Iterable[Made] | Left:
    """Return a row for each error that was, or should have been, met so."""
    example = item.example
    if not item.recoveries and example.recovery is None:
        return Left(AT_KIND, "no error in it")
    sure = [one for one in item.recoveries if one.confidence >= limits.min_confidence]
    if item.recoveries and not sure:
        return Left(LIMITS, f"confidence below {limits.min_confidence}")
    rows = list(_of_records(example, sure) if item.recoveries else _own(example))
    return rows or Left(AT_KIND, "not known what would have been right")


def _of_records(example: Example, recoveries: Sequence[RecoveryRecord]) -> Iterator[Made]:
    for one in recoveries:
        if one.status is RecoveryStatus.LABELLED and one.correct_response is not None:
            if one.turn >= len(example.messages):
                continue
            before = until_told(example.messages, one.turn)
            messages = (*before, next_message(example.messages, len(before), one.correct_response))
            yield _made(example, messages, f"error-recovery-{one.id}")


def _own(example: Example) -> Iterator[Made]:
    """Yield what the example itself shows: the answer behind its last failed call."""
    found = example.recovery
    if found is None or found.correct_response is None:
        return
    calling = [place for place, message in enumerate(example.messages) if message.tool_calls]
    if calling:
        before = until_told(example.messages, calling[-1])
        yield _made(
            example,
            (*before, next_message(example.messages, len(before), found.correct_response)),
            f"error-recovery-{example.id}",
        )


def _made(example: Example, messages: tuple[Message, ...], row_id: str) -> Made:
    return Made(row_id, example, messages, example.tools, kind="error-recovery", turns=(len(messages) - 1,))


def until_told(messages: Sequence[Message], turn: int) -> tuple[Message, ...]:
    """Return the messages up to what came back of the assistant message at `turn`."""
    end = turn + 1
    while end < len(messages) and messages[end].role == "tool":
        end += 1
    if end == turn + 1 and not messages[turn].tool_calls and end < len(messages) and messages[end].role == "user":
        end += 1  # what could not be read as a call is told in a user message
    return tuple(messages[:end])


def next_message(messages: Sequence[Message], at: int, answer: str) -> Message:
    """Return what the assistant says next: its own message where that is the answer, else the answer as one."""
    calls = as_calls(answer)
    own = messages[at] if at < len(messages) and messages[at].role == "assistant" else None
    if own is not None:
        said = [(call.name, call.arguments) for call in own.tool_calls]
        if said == [(call.name, call.arguments) for call in calls] and (calls or own.content.strip() == answer.strip()):
            return own
    return Message(role="assistant", tool_calls=calls) if calls else Message(role="assistant", content=answer)


def as_calls(answer: str) -> tuple[ToolCall, ...]:
    """Return the calls that a JSON text names, or none where it is other text."""
    try:
        found: Any = json.loads(answer)
    except ValueError:
        return ()
    listed = found if isinstance(found, list) else [found]
    calls = [call.get("function", call) if isinstance(call, dict) else None for call in listed]
    out = []
    for number, call in enumerate(calls):
        arguments = _arguments(call)
        if not isinstance(call, dict) or not isinstance(call.get("name"), str) or arguments is None:
            return ()
        out.append(ToolCall(id=f"call_{stable_id(answer, number)[:8]}", name=call["name"], arguments=arguments))
    return tuple(out)


def _arguments(call: Any) -> dict[str, Any] | None:
    given = call.get("arguments", {}) if isinstance(call, dict) else None
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            return None
    return given if isinstance(given, dict) else None


KIND = Kind("error-recovery", "the right next step after an error", make, frozenset({"recoveries"}))
