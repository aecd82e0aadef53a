"""OpenAI chat and fine-tuning files with tools, as scenarios.

Reads `messages` with `tools` or the older `functions`, `tool_calls` or `function_call`, messages of weight 0, and rows
for preference training (`input`, `preferred_output`).
Format: https://platform.openai.com/docs/guides/supervised-fine-tuning.
Limits: text only; an image or a sound in a message is a mistake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.importers.conversations import Conversation, Imported, Turn, Turns, import_conversations, tool_of
from evaluation.importers.rows import Row, shown
from evaluation.located import Location
from evaluation.protocols.strict_json import NotJson, parse_json
from evaluation.records import ToolCall
from evaluation.scenarios import ToolDef

_KNOWN = ("messages", "tools", "functions", "parallel_tool_calls", "id", "input", "preferred_output",
          "non_preferred_output", "tool_choice", "model", "temperature", "metadata", "conversations")  # fmt: skip
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


def import_openai(paths: Sequence[Path], *, turns: Turns = "all", skip_bad: bool = False) -> Imported:
    """Return the scenarios of files in the OpenAI format. Raises `SuiteError` as `import_conversations` does."""
    return import_conversations(paths, read_openai, "openai", turns=turns, skip_bad=skip_bad)


def read_openai(row: Row) -> Conversation | None:
    """Return a row's conversation; mistakes go to the row."""
    data = row.fields(_KNOWN)
    if data is None:
        return None
    inner = row.take((), data, "input", dict, default=data)
    at: Location = ("input",) if "input" in data else ()
    said = row.take(at, inner, "messages", list)
    if not said:
        other = "; `ratchet test import sharegpt` reads `conversations`" if "conversations" in data else ""
        row.mistake((*at, "messages"), f"expected a list of messages, found none{other}")
        return None
    row.take(at, inner, "parallel_tool_calls", bool)
    tools = _tools(row, at, inner)
    turn = Turn(row)
    preferred = row.take((), data, "preferred_output", list, default=[])
    for base, messages in (((*at, "messages"), said), (("preferred_output",), preferred)):
        for index, message in enumerate(messages):
            _message(row, turn, (*base, index), message)
    return turn.conversation(tools, data.get("id"))


def _tools(row: Row, at: Location, data: Mapping[str, Any]) -> list[ToolDef]:
    found = []
    for name in ("tools", "functions"):
        for index, tool in enumerate(row.take(at, data, name, list, default=[])):
            where = (*at, name, index)
            if isinstance(tool, Mapping) and tool.get("type", "function") != "function":
                row.mistake((*where, "type"), f"expected 'function', found {shown(tool['type'])}")
            else:
                found.append(tool_of(row, where, tool, schema=dict))
    return [tool for tool in found if tool is not None]


def _message(row: Row, turn: Turn, where: Location, data: Any) -> None:
    if not isinstance(data, Mapping):
        row.mistake(where, f"expected a message, found {shown(data)}")
        return
    role = data.get("role")
    text = _text(row, (*where, "content"), data.get("content"))
    match role:
        case "system" | "developer":
            turn.system(where, text)
        case "user":
            turn.user(where, text)
        case "assistant":
            weight = row.take(where, data, "weight", int, default=1)
            if weight not in (0, 1):
                row.mistake((*where, "weight"), f"expected 0 or 1, found {weight}")
            said, calls = text or row.take(where, data, "refusal", str, default=""), _calls(row, turn, where, data)
            turn.assistant(where, said, [call for call in calls if call is not None], context=weight == 0)
            if None in calls:
                turn.lost()
        case "tool":
            call_id = row.take(where, data, "tool_call_id", str)
            if call_id is None:
                row.mistake((*where, "tool_call_id"), "expected the id of the call, found none")
            else:
                turn.result((*where, "tool_call_id"), text, call_id)
        case "function":
            turn.result(where, text)
        case _:
            row.mistake((*where, "role"), f"expected one of {', '.join(_ROLES)}, found {shown(role)}")


def _text(row: Row, where: Location, content: Any) -> str:
    """Return a message's text: a text, none, or a list of parts that are texts."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        row.mistake(where, f"expected a text or a list of parts, found {shown(content)}")
        return ""
    texts = []
    for index, part in enumerate(content):
        kind = part.get("type") if isinstance(part, Mapping) else None
        text = part.get(kind) if isinstance(part, Mapping) and kind in ("text", "refusal") else None
        if isinstance(text, str):
            texts.append(text)
        else:
            row.mistake((*where, index), f"expected a part of type text, found {shown(part)}")
    return "".join(texts)


def _calls(row: Row, turn: Turn, where: Location, data: Mapping[str, Any]) -> list[ToolCall | None]:
    old = row.take(where, data, "function_call", dict)
    calls: list[ToolCall | None] = [] if old is None else [_call(row, (*where, "function_call"), old, turn.new_id(0))]
    for index, call in enumerate(row.take(where, data, "tool_calls", list, default=[])):
        at = (*where, "tool_calls", index)
        inner = row.take(at, call, "function", dict) if isinstance(call, Mapping) else None
        if inner is None:
            row.mistake(at, f"expected a call with its function, found {shown(call)}")
            calls.append(None)
        else:
            given = row.take(at, call, "id", str, default=turn.new_id(index))
            calls.append(_call(row, (*at, "function"), inner, given))
    ids = [call.id for call in calls if call is not None]
    if len(set(ids)) < len(ids):
        row.mistake((*where, "tool_calls"), "expected an id of its own for each call, found one again")
    return calls


def _call(row: Row, where: Location, data: Mapping[str, Any], call_id: str) -> ToolCall | None:
    name = row.take(where, data, "name", str)
    arguments = data.get("arguments", "{}")
    if not name:
        row.mistake((*where, "name"), "expected the tool's name, found none")
        return None
    if isinstance(arguments, str):
        try:
            arguments = parse_json(arguments or "{}")
        except NotJson as error:
            row.mistake((*where, "arguments"), f"expected JSON text, found {shown(arguments)} ({error})")
            return None
    if not isinstance(arguments, dict):
        row.mistake((*where, "arguments"), f"expected a JSON object, found {shown(arguments)}")
        return None
    return ToolCall(id=call_id, name=name, arguments=arguments)
