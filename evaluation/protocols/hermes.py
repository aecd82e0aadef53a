"""Calls in text as `<tool_call>{"name": …, "arguments": {…}}</tool_call>` (Hermes, Qwen2.5, Qwen3, LFM2 and `tiny`).

Parsing never raises: what looks like a call and cannot be read as one is reported as malformed and kept as text.
`json_text.py` does the reading, for every protocol that writes calls as JSON in the text.
"""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.protocols.json_text import JsonParser
from evaluation.protocols.spec import JsonEncoding

OPEN, CLOSE = "<tool_call>", "</tool_call>"
ENCODING = JsonEncoding(kind="json", open=OPEN, close=CLOSE)


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
    parser = JsonParser(ENCODING)
    parser.feed(text)
    turn = parser.close()
    broken = next((call for call in turn.calls if call.error is not None), None)
    if broken is not None:
        return Parsed(text, (), broken.detail)
    return Parsed(turn.text, tuple(TextCall(call.tool, call.params) for call in turn.calls))
