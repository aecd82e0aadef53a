"""What to do after an error: the conversation up to the error and what the tool said of it, then the right next step.

Decisions: one row for each error whose right answer is known: as the ledger's recoveries have it, by a rule or a
reviewer; where it has none of an example, as the same rule finds them (`evaluation/recoveries.py`). Where the
conversation went on with just that answer, its own message is the row's last; else the answer is written as one: what
reads `name({…})`, or is JSON with `name` and `arguments`, as calls, anything else as text. Only that message carries
loss, so that the mistake is read and never learned.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from evaluation.ledger.collected import RecoveryRecord, RecoveryStatus
from evaluation.records import Example, Message, ToolCall, stable_id
from evaluation.recoveries import recoveries_of
from training.prepare.config import KindConfig, LimitConfig
from training.prepare.example_rows import Made
from training.prepare.kinds.base import AT_KIND, LIMITS, Item, Kind, Left

_WRITTEN = re.compile(r"(?P<name>[\w.-]+)\((?P<arguments>\{.*\})\)", re.DOTALL)


def make(item: Item, config: KindConfig, limits: LimitConfig) -> Iterable[Made] | Left:
    """Return a row for each error that was, or should have been, met so."""
    recoveries = item.recoveries or tuple(recoveries_of(item.example))
    if not recoveries:
        return Left(AT_KIND, "no error in it")
    known = [one for one in recoveries if one.status is RecoveryStatus.LABELLED and one.correct_response is not None]
    if not known:
        return Left(AT_KIND, "not known what would have been right")
    sure = [one for one in known if one.confidence >= limits.min_confidence]
    if not sure:
        return Left(LIMITS, f"confidence below {limits.min_confidence}")
    return list(_rows(item.example, sure)) or Left(AT_KIND, "an error at a message that is not there")


def _rows(example: Example, recoveries: Sequence[RecoveryRecord]) -> Iterator[Made]:
    for one in recoveries:
        if one.turn < len(example.messages) and one.correct_response is not None:
            before = until_told(example.messages, one.turn)
            messages = (*before, next_message(example.messages, len(before), one.correct_response))
            made = f"error-recovery-{one.id}"
            yield Made(made, example, messages, example.tools, kind="error-recovery", turns=(len(before),))


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
        if calls and all((call.name, call.arguments) in said for call in calls):
            return own
        if not calls and not said and own.content.strip() == answer.strip():
            return own
    return Message(role="assistant", tool_calls=calls) if calls else Message(role="assistant", content=answer)


def as_calls(answer: str) -> tuple[ToolCall, ...]:
    """Return the calls that a text names, or none where it is other text."""
    written = _WRITTEN.fullmatch(answer.strip())
    if written is not None:
        arguments = _arguments({"arguments": written["arguments"]})
        call_id = f"call_{stable_id(answer)[:8]}"
        return () if arguments is None else (ToolCall(id=call_id, name=written["name"], arguments=arguments),)
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
