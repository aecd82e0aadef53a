"""OpenAI's file for supervised fine-tuning: `messages`, `tools`, `parallel_tool_calls`, a `weight` of 0 or 1 a message.

Format: https://platform.openai.com/docs/guides/supervised-fine-tuning. Reading takes whatever
`evaluation/importers/openai.py` takes: the older `functions`, texts in parts, refusals.
Lost without the field `ratchet`: all labels and figures; a tool message's name where its call has another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evaluation.importers.openai import read_openai
from evaluation.importers.rows import Row
from evaluation.records import Message, ToolSpec
from training.formats.row import Talk


def write(talk: Talk) -> dict[str, Any] | None:
    """Return the row."""
    return {"messages": messages_of(talk.messages, talk.weights), **tools_of(talk.messages, talk.tools)}


def read(row: Row) -> Talk | None:
    """Return the conversation of a row; mistakes go to the row."""
    found = read_openai(row)
    if found is None:
        return None
    return Talk(
        messages=found.messages,
        tools=tuple(tool.spec() for tool in found.tools),
        rejected=(),
        weights=tuple(int(at not in found.skipped) for at in range(len(found.messages))) if found.skipped else (),
    )


def messages_of(messages: Sequence[Message], weights: Sequence[int] = ()) -> list[dict[str, Any]]:
    """Return messages in the shape of the chat API, with weights where there are some."""
    out = []
    for at, message in enumerate(messages):
        shown = message.to_openai()
        shown.pop("name", None)
        if message.tool_calls and not message.content:
            del shown["content"]
        if weights and message.role == "assistant":
            shown["weight"] = weights[at]
        out.append(shown)
    return out


def tools_of(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> dict[str, Any]:
    """Return the fields of a row that are about tools; none where no tool is on offer."""
    if not tools:
        return {}
    parallel = any(len(message.tool_calls) > 1 for message in messages)
    return {"tools": [tool.to_openai() for tool in tools], "parallel_tool_calls": parallel}
