"""TRL's conversational data sets: `messages` and `tools`; with preferences `prompt`, `chosen` and `rejected`.

Format: https://huggingface.co/docs/trl/dataset_formats. Arguments are objects, as chat templates take them; `tools` is
JSON text, which TRL's trainers decode, since the schemas of different tools have no type in common. A message without
calls has no `tool_calls`, and one without text an empty one.
Lost without the field `ratchet`: weights, all labels and figures.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from evaluation.importers.rows import Row
from evaluation.located import Location
from evaluation.protocols.strict_json import NotJson, parse_json
from evaluation.records import Message
from training.formats import openai
from training.formats.openai_dpo import shared
from training.formats.row import Talk

_ENDS = ("chosen", "rejected")


def write(talk: Talk) -> dict[str, Any] | None:
    """Return the row: of a preference where there is an end that is not preferred."""
    tools = {"tools": json.dumps([tool.to_openai() for tool in talk.tools], ensure_ascii=False)} if talk.tools else {}
    if not talk.rejected:
        return {"messages": _messages(talk.messages), **tools}
    at = shared(talk.messages, talk.rejected)
    if at == len(talk.messages) or at == len(talk.rejected):
        return None
    prompt, chosen, rejected = talk.messages[:at], talk.messages[at:], talk.rejected[at:]
    return {"prompt": _messages(prompt), "chosen": _messages(chosen), "rejected": _messages(rejected), **tools}


def read(row: Row) -> Talk | None:
    """Return the conversation of a row; mistakes go to the row."""
    if not isinstance(row.data, dict) or "messages" in row.data or not any(name in row.data for name in _ENDS):
        return openai.read(_Named(row, "messages")) if isinstance(row.data, dict) else openai.read(row)
    found = [openai.read(_Named(row, name)) for name in _ENDS]
    if found[0] is None or found[1] is None:
        return None
    return found[0].model_copy(update={"rejected": found[1].messages})


class _Named(Row):
    """A row of TRL's as one of OpenAI's: the prompt with one end, calls and results with ids."""

    def __init__(self, row: Row, name: str) -> None:
        prompt, said = row.data.get("prompt") if name in _ENDS else None, row.data.get(name)
        self._prompt, self._name = (len(prompt) if isinstance(prompt, list) else 0), name
        both = [*(prompt if isinstance(prompt, list) else []), *(said if isinstance(said, list) else [])]
        data = {"messages": with_ids(both), "tools": row.data.get("tools"), "id": row.data.get("id")}
        super().__init__(row.document, row.at, data, row.mistakes)
        if isinstance(data["tools"], str):
            try:
                data["tools"] = parse_json(data["tools"] or "[]")
            except NotJson as error:
                data["tools"] = None
                self.mistake(("tools",), f"expected tools as a list or JSON text, found {error}")

    def mistake(self, where: Location, text: str) -> None:
        """Note a mistake where it stands in the file."""
        if where[:1] == ("messages",) and self._name in _ENDS:
            at = where[1] if len(where) > 1 and isinstance(where[1], int) else 0
            inside = at < self._prompt
            where = ("prompt", *where[1:]) if inside else (self._name, at - self._prompt, *where[2:])
        super().mistake(where, text)


def with_ids(messages: Sequence[Any]) -> list[Any]:
    """Return the messages with an id for each call and result that has none; results go by name, then by order."""
    waiting: list[tuple[str, Any]] = []
    out: list[Any] = []
    for at, message in enumerate(messages):
        shown = dict(message) if isinstance(message, dict) else message
        if isinstance(shown, dict) and isinstance(shown.get("tool_calls"), list):
            shown["tool_calls"] = [
                _with_id(call, f"call_{at}_{place}") for place, call in enumerate(shown["tool_calls"])
            ]
            waiting = [(call["id"], _name(call)) for call in shown["tool_calls"] if isinstance(call, dict)]
        elif isinstance(shown, dict) and shown.get("role") == "tool":
            given, name = shown.get("tool_call_id"), shown.get("name")
            rest = [one for one in waiting if one[0] == given] if given else [one for one in waiting if one[1] == name]
            taken = next(iter(rest or ([] if given else waiting)), None)
            if taken is not None:
                waiting.remove(taken)
                shown["tool_call_id"] = taken[0]
        out.append(shown)
    return out


def _with_id(call: Any, name: str) -> Any:
    return {**call, "id": call.get("id") or name} if isinstance(call, dict) else call


def _name(call: dict[str, Any]) -> Any:
    inner = call.get("function")
    return inner.get("name") if isinstance(inner, dict) else None


def _messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    out = []
    for message in messages:
        shown = message.to_openai()
        for call, given in zip(shown.get("tool_calls", ()), message.tool_calls, strict=False):
            call["function"]["arguments"] = given.arguments
        out.append(shown)
    return out
