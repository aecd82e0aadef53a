"""Which tools a query needs: a planner's system prompt, `Query: …`, and the choice as JSON or as native calls.

Decisions: only examples whose tool selection is known to be right. The choice is what was called up to the next user
message: its names as JSON, each once, in the order of their first use, or, natively, the calls of the first turn. What
the assistant said with its first calls is the reasoning; where it said nothing, that is empty: none is made up. What
was said before the query stays before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

from evaluation.records import Message
from training.prepare.config import KindConfig, LimitConfig
from training.prepare.example_rows import Made
from training.prepare.kinds.base import (
    AT_KIND,
    LIMITS,
    WRONG,
    Item,
    Kind,
    Left,
    corrected,
    prompted,
    query_place,
    row_id,
)
from training.prepare.steps import limited


def make(item: Item, config: KindConfig, limits: LimitConfig) -> Iterable[Made] | Left:
    """Return the choice of tools for the example's query."""
    example = item.example
    if example.labels.correct_tool_selection is not True:
        found = corrected(item) if limits.correct else Left(WRONG, "tool selection is not known to be right")
        if isinstance(found, Left):
            return Left(WRONG, "tool selection is not known to be right")
        example = found
    if reason := limited(example, min_confidence=limits.min_confidence, min_quality=limits.min_quality):
        return Left(LIMITS, reason)
    at = query_place(example.messages)
    if at is None:
        return Left(AT_KIND, "no query")
    reply = list(_reply(example.messages[at + 1 :]))
    if not reply:
        return Left(AT_KIND, "nobody answered")
    prompt = prompted(config, "native-planner" if config.native_calls else "planner")
    messages = (
        Message(role="system", content=prompt.filled(example.tools)),
        *(message for message in example.messages[:at] if message.role != "system"),
        Message(role="user", content=f"Query: {example.messages[at].content}"),
        _native(reply) if config.native_calls else _as_json(reply),
    )
    tools, place = example.tools if config.native_calls else (), len(messages) - 1
    made = row_id("tool-selection", example.id)
    return [Made(made, example, messages, tools, kind="tool-selection", turns=(place,), prompt=prompt.version)]


def _reply(messages: Sequence[Message]) -> Iterator[Message]:
    """Yield the assistant's messages up to the next user message."""
    return (m for m in takewhile(lambda message: message.role != "user", messages) if m.role == "assistant")


def _native(reply: Sequence[Message]) -> Message:
    return next((message for message in reply if message.tool_calls), reply[0])


def _as_json(reply: Sequence[Message]) -> Message:
    names = list(dict.fromkeys(call.name for message in reply for call in message.tool_calls))
    reasoning = next((message.content for message in reply if message.tool_calls), "" if names else reply[0].content)
    content = json.dumps({"tools": names, "reasoning": reasoning}, ensure_ascii=False)
    return Message(role="assistant", content=content)


KIND = Kind("tool-selection", "which tools a query needs", make, frozenset({"feedback", "labels"}))
