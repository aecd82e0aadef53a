"""ShareGPT conversations with tools, as scenarios, in the flavours of the data sets that are published in it.

- LLaMA-Factory: `conversations` of `human`, `gpt`, `function_call`, `observation`, `tools` as JSON text, `system`
- Hermes: `<tool_call>` and `<tool_response>` in the texts, the tools in `<tools>` of the system prompt or in `tools`
- ToolACE: `[name(a=1)]` in the texts, the tools as a list in the system prompt
- Glaive: `system` with an object per tool, and `chat` or `conversations` with `<functioncall>`

Decisions: a system prompt that lists the tools, and how to write calls, is left out: the tools are on offer natively.
Type names of the leaderboard (`dict`, `float`) become JSON Schema. Where one observation follows several calls, a list
of as many items is one result for each; else each call gets all of it.
Format: https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from evaluation.importers.bfcl import json_schema
from evaluation.importers.called_text import Called, NotCalls, json_calls, literal, read_calls
from evaluation.importers.conversations import Conversation, Imported, Turn, Turns, import_conversations, tool_of
from evaluation.importers.rows import Row, shown
from evaluation.located import Location
from evaluation.records import ToolCall
from evaluation.scenarios import ToolDef

_KNOWN = ("conversations", "messages", "tools", "system", "id", "chat", "category", "subcategory", "task", "source")
_ROLES = {
    "system": "system",
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "assistant", "model"), "assistant"),
    **dict.fromkeys(("function_call", "function-call", "tool_call"), "calls"),
    **dict.fromkeys(("observation", "tool", "tool_response", "function_response", "function"), "result"),
}
_CHAT = re.compile(r"^(USER|ASSISTANT|FUNCTION RESPONSE):", re.MULTILINE)
_CHAT_ROLES = {"USER": "human", "ASSISTANT": "gpt", "FUNCTION RESPONSE": "observation"}
_TOOLS_TAG = re.compile(r"<tools>(.*?)</tools>", re.DOTALL)
_RESPONSE = re.compile(r"<tool_response>(.*?)</tool_response>", re.DOTALL)
_LISTS_TOOLS = re.compile(
    r"list of functions|access to the following (?:functions|tools)|functions? signatures", re.IGNORECASE
)


def import_sharegpt(paths: Sequence[Path], *, turns: Turns = "all", skip_bad: bool = False) -> Imported:
    """Return the scenarios of ShareGPT files. Raises `SuiteError` as `import_conversations` does."""
    return import_conversations(paths, read_sharegpt, "sharegpt", turns=turns, skip_bad=skip_bad)


def read_sharegpt(row: Row) -> Conversation | None:
    """Return a row's conversation; mistakes go to the row."""
    data = row.fields(_KNOWN)
    if data is None:
        return None
    name = "chat" if "chat" in data else "conversations"
    said = _chat(row, data) if name == "chat" else row.take((), data, "conversations", list)
    if not said:
        other = "; `ratchet test import openai` reads `messages`" if "messages" in data else ""
        row.mistake((name,), f"expected a list of what was said, found none{other}")
        return None
    turn = Turn(row)
    prompts = [row.take((), data, "system", str, default="")]
    prompts += [p["value"] for p in said if _is_prompt(p)]
    tools = _tools(row, data, prompts)
    for where, prompt in zip([("system",)] + [(name, 0)] * len(prompts), prompts, strict=False):
        if not (tools and _lists_tools(prompt)):
            turn.system(where, prompt)
    parts = [_part(row, (name, at), part) for at, part in enumerate(said) if not _is_prompt(part)]
    for role, same in groupby(filter(None, parts), key=lambda part: part.role):
        _together(row, turn, role, list(same))
    return turn.conversation(tools, data.get("id"))


class _Part(NamedTuple):
    role: str
    where: Location
    text: str


def _is_prompt(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("from") == "system" and isinstance(part.get("value"), str)


def _chat(row: Row, data: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return Glaive's one text as a list of parts."""
    pieces = _CHAT.split(row.take((), data, "chat", str, default=""))
    return [
        {"from": _CHAT_ROLES[role], "value": text.replace("<|endoftext|>", "").strip()}
        for role, text in zip(pieces[1::2], pieces[2::2], strict=True)
    ]


def _part(row: Row, where: Location, part: Any) -> _Part | None:
    if not isinstance(part, Mapping):
        row.mistake(where, f"expected an object with from and value, found {shown(part)}")
        return None
    role = _ROLES.get(str(part.get("from", part.get("role"))))
    text = part.get("value", part.get("content"))
    if isinstance(text, dict | list) and role in ("calls", "result"):
        text = json.dumps(text, ensure_ascii=False)
    if role is None:
        row.mistake((*where, "from"), f"expected one of {', '.join(_ROLES)}, found {shown(part.get('from'))}")
    elif not isinstance(text, str):
        row.mistake((*where, "value"), f"expected a text, found {shown(text)}")
    return _Part(role, where, text) if role is not None and isinstance(text, str) else None


def _together(row: Row, turn: Turn, role: str, parts: Sequence[_Part]) -> None:
    """Add parts of one role that follow each other."""
    if role == "result":
        _results(row, turn, parts)
        return
    for part in parts:
        try:
            if role == "user":
                turn.user(part.where, part.text)
            elif role == "system":
                turn.system(part.where, part.text)
            else:
                read = read_calls(part.text)
                bare = role == "calls" and not read.calls
                calls = json_calls(part.text) if bare else read.calls
                turn.assistant(part.where, "" if bare else read.text, _ids(turn, calls))
        except NotCalls as error:
            row.mistake((*part.where, "value"), str(error))
            turn.lost()


def _ids(turn: Turn, calls: Sequence[Called]) -> list[ToolCall]:
    return [ToolCall(id=turn.new_id(at), name=c.name, arguments=c.arguments) for at, c in enumerate(calls)]


def _results(row: Row, turn: Turn, parts: Sequence[_Part]) -> None:
    """Give the calls that wait their results: one each, or to each the same."""
    where = parts[0].where
    found = [one for part in parts for one in (_RESPONSE.findall(part.text) or [part.text])]
    if len(found) == 1 and turn.waiting > 1:
        items = _items(found[0])
        found = items if len(items) == turn.waiting else found * turn.waiting
    if len(found) != turn.waiting and not turn.is_lost:
        row.mistake(where, f"expected {turn.waiting} results, as many as calls wait for one, found {len(found)}")
        turn.lost()
    for text in [] if turn.is_lost else found:
        turn.result(where, text.strip())


def _items(text: str) -> list[str]:
    try:
        value = literal(text)
    except NotCalls:
        return []
    return [json.dumps(item, ensure_ascii=False) for item in value] if isinstance(value, list) else []


def _tools(row: Row, data: Mapping[str, Any], prompts: Sequence[str]) -> list[ToolDef]:
    """Return the tools: of `tools`, else of a system prompt that lists them."""
    given: Any = data.get("tools")
    where: Location = ("tools",)
    if isinstance(given, str) and given.strip():
        try:
            given = literal(given)
        except NotCalls as error:
            row.mistake(where, str(error))
            return []
    if not given:
        where, given = ("system",), [tool for prompt in prompts for tool in _listed(prompt)]
    if not isinstance(given, list):
        given = [given]
    found = [tool_of(row, (*where, at), tool, schema=_schema) for at, tool in enumerate(given)]
    return [tool for tool in found if tool is not None]


def _schema(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return JSON Schema; keywords that are null, as ToolACE's `required` may be, are left out."""
    return {key: value for key, value in json_schema(parameters).items() if value is not None}


def _lists_tools(prompt: str) -> bool:
    return bool(_TOOLS_TAG.search(prompt) or _LISTS_TOOLS.search(prompt))


def _listed(prompt: str) -> Iterator[Any]:
    """Yield the tools that a system prompt lists: in `<tools>`, or where it says that functions follow."""
    tagged = _TOOLS_TAG.search(prompt)
    if not tagged and not _LISTS_TOOLS.search(prompt):
        return
    text, decoder, at = tagged[1] if tagged else prompt, json.JSONDecoder(), 0
    while (start := _next(text, at)) >= 0:
        try:
            value, at = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            at = start + 1
            continue
        yield from (item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict))


def _next(text: str, at: int) -> int:
    found = re.compile(r"[\[{]").search(text, at)
    return found.start() if found else -1
