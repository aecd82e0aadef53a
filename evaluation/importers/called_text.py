"""Calls that are written in an assistant's text, in the ways in which published conversations write them.

- `<tool_call>{"name": …, "arguments": {…}}</tool_call>`, several of them (Hermes, Qwen)
- `<functioncall> {"name": …, "arguments": '{…}'}` (Glaive)
- `[name(a=1, b="x"), other(c=[2])]` (ToolACE)
- a JSON object or a list of them (`function_call` in ShareGPT files)

Decisions: JSON first, then Python's literals, since these data sets have both. Names of tools may hold blanks and dots.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from evaluation.protocols.strict_json import NotJson, parse_json

MOST = 100_000
"""Most characters of one literal: Python's parser is not made for more."""


class Called(NamedTuple):
    """A call, as it was written."""

    name: str
    arguments: dict[str, Any]


class NotCalls(ValueError):
    """The text is meant as calls and cannot be read as such."""


_TAGGED = re.compile(r"<tool_call>(.*?)(?:</tool_call>|(?=<tool_call>)|\Z)", re.DOTALL)
_GLAIVE = re.compile(r"<functioncall>(.*?)(?:</functioncall>|<\|endoftext\|>|\Z)", re.DOTALL)
_LISTED = re.compile(r"\s*\[\s*[A-Za-z_][^\[\]{}\"'=()]*\(.*\)\s*\]\s*", re.DOTALL)


class Read(NamedTuple):
    """What a text comes to."""

    text: str
    """What it says beside the calls."""
    calls: tuple[Called, ...]


def read_calls(text: str) -> Read:
    """Return the calls in an assistant's text, and what is left of it. Raises `NotCalls`."""
    text = text.removesuffix("<|endoftext|>")
    for pattern in (_TAGGED, _GLAIVE):
        if pattern.search(text):
            calls = [one for match in pattern.finditer(text) for one in json_calls(match[1])]
            return Read(pattern.sub("", text).strip(), tuple(calls))
    if _LISTED.fullmatch(text):
        return Read("", tuple(_listed(text.strip()[1:-1])))
    return Read(text.strip(), ())


def json_calls(text: str) -> list[Called]:
    """Return the calls of an object with `name` and `arguments`, or of a list of them. Raises `NotCalls`."""
    value = literal(_unquoted(text.strip()))
    items = value if isinstance(value, list) else [value]
    return [_called(item) for item in items]


def _called(item: Any) -> Called:
    inner = item.get("function", item) if isinstance(item, Mapping) else item
    if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str):
        raise NotCalls(f"expected an object with name and arguments, found {str(item)[:80]!r}")
    arguments = inner.get("arguments", inner.get("parameters", {}))
    if isinstance(arguments, str):
        arguments = literal(arguments) if arguments.strip() else {}
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        raise NotCalls(f"expected an object of arguments for {inner['name']}, found {str(arguments)[:80]!r}")
    return Called(inner["name"], arguments)


def _unquoted(text: str) -> str:
    """Return Glaive's text without the single quotes around its arguments: nothing inside them is escaped."""
    found = re.fullmatch(r"(\{.*\"arguments\"\s*:\s*)'(.*)'(\s*\})", text, re.DOTALL)
    return f"{found[1]}{found[2]}{found[3]}" if found else text


def literal(text: str) -> Any:
    """Return the JSON value, or else the value of the Python literal, that a text holds. Raises `NotCalls`."""
    try:
        return parse_json(text)
    except NotJson as error:
        if len(text) > MOST:
            raise NotCalls(f"expected JSON, found a text of {len(text)} characters that is none") from error
        try:
            return _plain(ast.literal_eval(text.strip()))
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            raise NotCalls(f"expected JSON, found {text[:80]!r} ({error})") from error


def _plain(value: Any) -> Any:
    """Return a Python literal as JSON. Raises `ValueError` for what is none."""
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise ValueError(f"expected JSON, found a {type(value).__name__}")


def _listed(text: str) -> Iterator[Called]:
    for part in _split(text, ","):
        name, opened, rest = part.strip().partition("(")
        if not opened or not rest.rstrip().endswith(")"):
            raise NotCalls(f"expected name(argument=value), found {part.strip()[:80]!r}")
        yield Called(name.strip(), dict(map(_argument, _split(rest.rstrip()[:-1], ","))))


def _argument(text: str) -> tuple[str, Any]:
    name, given, value = text.partition("=")
    if not given or not name.strip():
        raise NotCalls(f"expected argument=value, found {text.strip()[:80]!r}")
    return name.strip().strip("\"'"), literal(value.strip())


def _split(text: str, separator: str) -> Iterator[str]:
    """Yield what stands between separators that are in no quotes and no brackets. Raises `NotCalls`."""
    depth, quote, start, at = 0, "", 0, 0
    while at < len(text):
        sign = text[at]
        if quote:
            at += sign == "\\"
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign in "([{":
            depth += 1
        elif sign in ")]}":
            depth -= 1
        elif sign == separator and not depth:
            yield text[start:at]
            start = at + 1
        at += 1
    if quote or depth:
        raise NotCalls(f"expected closed quotes and brackets, found {text[:80]!r}")
    if text[start:].strip():
        yield text[start:]
