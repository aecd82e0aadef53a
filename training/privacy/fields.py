"""The texts of a conversation and the fields that they stand in; how a text in JSON is rewritten in its place.

Decisions: a field is named by role and path: `user`, `assistant`, `send.arguments.to`, `send.result.customer.mail`.
The key of a JSON value is its label: it says what a bare number is. A key that is itself personal data is not named;
keys that are no plain words (a map by address, say) are texts, too. Whole numbers count, `4155550134.0`, too.
Not covered: JSON inside a string of JSON (it is read as text, its escapes undone).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from evaluation.records import Message

JSON_TOKEN = re.compile(
    r'(?P<string>"(?:[^"\\]|\\.)*")(?P<colon>\s*:)?|(?P<number>(?<![\w.+-])\d{7,19})(?![\w.])|'
    r"(?P<float>(?<![\w.+-])\d{1,19}(?:\.\d{1,19}(?:[eE]\+?\d{1,2})?|[eE]\+?\d{1,2}))(?![\w.])"
)
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z_ -]{0,40}[0-9]{0,2}")
LONGEST_NUMBER = 19
SHORTEST_NUMBER = 7
_LONGEST_WORD = 30
"""Characters of a key in capitals and small letters: a longer one may be a token."""
_EXACT = 2.0**53
"""Up to which a float holds every whole number."""


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
    """Yield the strings in a JSON value, its keys that are no plain words, and its whole numbers that are long."""
    if isinstance(value, str):
        yield FieldText(field, label, value)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not is_plain(key):
                yield FieldText(f"{field}.…", label, str(key))
            yield from values_of(item, f"{field}.{named(key)}", str(key))
    elif isinstance(value, list):
        for item in value:
            yield from values_of(item, field, label)
    elif is_number(value):
        yield FieldText(field, label, str(int(value)))


def is_number(value: Any) -> bool:
    """Say whether a JSON value is a whole number as long as a phone number or longer; a float may be whole, too."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    whole = whole or (isinstance(value, float) and value.is_integer() and value < _EXACT)
    return whole and 10 ** (SHORTEST_NUMBER - 1) <= value < 10**LONGEST_NUMBER


def is_plain(key: object) -> bool:
    """Say whether a key is a plain word, as properties are named, and so nobody's."""
    name = str(key)
    return _PLAIN_KEY.fullmatch(name) is not None and (len(name) <= _LONGEST_WORD or name.islower())


def named(key: object) -> str:
    """Return a key as it may stand in a report."""
    return str(key) if is_plain(key) else "…"


def rewrite_json(text: str, rewrite: Callable[[str, str], str], number: Callable[[str, str], str]) -> str:
    """Return a JSON text with its string values, odd keys and long numbers rewritten, every other character as it is.

    Both callables are given the value and the key that stands before it; a key itself comes with the one before.
    """
    label = ""
    taken: set[str] = set()

    def token(match: re.Match[str]) -> str:
        nonlocal label
        if match["number"]:
            return number(match["number"], label)
        if match["float"]:
            value = float(match["float"])
            if not is_number(value):
                return match.group()
            digits = str(int(value))
            after = number(digits, label)
            return match.group() if after == digits else f"{after}.0"
        before = json.loads(match["string"])
        after = rewrite(before, label) if not match["colon"] or not is_plain(before) else before
        if match["colon"]:
            label = before
            after = another(after, taken) if after != before else before
        written = json.dumps(after, ensure_ascii=match["string"].isascii())
        return match.group() if after == before else written + (match["colon"] or "")

    return JSON_TOKEN.sub(token, text)


def another(key: str, taken: set[str]) -> str:
    """Return a key that is not taken yet, and take it: two spellings of one address must not become one entry."""
    while key in taken:
        key += "_"
    taken.add(key)
    return key
