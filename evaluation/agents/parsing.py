"""What a step's output says: pure functions from text to a value, or None where it cannot be read.

Decisions: none raises, whatever the text. They read past what models put around an answer (numbering, code fences, a
sentence before it) and do not guess: two answers, or none, cannot be read. Sub-questions stand one on a line, because
questions contain commas. Only those that are the same are dropped: a digit makes another order number.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from evaluation.agents.similarity import same_words

_YES_NO = re.compile(r"\b(yes|no)\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.])-?[0-9]{1,4}(?![\w]|\.[0-9])")
_BULLET = re.compile(r"^\s*(?:[-*•]+|\(?[0-9]{1,3}[.):]|(?:sub-?)?question\s*[0-9]*\s*:)\s*", re.IGNORECASE)
_NONE = frozenset({"none", "unknown", "null", "not given", "n/a", ""})
_THOUGHT = re.compile(r"^\s*Thought(?: [0-9]+)?\s*:\s*", re.IGNORECASE)
_OBSERVATION = re.compile(r"^[ \t]*Observation\b", re.IGNORECASE | re.MULTILINE)
_ACTION = re.compile(
    r"^[ \t]*Action(?: [0-9]+)?[ \t]*:[ \t]*([\w.-]+)[ \t]*[\[(]?(?:[ \t]*\n[ \t]*Action Input[ \t]*:)?",
    re.IGNORECASE | re.MULTILINE,
)
_ANSWER = re.compile(r"^[ \t]*(?:Final )?Answer[ \t]*:", re.IGNORECASE | re.MULTILINE)


class Move(NamedTuple):
    """What one step of `react` decides: a call, or an answer."""

    thought: str
    tool: str = ""
    """Empty: the answer."""
    arguments: dict[str, Any] | None = None
    answer: str = ""


class Extracted(NamedTuple):
    """A value that was taken from a text."""

    value: Any
    given: bool
    """False: the text says that it is not there."""


def some_text(text: str) -> str | None:
    """Return the text without blanks around it; None where nothing is left."""
    return text.strip() or None


def yes_or_no(text: str) -> bool | None:
    """Return what the text answers; None where it says neither, or both."""
    said = {found.casefold() for found in _YES_NO.findall(text)}
    return said == {"yes"} if len(said) == 1 else None


def choice(text: str, numbers: Mapping[str, int]) -> int | None:
    """Return the number that was chosen: the first one in the text, else that of the only name in it.

    `numbers`: what may be chosen, by name. None where the text chooses nothing of it.
    """
    found = _NUMBER.search(text)
    if found is not None:
        number = int(found[0])
        return number if number in numbers.values() else None
    words = {word.strip(".-") for word in re.findall(r"[\w.-]+", text)}
    named = [number for name, number in numbers.items() if name in words]
    return named[0] if len(named) == 1 else None


def lines(text: str) -> tuple[str, ...] | None:
    """Return the sub-questions, one a line, without numbering, headings and repetitions; None where there is none."""
    kept: dict[str, str] = {}
    for bare in (_BULLET.sub("", line).strip() for line in text.splitlines()):
        if len(bare) > 1 and not bare.startswith("```") and not bare.endswith(":"):
            kept.setdefault(same_words(bare), bare)
    return tuple(kept.values()) or None


def json_object(text: str) -> dict[str, Any] | None:
    """Return the first JSON object in the text; braces that are missing around or behind it are put there."""
    start, bare = text.find("{"), text.strip("` \n")
    candidates = [text[start:], text[start:] + _closing(text[start:])] if start >= 0 else []
    if bare.startswith('"') or (start < 0 and '"' in bare):
        candidates.insert(0, "{" + bare[bare.index('"') :] + "}")
    for candidate in candidates:
        found = _decoded(candidate)
        if isinstance(found, dict):
            return found
    return None


def move(text: str) -> Move | None:
    """Return the first action or answer in a step of `react`; what follows a made-up observation does not count."""
    invented = _OBSERVATION.search(text)
    said = text[: invented.start()] if invented else text
    action, answer = _ACTION.search(said), _ANSWER.search(said)
    if answer is not None and (action is None or answer.start() < action.start()):
        told = said[answer.end() :].strip()
        return Move(_thought(said[: answer.start()]), answer=told) if told else None
    if action is None:
        return None
    rest = said[action.end() :]
    arguments = json_object(rest) if rest.strip("]) `\n") else {}
    return Move(_thought(said[: action.start()]), action[1], arguments) if arguments is not None else None


def extracted(text: str, schema: Mapping[str, Any]) -> Extracted | None:
    """Return the value that the text states, as the parameter's JSON Schema has it; None where it cannot be read."""
    bare = text.strip().strip("`").strip()
    if bare.rstrip(".").casefold() in _NONE:
        return Extracted(None, given=False)
    for option in schema.get("enum", ()):
        if same_words(str(option)) == same_words(bare.strip("\"'")):
            return Extracted(option, given=True)
    match schema.get("type"):
        case "integer" | "number" | "boolean" | "array" | "object" as kind:
            value = _typed(bare, kind)
            return None if value is None else Extracted(value, given=True)
        case _:
            return Extracted(_unquoted(bare), given=True)


def _typed(text: str, kind: str) -> Any:
    if kind == "boolean":
        return yes_or_no(re.sub(r"\b(?:true|false)\b", _as_yes_or_no, text, flags=re.IGNORECASE))
    if kind in ("integer", "number"):
        numbers = re.findall(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?", text.replace(",", ""))
        value = json.loads(_plain_number(numbers[0])) if len(numbers) == 1 else None
        return value if kind == "number" or isinstance(value, int) else None
    value = _decoded(text)
    return value if isinstance(value, list if kind == "array" else dict) else None


def _plain_number(text: str) -> str:
    """Return the number without the leading zeros that JSON does not have."""
    return re.sub(r"^(-?)0+(?=[0-9])", r"\1", text)


def _as_yes_or_no(found: re.Match[str]) -> str:
    return "yes" if found[0].casefold() == "true" else "no"


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _thought(text: str) -> str:
    return _THOUGHT.sub("", text).strip()


def _decoded(text: str) -> Any:
    """Return the JSON value that the text begins with; None where it begins with none."""
    try:
        value, _ = json.JSONDecoder(parse_float=_finite, parse_constant=_refused).raw_decode(text.strip())
    except (ValueError, RecursionError):
        return None
    return value


def _finite(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError(f"expected a number that can be written, found {text}")
    return number


def _refused(name: str) -> Any:
    raise ValueError(f"there is no {name} in JSON")


def _closing(text: str) -> str:
    """Return the quote and brackets that are open at the end of JSON text, closed."""
    still_open: list[str] = []
    inside = escaped = False
    for character in text:
        if inside:
            inside = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            inside = True
        elif character in "{[":
            still_open.append("}" if character == "{" else "]")
        elif character in "}]" and still_open:
            still_open.pop()
    return ('"' if inside else "") + "".join(reversed(still_open))
