"""Where an argument stands in a sentence: behind a preposition, or by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random
from typing import Any

from evaluation.generate import vocabulary
from evaluation.generate.actions import action_of
from evaluation.generate.names import article, label, words
from evaluation.generate.values import is_number, type_of
from evaluation.scenarios import ToolDef

_BY_MEANING = {
    "from": "origin departure source from start begin beginning since checkin old base",
    "to": "destination arrival target to end until checkout new finish dest",
    "counted": "guests people adults children passengers nights days weeks months years hours minutes seconds persons "
    "servings rooms tickets",
    "about": "topic query keyword keywords search term",
    "called": "title name filename",
    "company": "attendees guests participants attendee",
    "recipient": "to recipient recipients email",
    "sending": "send email forward mail post write",
    "switch": "include show send allow enable use exclude add return ignore skip notify round sort save force print "
    "delete display keep",
}
_WORDS = {meaning: frozenset(text.split()) for meaning, text in _BY_MEANING.items()}

_PREPOSITIONS = {
    # topic: without a direction, from, to
    "city": ("in", "from", "to"),
    "state": ("in", "from", "to"),
    "country": ("in", "from", "to"),
    "airport": ("in", "from", "to"),
    "address": ("in", "from", "to"),
    "currency": ("in", "from", "to"),
    "date": ("on", "from", "until"),
    "weekday": ("on", "from", "until"),
    "month": ("in", "from", "until"),
    "time": ("at", "from", "until"),
}


def placed(name: str, value: Any, text: str, tool: ToolDef, *, schema: Mapping[str, Any]) -> str:
    """Return an argument with its preposition, or an empty text where only its name tells what it is."""
    parts = words(name)
    if not parts or isinstance(value, dict) or text.startswith(("[", "{", "an empty")):
        return ""
    if type_of(schema) in ("integer", "number"):
        return f"for {text} {parts[0]}" if parts in _only("counted") and value not in (0, 1) else ""
    if parts in (("from",), ("to",)):
        return f"{parts[0]} {text}"
    topic = vocabulary.topic_of(name, tool.name, str(schema.get("description", "")))
    if topic in _PREPOSITIONS and not (isinstance(value, list) and topic in ("date", "weekday", "month", "time")):
        around, start, end = _PREPOSITIONS[topic]
        return f"{start if set(parts) & _WORDS['from'] else end if set(parts) & _WORDS['to'] else around} {text}"
    return _by_word(parts, value, text, _verb(tool))


def _by_word(parts: tuple[str, ...], value: Any, text: str, verb: str) -> str:
    """Return an argument with the preposition that a word of its name asks for."""
    is_marked = text[:1] in "\"'“" and text != ""
    if parts[-1] == "language":
        return f"{'from' if set(parts) & _WORDS['from'] else 'into' if set(parts) & _WORDS['to'] else 'in'} {text}"
    if parts in (("unit",), ("units",)):
        return f"in {text}"
    if parts in _only("recipient") and verb in _WORDS["sending"]:
        return f"to {text}"
    if parts[-1] in _WORDS["company"]:
        return f"with {text}"
    if parts in (("message",), ("text",), ("body",)) and is_marked and verb in _WORDS["sending"]:
        return f"saying {text}"
    if set(parts) <= _WORDS["about"] and not isinstance(value, list):
        return f"for {text}"
    return f"called {text}" if parts in _only("called") and is_marked else ""


def by_name(said_name: str, text: str, value: Any, random: Random) -> str:
    """Return an argument by its name: "a radius of 3", "duration 45", "3 guests"."""
    if not is_number(value):
        return f"{said_name} {text}"
    if said_name.startswith("number of "):
        return f"{text} {said_name.removeprefix('number of ')}"
    if said_name in _WORDS["counted"] and value != 1:
        return f"{text} {said_name}"
    return f"{article(said_name)} {said_name} of {text}" if random.random() < 0.6 else f"{said_name} {text}"


def counted(said_name: str) -> str:
    """Return a parameter's name as a thing that has a value: "guests" is "number of guests"."""
    return f"number of {said_name}" if said_name in _WORDS["counted"] else said_name


def switch(name: str, value: bool) -> str:
    """Return a yes or no as something to do: "include taxes", "do not include taxes", "set verbose to true"."""
    parts = words(name)
    if parts and parts[0] in _WORDS["switch"]:
        return label(name) if value else f"do not {label(name)}"
    bare = "_".join(parts[1:]) if parts[:1] in (("is",), ("has",)) and parts[1:] else name
    return f"set {label(bare)} to {'true' if value else 'false'}"


def name_of(name: str, schema: Mapping[str, Any]) -> str:
    """Return what a parameter is called: its name, with what its description calls it where that is a letter or two."""
    if name == "id" or (len(name) > 2 and name not in _SAY_LITTLE):
        return label(name)
    described = str(schema.get("description", ""))
    first = re.split(r"[.,;:()]|\b(?:of|in|from|for|to|that|which|as|at|on|between)\b", described)[0]
    short = re.sub(r"^(?:the|an?)\s+", "", first.strip(), flags=re.IGNORECASE)
    if name in _SAY_LITTLE:
        return short.lower() if short else name
    return f"{short.lower()} {name}" if re.fullmatch(r"[A-Za-z]+(?: [A-Za-z]+){0,2}", short) else name


_SAY_LITTLE = frozenset({"to", "from", "by", "at", "on", "in", "of", "for", "with"})
"""Names that are no nouns: the description has one."""


def two_alike(texts: Mapping[str, str]) -> tuple[str, ...]:
    """Return two parameters of one kind, `place1` and `place2`, where there are just these two of it."""
    for first in texts:
        if first.endswith("1") and len(first) > 2:
            second = first[:-1] + "2"
            if second in texts and first[:-1] + "3" not in texts and not texts[first].startswith(("[", "{")):
                return (first, second)
    return ()


def _verb(tool: ToolDef) -> str:
    return action_of(tool.name, tool.description).verb


def _only(meaning: str) -> frozenset[tuple[str, ...]]:
    return _SINGLE[meaning]


_SINGLE = {meaning: frozenset((word,) for word in found) for meaning, found in _WORDS.items()}
