"""Makes examples out of a few messages, for tests of what is read from them."""

from __future__ import annotations

import json
from typing import Any

from evaluation.records import Example, Labels, Message, ToolCall, ToolSpec
from tests.evaluation.ledger.making import example

SEARCH = ToolSpec(
    name="search",
    description="Search.",
    parameters={
        "type": "object",
        "properties": {"q": {"type": "string"}, "deep": {"type": "boolean"}},
        "required": ["q"],
        "additionalProperties": False,
    },
)
BROWSE = ToolSpec(
    name="browse", description="Browse.", parameters={"type": "object", "properties": {"q": {"type": "string"}}}
)
TOOLS = (SEARCH, BROWSE)


def user(text: str = "Find it") -> Message:
    return Message(role="user", content=text)


def says(text: str) -> Message:
    return Message(role="assistant", content=text)


def calls(*made: tuple[str, dict[str, Any]]) -> Message:
    named = [ToolCall(id=f"c{n}", name=name, arguments=arguments) for n, (name, arguments) in enumerate(made)]
    return Message(role="assistant", tool_calls=tuple(named))


def result(value: Any, number: int = 0, name: str = "search") -> Message:
    text = value if isinstance(value, str) else json.dumps(value)
    return Message(role="tool", content=text, tool_call_id=f"c{number}", name=name)


def talk(*messages: Message, labels: Labels | None = None, **more: Any) -> Example:
    """Make an example of these messages, without an error, a judgement or a recovery of its own."""
    plain = {"messages": messages, "tools": TOOLS, "error": None, "validations": (), "recovery": None}
    plain |= {"query": messages[0].content, "response": messages[-1].content, "labels": labels or Labels()}
    return example(1).model_copy(update=plain | more)
