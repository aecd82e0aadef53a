"""The texts of a conversation and the fields that they stand in; how a text in JSON is rewritten in its place.

Decisions: a field is named by role and path: `user`, `assistant`, `send.arguments.to`, `send.result.customer.mail`.
The key of a JSON value is its label: it says what a bare number is. A key that is itself personal data is not named.
Not covered: JSON inside a string of JSON (it is read as text).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from evaluation.records import Message

JSON_TOKEN = re.compile(r'(?P<string>"(?:[^"\\]|\\.)*")(?P<colon>\s*:)?|(?P<number>(?<![\w.+-])\d{7,19}(?![\w.]))')
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z_ -]{0,40}[0-9]{0,2}")
LONGEST_NUMBER = 19
SHORTEST_NUMBER = 7


class FieldText(NamedTuple):
    """One text, and where it stands."""

    field: str
    label: str
    """The key of its field; empty where it has none."""
    text: str


def is_json(message: Message) -> bool:
    """Say whether a tool's result is a JSON object or list."""
    if message.role != "tool" or not message.content.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(message.content)
    except (ValueError, RecursionError):
        return False
    return True


def texts_of(message: Message) -> Iterator[FieldText]:
    """Yield the texts of a message: its content, or the values of its JSON, and the values of its calls' arguments."""
    if is_json(message):
        yield from values_of(json.loads(message.content), f"{message.name or 'tool'}.result")
    elif message.content:
        yield FieldText(str(message.role), "", message.content)
    for call in message.tool_calls:
        yield from values_of(call.arguments, f"{call.name}.arguments")


def values_of(value: Any, field: str, label: str = "") -> Iterator[FieldText]:
    """Yield the strings in a JSON value, and its whole numbers that are as long as a phone number or longer."""
    if isinstance(value, str):
        yield FieldText(field, label, value)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from values_of(item, f"{field}.{named(key)}", str(key))
    elif isinstance(value, list):
        for item in value:
            yield from values_of(item, field, label)
    elif is_number(value):
        yield FieldText(field, label, str(value))


def is_number(value: Any) -> bool:
    """Say whether a JSON value is a whole number as long as a phone number or longer."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole and 10 ** (SHORTEST_NUMBER - 1) <= value < 10**LONGEST_NUMBER


def named(key: object) -> str:
    """Return a key as it may stand in a report."""
    return str(key) if _PLAIN_KEY.fullmatch(str(key)) else "…"


def rewrite_json(text: str, rewrite: Callable[[str, str], str], number: Callable[[str, str], str]) -> str:
    """Return a JSON text with its string values and long numbers rewritten, every other character as it is.

    Both callables are given the value and the key that stands before it.
    """
    label = ""

    def token(match: re.Match[str]) -> str:
        nonlocal label
        if match["number"]:
            return number(match["number"], label)
        before = json.loads(match["string"])
        if match["colon"]:
            label = before
            return match.group()
        after = rewrite(before, label)
        return match.group() if after == before else json.dumps(after, ensure_ascii=match["string"].isascii())

    return JSON_TOKEN.sub(token, text)
