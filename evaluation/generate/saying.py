"""How a value is said in a request: literally, or in a form that stands for one value only.

Decisions: numbers in digits; dates as they are or in words ("March 5, 2025"); texts in quotation marks where they
have spaces, punctuation or no letters; the underscores of an enum's value may be spaces; lists with commas and "and".
What has layers is said in JSON, as people paste it.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from evaluation.generate import vocabulary
from evaluation.generate.names import label

_QUOTED_TOPICS = frozenset(
    {"message", "note", "subject", "event", "task", "name_of_thing", "movie", "book", "song", "topic"}
)
_LONG = 3
"""Spaces from which on a text is always marked."""
_SENTENCES = frozenset({"message", "note", "subject", "task"})
"""Topics of which nobody could tell where a text ends without the marks."""
_PLAIN = re.compile(r"[\w][\w.@:/+'&-]*(?:,? [\w.@:/+'&-]+){0,5}")
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")


def said(value: Any, name: str, schema: Mapping[str, Any], random: Random) -> str:
    """Return `value` of the parameter `name` as a request says it."""
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case int() | float():
            return _number(value, name, random)
        case str():
            return _text(value, name, schema, random)
        case list():
            return _list(value, name, schema, random)
    return _object(value, random)


def _number(value: float, name: str, random: Random) -> str:
    if isinstance(value, int) and abs(value) >= 10_000 and not vocabulary.topic_of(name) and random.random() < 0.3:
        return f"{value:,}"
    return json.dumps(value)


def _text(value: str, name: str, schema: Mapping[str, Any], random: Random) -> str:
    options = schema.get("enum")
    if isinstance(options, list) and "_" in value and re.fullmatch(r"[A-Za-z_]+", value) and random.random() < 0.5:
        return value.replace("_", " ").lower()
    if date_in_words(value) and random.random() < 0.35:
        return date_in_words(value)
    plain = _PLAIN.fullmatch(value) is not None and not value.endswith((".", ":", "'", ",", "-"))
    topic = vocabulary.topic_of(name)
    wants_marks = " " in value and topic in _QUOTED_TOPICS and not isinstance(options, list)
    if (
        plain
        and value.count(" ") < _LONG
        and not (wants_marks and (topic in _SENTENCES or random.random() < 0.8))
        and not (topic == "code" and random.random() < 0.15)
    ):
        return value
    return quoted(value)


def quoted(value: str) -> str:
    """Return `value` in quotation marks that do not occur in it."""
    for before, after in (('"', '"'), ("'", "'"), ("“", "”")):
        if before not in value and after not in value:
            return f"{before}{value}{after}"
    return f"`{value}`"


def date_in_words(value: str) -> str:
    """Return an ISO date as `March 5, 2025`, or an empty text for anything else."""
    found = _DATE.fullmatch(value)
    if found is None:
        return ""
    try:
        date = datetime.date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return ""
    return f"{_MONTHS[date.month - 1]} {date.day}, {date.year}"


_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December")  # fmt: skip


def _list(value: list[Any], name: str, schema: Mapping[str, Any], random: Random) -> str:
    items = schema.get("items")
    inner = items if isinstance(items, Mapping) else {}
    if not value:
        return "an empty list"
    if any(isinstance(one, list | dict | bool) or one is None for one in value):
        return json.dumps(value, ensure_ascii=False)
    texts = [said(one, name, inner, random) for one in value]
    if any("," in text for text in texts):
        texts = [quoted(one) if isinstance(one, str) else json.dumps(one) for one in value]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def _object(value: Mapping[str, Any], random: Random) -> str:
    flat = all(isinstance(one, str | int | float) and not isinstance(one, bool) and one != "" for one in value.values())
    if value and flat and random.random() < 0.7:
        parts = [f"{label(key)} {said(one, key, {}, random)}" for key, one in value.items()]
        return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return json.dumps(value, ensure_ascii=False)


def says_all(text: str, arguments: Mapping[str, Any]) -> list[str]:
    """Return the values of `arguments` that `text` does not say; yes and no are not looked for."""
    plain = _plain(text)
    return [str(value) for value in _leaves(arguments) if not any(_plain(form) in plain for form in _forms(value))]


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner)
    elif not isinstance(value, bool) and value is not None and value != "":
        yield value


def _forms(value: Any) -> list[str]:
    if isinstance(value, str):
        escaped = json.dumps(value, ensure_ascii=False)[1:-1]
        return [
            value,
            escaped,
            *filter(None, [date_in_words(value)]),
            *([value.replace("_", " ")] if "_" in value else []),
        ]
    return [json.dumps(value), f"{value:,}"] if isinstance(value, int) else [json.dumps(value)]


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.casefold())
