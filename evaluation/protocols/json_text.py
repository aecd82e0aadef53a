"""Calls as JSON objects in the text, each between two marks, or the whole text one call.

Decisions: with marks, a turn is either readable whole or not at all: one call that cannot be read makes the whole text
content, so that nothing of it is lost and no half of it is run. Without marks, a text that does not begin like JSON is
an answer, not a broken call. Parsing never raises, and takes time linear in the length of the text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from evaluation.protocols.spec import ErrorKind, JsonEncoding
from evaluation.protocols.strict_json import NotJson, parse_json
from evaluation.protocols.turns import Call, Turn


class JsonParser:
    """Reads one assistant turn, piece by piece."""

    def __init__(self, encoding: JsonEncoding) -> None:
        self._encoding = encoding
        self._pieces: list[str] = []

    def feed(self, piece: str) -> None:
        """Take the next piece of the text."""
        self._pieces.append(piece)

    def close(self) -> Turn:
        """Return what was read once the text has ended."""
        text = "".join(self._pieces)
        return _marked(text, self._encoding) if self._encoding.open else _bare(text, self._encoding)


def _marked(text: str, encoding: JsonEncoding) -> Turn:
    head, *blocks = text.split(encoding.open)
    calls: list[Call] = []
    outside = [head]
    for block in blocks:
        body, close, rest = block.partition(encoding.close) if encoding.close else (block, "", "")
        call = _call(body.strip(), encoding)
        if call.error is None and encoding.close and not close:
            detail = f"a call is not closed: expected {encoding.close} after {body.strip()[:40]!r}"
            call = call.model_copy(update={"error": ErrorKind.UNCLOSED_TOOL, "detail": detail})
        if call.error is not None:
            return Turn(text=text, calls=(*calls, call))
        calls.append(call)
        outside.append(rest)
    return Turn(text="".join(outside).strip(), calls=tuple(calls))


def _bare(text: str, encoding: JsonEncoding) -> Turn:
    body = text.strip()
    if not body.startswith(("{", "[")):
        return Turn(text=body)
    try:
        value = parse_json(body)
    except NotJson as error:
        return Turn(text=text, calls=(_malformed(f"expected JSON, found: {error}"),))
    entries = value if isinstance(value, list) else [value]
    if not any(_at(entry, encoding.name_at) for entry in entries):
        return Turn(text=body)
    calls = tuple(_of_value(entry, encoding) for entry in entries)
    return Turn(text="" if all(call.error is None for call in calls) else text, calls=calls)


def _call(body: str, encoding: JsonEncoding) -> Call:
    try:
        value = parse_json(body)
    except NotJson as error:
        return _malformed(f"expected a JSON object inside {encoding.open}, found {body[:40]!r} ({error})")
    return _of_value(value, encoding)


def _of_value(value: Any, encoding: JsonEncoding) -> Call:
    name = _at(value, encoding.name_at)
    if not isinstance(name, str):
        wanted = f"{{{json.dumps(encoding.name_at)}: …, {json.dumps(encoding.arguments_at)}: …}}"
        return _malformed(f"expected {wanted}, found {json.dumps(value)[:40]!r}")
    for key, wanted in encoding.fixed.items():
        if _at(value, key) != wanted:
            return _malformed(f"expected {key} to be {wanted!r}, found {_at(value, key)!r}", name)
    arguments = _at(value, encoding.arguments_at, {})
    if isinstance(arguments, Mapping):
        return Call(tool=name, params=dict(arguments))
    detail = f"expected the arguments of {name} to be an object, found {type(arguments).__name__}"
    return Call(tool=name, value=arguments, error=ErrorKind.ARGUMENTS_NOT_OBJECT, detail=detail)


def _malformed(detail: str, name: str = "") -> Call:
    return Call(tool=name, error=ErrorKind.MALFORMED_JSON, detail=detail)


def _at(value: Any, place: str, default: Any = None) -> Any:
    """Return what stands at `a.b` of an object, or `default` where nothing does."""
    for key in place.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return default
        value = value[key]
    return value
