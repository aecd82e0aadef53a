"""One example on its way into a file or out of one, whatever the format.

Decisions: a format holds what it has room for; the rest of an example (labels, feedback, provenance, figures) travels
as JSON text in one further field, `ratchet`, so that it has the same type in every row whatever it holds. The field
also carries a digest of what stands beside it. As long as that holds, an import gives back the example that was
exported, to the last field; a row that somebody has changed is an example of its own that names the old one as its
parent, without labels, since those were about other words.
Limits: nulls do not count for the digest, since libraries add them; the order of keys does not count either.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field, ValidationError

from evaluation.examples import context_of, query_index
from evaluation.ledger.trail import Trail
from evaluation.records import Example, Feedback, Message, Record, ToolSpec

FIELD = "ratchet"
"""The field with what a format has no room for."""

_DERIVED = ("query", "context", "response", "tools_used")


_NO_TRAIL = Trail()


class Talk(Record):
    """What formats are about: a conversation with its tools, and what was said in place of its end."""

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    rejected: tuple[Message, ...] = ()
    """The whole conversation again, with the end that is not preferred; empty where there is no such end."""
    weights: tuple[int, ...] = ()
    """Of each message, 1 where it is to be learned; empty: all of the assistant's are."""


class Extra(Record):
    """What travels in the field `ratchet`."""

    digest: str
    """Of the rest of the row."""
    example: dict[str, Any] = Field(default_factory=dict)
    """The example without its messages and tools; of a pair, the preferred one. Empty where there is none."""
    rejected: dict[str, Any] = Field(default_factory=dict)
    """Of a pair: the example that is not preferred."""
    row: dict[str, Any] = Field(default_factory=dict)
    """The snapshot's row without its messages and tools, where the file was made of a snapshot."""
    feedback: tuple[Feedback, ...] = ()
    trail: Trail = Trail()
    """What else was said of the example."""
    ids: tuple[str, ...] = ()
    """The calls' ids in order, where the format has none."""
    talk: Talk | None = None
    """The conversation, where the format has no room for some of it."""


@dataclass(frozen=True)
class Carried:
    """What is to be written as one row."""

    talk: Talk
    example: Example | None = None
    """The example that `talk.messages` is of."""
    rejected: Example | None = None
    """The example that `talk.rejected` is of."""
    row: Mapping[str, Any] | None = None
    feedback: Sequence[Feedback] = ()
    trail: Trail = _NO_TRAIL


def talk_of(example: Example, weights: Sequence[int] = ()) -> Talk:
    """Return an example's conversation."""
    return Talk(messages=example.messages, tools=example.tools, rejected=(), weights=tuple(weights))


def without_talk(example: Example) -> dict[str, Any]:
    """Return an example's fields without its conversation and what follows from that."""
    derived = derived_fields(example.messages)
    left_out = {"messages", "tools", *(name for name in _DERIVED if getattr(example, name) == derived[name])}
    return example.model_dump(mode="json", exclude=left_out, exclude_defaults=True)


def with_talk(fields: Mapping[str, Any], messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Example:
    """Return the example that `without_talk` was given. Raises pydantic's `ValidationError`."""
    derived = derived_fields(messages)
    return Example.model_validate({**derived, **fields, "messages": tuple(messages), "tools": tuple(tools)})


def derived_fields(messages: Sequence[Message]) -> dict[str, Any]:
    """Return what an example says of its conversation: query, context, response, tools used."""
    at = query_index(messages)
    last = messages[-1] if messages else None
    answered = last is not None and last.role == "assistant" and not last.tool_calls
    return {
        "query": messages[at].content if at is not None else "",
        "context": context_of(messages[:at]),
        "response": last.content if last is not None and answered else "",
        "tools_used": tuple(dict.fromkeys(call.name for message in messages for call in message.tool_calls)),
    }


def digest_of(row: Mapping[str, Any]) -> str:
    """Return a digest of a row without the field `ratchet`; nulls and the order of keys do not count."""
    shown = {key: value for key, value in row.items() if key != FIELD}
    text = _canonical(shown)
    if "null" in text:
        text = _canonical(_whole(shown))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def extra_of(row: Mapping[str, Any]) -> Extra | None:
    """Return what the row carries, where it is of ours and nobody has changed the row since; else None.

    Raises `ValueError` where the field is of ours and cannot be read.
    """
    text = row.get(FIELD)
    if not isinstance(text, str):
        return None
    try:
        return Extra.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(
            f"expected what an export wrote there, found {where + ': ' if where else ''}{first['msg']}"
        ) from None


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return value
