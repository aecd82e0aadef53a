"""An item: one example as a teacher writes it, and what has to be in it for its kind.

Decisions: one flat shape for every kind, in which a kind uses what it needs, so that blocks and JSON hold the same
fields. A conversation (of a seed file, or of the ledger) becomes an item by reading its turns.
Not covered: conversations with more than one request of the user; seeds that are such are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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
    """What the assistant says in the end."""

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
    if len({json.dumps([one.name, one.arguments], sort_keys=True, default=str) for one in item.calls}) < calls:
        wrong.append("calls: expected each call once, found the same call twice")
    if item.kind == Kind.MISSING_ARGUMENT and (not item.reply or not asks(item.question)):
        wrong.append("expected a question of the assistant that ends in ? and the user's reply to it")
    if item.kind == Kind.TOOL_ERROR and (not item.error or item.recovery not in RECOVERIES):
        wrong.append(f"expected the tool's error and as recovery one of {', '.join(RECOVERIES)}")
    if answered and not item.answer:
        wrong.append("answer: expected what the assistant says in the end, found nothing")
    return wrong


_CALLS = {
    Kind.ONE_CALL: (1, 1),
    Kind.PARALLEL: (2, 8),
    Kind.MISSING_ARGUMENT: (1, 1),
    Kind.TOOL_ERROR: (1, 1),
    Kind.NO_TOOL: (0, 0),
}


def item_of_messages(messages: Sequence[Message]) -> Item | None:
    """Return a conversation as an item; None where it is of none of the kinds: calls in several turns, say."""
    said = [message for message in messages if message.role != "system"]
    users = [at for at, message in enumerate(said) if message.role == "user"]
    turns = [at for at, message in enumerate(said) if message.tool_calls]
    last = said[-1] if said else None
    if users[:1] != [0] or last is None or last.role != "assistant" or last.tool_calls or not last.content.strip():
        return None
    if any(not said[at].content.strip() for at in users) or len(users) > 2 or len(turns) > 1:
        return None
    results = {message.tool_call_id: message.content for message in said if message.role == "tool"}
    calls = tuple(
        ItemCall(name=call.name, arguments=call.arguments, result=_decoded(results.get(call.id, "")))
        for at in turns
        for call in said[at].tool_calls
    )
    question, reply = (said[1].content, said[2].content) if users == [0, 2] else ("", "")
    if len(users) == 2 and (
        not question or not calls or any(isinstance(c.result, dict) and "error" in c.result for c in calls)
    ):
        return None
    kind = _kind_of(calls, bool(question))
    item = Item(kind=kind, user=said[0].content, question=question, reply=reply, calls=calls, answer=last.content)
    if kind == Kind.TOOL_ERROR and isinstance(failed := calls[0].result, dict):
        item = item.model_copy(update={"error": str(failed["error"]), "recovery": RecoveryStrategy.GRACEFUL_FAIL})
    return None if item_mistakes(item, answered=True) else item


def _kind_of(calls: Sequence[ItemCall], asked: bool) -> Kind:
    if asked:
        return Kind.MISSING_ARGUMENT
    if len(calls) == 1 and isinstance(calls[0].result, dict) and "error" in calls[0].result:
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
                    "calls": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "name": {"type": "string"},
                                "arguments": {"type": "object"},
                                "result": {"type": "object"},
                            },
                            "required": ["name", "arguments"],
                        },
                    },
                    "error": {"type": "string"},
                    "recovery": {"type": "string", "enum": list(RECOVERIES)},
                    "answer": {"type": "string"},
                },
                "required": ["n", "kind", "user"],
            },
        }
    },
    "required": ["items"],
}
"""JSON Schema of a whole answer, for endpoints that constrain what they write."""
