"""Calls in text as `<tool_call>{"name": …, "arguments": {…}}</tool_call>` (Hermes, Qwen2.5, Qwen3, LFM2 and `tiny`).

Parsing never raises: what looks like a call and cannot be read as one is reported as malformed and kept as text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

OPEN, CLOSE = "<tool_call>", "</tool_call>"


@dataclass(frozen=True)
class TextCall:
    """A call as the text has it."""

    name: str
    arguments: dict[str, object]


@dataclass(frozen=True)
class Parsed:
    """One assistant turn."""

    content: str
    """The text outside the calls."""
    calls: tuple[TextCall, ...]
    malformed: str | None = None
    """Why something that looks like a call could not be read as one; the whole text is then in `content`."""


def parse(text: str) -> Parsed:
    """Read an assistant turn. Linear in the length of `text`."""
    head, *blocks = text.split(OPEN)
    calls: list[TextCall] = []
    outside = [head]
    for block in blocks:
        body, close, rest = block.partition(CLOSE)
        call = _call(body.strip())
        if isinstance(call, str):
            return Parsed(text, (), call)
        if not close:
            return Parsed(text, (), f"a call is not closed: expected {CLOSE} after {body.strip()[:40]!r}")
        calls.append(call)
        outside.append(rest)
    return Parsed("".join(outside).strip(), tuple(calls))


def _call(body: str) -> TextCall | str:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        return f"expected a JSON object inside {OPEN}, found {body[:40]!r} ({error.__class__.__name__})"
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return f'expected {{"name": …, "arguments": …}} inside {OPEN}, found {body[:40]!r}'
    arguments = value.get("arguments", {})
    if not isinstance(arguments, dict):
        return f"expected the arguments of {value['name']} to be an object, found {type(arguments).__name__}"
    return TextCall(value["name"], arguments)
