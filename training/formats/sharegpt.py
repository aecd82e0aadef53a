"""ShareGPT as LLaMA-Factory reads it: `conversations` of `human`, `gpt`, `function_call`, `observation`, with `tools`.

Format: https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md. `tools` is JSON text. Several calls at once
are one `function_call` with a list, and their results one `observation` with a list, so that sides alternate. What was
said together with a call is a `gpt` part before it. Reading takes every flavour that `evaluation/importers/sharegpt.py`
takes, Hermes, ToolACE and Glaive among them.
Lost without the field `ratchet`: ids of calls, that a text and a call were one turn, system prompts after the first
message, weights, space around results, all labels and figures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from evaluation.importers.rows import Row
from evaluation.importers.sharegpt import read_sharegpt
from evaluation.records import Message, ToolCall
from training.formats.row import Talk


def write(talk: Talk) -> dict[str, Any] | None:
    """Return the row."""
    said = list(talk.messages)
    system = said.pop(0).content if said and said[0].role == "system" else ""
    row: dict[str, Any] = {"conversations": list(_parts(said))}
    if system:
        row["system"] = system
    if talk.tools:
        row["tools"] = json.dumps([tool.to_openai()["function"] for tool in talk.tools], ensure_ascii=False)
    return row


def read(row: Row) -> Talk | None:
    """Return the conversation of a row; mistakes go to the row."""
    found = read_sharegpt(row)
    if found is None:
        return None
    tools = tuple(tool.spec() for tool in found.tools)
    return Talk(messages=found.messages, tools=tools, rejected=(), weights=())


def _parts(messages: Sequence[Message]) -> Iterator[dict[str, str]]:
    for role, same in groupby(messages, key=lambda message: message.role):
        if role == "tool":
            yield {"from": "observation", "value": _results(list(same))}
            continue
        for message in same:
            if message.role == "assistant" and message.tool_calls:
                if message.content:
                    yield {"from": "gpt", "value": message.content}
                yield {"from": "function_call", "value": _calls(message.tool_calls)}
            else:
                names = {"user": "human", "assistant": "gpt"}
                yield {"from": names.get(message.role, message.role), "value": message.content}


def _calls(calls: Sequence[ToolCall]) -> str:
    shown = [{"name": call.name, "arguments": call.arguments} for call in calls]
    return json.dumps(shown if len(shown) > 1 else shown[0], ensure_ascii=False)


def _results(results: Sequence[Message]) -> str:
    if len(results) == 1:
        return results[0].content
    return json.dumps([_value(result.content) for result in results], ensure_ascii=False)


def _value(text: str) -> Any:
    """Return what a result holds, so that a list of results is no list of JSON texts."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if json.dumps(value, ensure_ascii=False) == text else text
