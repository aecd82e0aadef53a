"""An item: one example as a teacher writes it, and what has to be in it for its kind.

Decisions: one flat shape for every kind, in which a kind uses what it needs, so that blocks and JSON hold the same
fields. Further requests of the user in the same conversation stand in `then`, each with its own calls and answer. A
conversation (of a seed file, or of the ledger) becomes an item by reading its turns.
Not covered: calls in several turns of one request (one that needs what another returned); seeds that are such are
passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator

from evaluation.records import Message, RecoveryStrategy
from evaluation.scenarios import Kind
from evaluation.validators.recovery import asks
from training.synthesis.config import ITEM_KINDS

RECOVERIES = (RecoveryStrategy.RETRY, RecoveryStrategy.GRACEFUL_FAIL)
"""What an item may do about a tool's error."""


class ItemCall(BaseModel):
    """A call that the assistant makes. Fields that we do not know are passed over."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(min_length=1)
    arguments: dict[str, Any] = Field(default_factory=dict)
    result: JsonValue = None
    """What the tool returns, where it cannot be executed here."""


class Further(BaseModel):
    """A further request of the user, once the one before it is answered. Fields that we do not know are passed over."""

    model_config = ConfigDict(frozen=True)

    user: str = Field(min_length=1)
    calls: tuple[ItemCall, ...] = ()
    answer: str = ""

    @field_validator("user", "answer")
    @classmethod
    def _without_blanks_around(cls, text: str) -> str:
        return text.strip()


class Item(BaseModel):
    """One example as a teacher writes it. Fields that we do not know are passed over."""

    model_config = ConfigDict(frozen=True)

    kind: Kind | None = None
    """None: the one that was asked for."""
    user: str = Field(min_length=1)
    """What the user asks for."""
    question: str = ""
    """Kind `missing_argument`: what the assistant asks."""
    reply: str = ""
    """Kind `missing_argument`: what the user says to that."""
    calls: tuple[ItemCall, ...] = ()
    error: str = ""
    """Kind `tool_error`: how the tool fails."""
    recovery: RecoveryStrategy | None = None
    """Kind `tool_error`: what the assistant does about it."""
    answer: str = ""
    """What the assistant says in the end, or before the user goes on."""
    then: tuple[Further, ...] = ()
    """What the user asks for after that, in its order."""

    @property
    def all_calls(self) -> tuple[ItemCall, ...]:
        """The calls of all requests, in their order."""
        return (*self.calls, *(call for further in self.then for call in further.calls))

    @property
    def all_said(self) -> tuple[str, ...]:
        """All that the user says, in its order."""
        return tuple(text for text in (self.user, self.reply, *(further.user for further in self.then)) if text)

    @field_validator("user", "question", "reply", "error", "answer")
    @classmethod
    def _without_blanks_around(cls, text: str) -> str:
        return text.strip()


class NoItem(ValueError):
    """What a teacher wrote is no item. The message says what is wrong, for the teacher to read."""


def item_of(value: Any) -> Item:
    """Return a decoded item. Raises `NoItem`."""
    if not isinstance(value, Mapping):
        raise NoItem(f"expected an object with kind, user, calls and answer, found {type(value).__name__}")
    given = {key: inner for key, inner in value.items() if inner is not None}
    try:
        return Item.model_validate(given)
    except ValidationError as error:
        told = "; ".join(_told(one["loc"], one["msg"], one["input"]) for one in error.errors(include_url=False)[:4])
        raise NoItem(told) from None


def item_mistakes(item: Item, *, answered: bool) -> list[str]:
    """Return what an item lacks for its kind, one short text each; `answered`: it has to hold its own answer."""
    calls = len(item.calls)
    wrong = []
    if item.kind not in ITEM_KINDS:
        wrong.append(f"kind: expected one of {', '.join(ITEM_KINDS)}, found {item.kind}")
    least, most = (0, 8) if item.kind is None else _CALLS.get(item.kind, (0, 8))
    if not least <= calls <= most:
        wanted = f"{least}" if least == most else f"{least} to {most}"
        wrong.append(f"calls: expected {wanted} for the kind {item.kind}, found {calls}")
    if any(_twice(one) for one in (item.calls, *(further.calls for further in item.then))):
        wrong.append("calls: expected each call once, found the same call twice")
    if item.kind == Kind.MISSING_ARGUMENT and (not item.reply or not asks(item.question)):
        wrong.append("expected a question of the assistant that ends in ? and the user's reply to it")
    if item.kind == Kind.TOOL_ERROR and (not item.error or item.recovery not in RECOVERIES):
        wrong.append(f"expected the tool's error and as recovery one of {', '.join(RECOVERIES)}")
    if answered and not item.answer:
        wrong.append("answer: expected what the assistant says in the end, found nothing")
    return [*wrong, *_further_mistakes(item, answered=answered)]


def _further_mistakes(item: Item, *, answered: bool) -> Iterator[str]:
    answers = (item.answer, *(further.answer for further in item.then))
    for at, further in enumerate(item.then, 1):
        if len(further.calls) > MOST_CALLS:
            yield f"then {at}: expected at most {MOST_CALLS} calls, found {len(further.calls)}"
        if answered and not further.answer:
            yield f"then {at}: answer: expected what the assistant says to that, found nothing"
        if asks(answers[at - 1]):  # the user would answer the question instead of going on
            yield f"expected an answer that asks nothing before request {at + 1}, found {answers[at - 1][:80]!r}"


def _twice(calls: Sequence[ItemCall]) -> bool:
    """Whether the same call is made twice in one turn."""
    return len({json.dumps([one.name, one.arguments], sort_keys=True, default=str) for one in calls}) < len(calls)


MOST_CALLS = 8
"""Calls of one request, at most."""
_CALLS = {
    Kind.ONE_CALL: (1, 1),
    Kind.PARALLEL: (2, MOST_CALLS),
    Kind.MISSING_ARGUMENT: (1, 1),
    Kind.TOOL_ERROR: (1, 1),
    Kind.NO_TOOL: (0, 0),
}


def item_of_messages(messages: Sequence[Message]) -> Item | None:
    """Return a conversation as an item; None where it is of none of the kinds: calls in several turns, say."""
    said = [message for message in messages if message.role != "system"]
    if not said or any(message.role == "user" and not message.content.strip() for message in said):
        return None
    question, reply = "", ""
    if len(said) > 2 and _is_text(said[1]) and asks(said[1].content) and said[2].role == "user":
        question, reply = said[1].content, said[2].content
        said = [said[0], *said[3:]]
    starts = [at for at, message in enumerate(said) if message.role == "user"]
    if starts[:1] != [0]:
        return None
    found = [_further(said[start:end]) for start, end in zip(starts, [*starts[1:], len(said)], strict=True)]
    requests = [one for one in found if one is not None]
    if len(requests) < len(found) or any(map(_failed, (call for one in requests[1:] for call in one.calls))):
        return None
    first = requests[0]
    if question and any(map(_failed, first.calls)):
        return None
    kind = _kind_of(first.calls, bool(question))
    item = Item(kind=kind, user=first.user, question=question, reply=reply, calls=first.calls, answer=first.answer,
                then=tuple(requests[1:]))  # fmt: skip
    if kind == Kind.TOOL_ERROR and isinstance(failed := first.calls[0].result, dict):
        item = item.model_copy(update={"error": str(failed["error"]), "recovery": RecoveryStrategy.GRACEFUL_FAIL})
    return None if item_mistakes(item, answered=True) else item


def _further(said: Sequence[Message]) -> Further | None:
    """Return one request with its calls, all in one turn, and its answer; None where it is not of that form."""
    if len(said) < 2 or not _is_text(said[-1]) or not said[-1].content.strip():
        return None
    calling = said[1] if said[1].tool_calls else None
    results = {message.tool_call_id: message.content for message in said[2:-1] if message.role == "tool"}
    if len(said) - 2 - (calling is not None) != sum(message.role == "tool" for message in said[2:-1]):
        return None
    calls = tuple(
        ItemCall(name=call.name, arguments=call.arguments, result=_decoded(results.get(call.id, "")))
        for call in (calling.tool_calls if calling is not None else ())
    )
    return Further(user=said[0].content, calls=calls, answer=said[-1].content)


def _is_text(message: Message) -> bool:
    return message.role == "assistant" and not message.tool_calls


def _failed(call: ItemCall) -> bool:
    return isinstance(call.result, dict) and "error" in call.result


def _kind_of(calls: Sequence[ItemCall], asked: bool) -> Kind:
    if asked:
        return Kind.MISSING_ARGUMENT
    if len(calls) == 1 and _failed(calls[0]):
        return Kind.TOOL_ERROR
    return (Kind.NO_TOOL, Kind.ONE_CALL, Kind.PARALLEL)[min(len(calls), 2)]


def _decoded(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        return text or None
    return value


def _told(place: tuple[int | str, ...], message: str, found: Any) -> str:
    shown = repr(found)
    return (
        f"{'.'.join(map(str, place)) or 'the item'}: {message}, found {shown if len(shown) < 60 else shown[:57] + '…'}"
    )


_CALLS_SCHEMA: Mapping[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "arguments": {"type": "object"}, "result": {"type": "object"}},
        "required": ["name", "arguments"],
    },
}
ITEMS_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "n": {"type": "integer"},
                    "kind": {"type": "string", "enum": list(ITEM_KINDS)},
                    "user": {"type": "string"},
                    "question": {"type": "string"},
                    "reply": {"type": "string"},
                    "calls": _CALLS_SCHEMA,
                    "error": {"type": "string"},
                    "recovery": {"type": "string", "enum": list(RECOVERIES)},
                    "answer": {"type": "string"},
                    "then": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "user": {"type": "string"},
                                "calls": _CALLS_SCHEMA,
                                "answer": {"type": "string"},
                            },
                            "required": ["user"],
                        },
                    },
                },
                "required": ["n", "kind", "user"],
            },
        }
    },
    "required": ["items"],
}
"""JSON Schema of a whole answer, for endpoints that constrain what they write."""
