"""Is the value that a model gave the one that was expected?

Decisions: JSON types count (`True` is not 1, "5" is not 5). Equal numbers are the same, but where the schema says
`integer`, 5.0 is not 5. Texts are compared without the spaces around them. What says the same is taken as equal with
less confidence: other case, single for double quotes, a comma or space for the other, a full stop at the end; in a
phrase also a full stop after any word, a hyphen between two words, and the number of spaces. All other punctuation
counts, and so do line breaks; a text of one word (an id, a date, a path, an address) keeps everything but its end.
A scenario may ask for less, numbers within a tolerance, or for more, texts to the character (`How`).
Not covered: synonyms, abbreviations and date formats: a scenario lists those under `any_of`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

EXACT = 1.0
"""The values are the same."""
LOOSE = 0.6
"""The values differ in case or punctuation only."""
DIFFERENT = 0.0


class How(NamedTuple):
    """How two values are compared, at every depth."""

    tolerance: float = 0.0
    """How far two numbers may lie apart."""
    to_the_character: bool = False
    """Texts are the same only if each character is."""


AS_USUAL = How()

_COMMA = re.compile(r"(?<!\d),|,(?!\d)")
_LETTER = r"[^\W\d_]"
_SILENT = re.compile(rf"(?<=[^\s.,/])[.,]+(?= |$)|(?<={_LETTER})-(?={_LETTER})")
"""Punctuation that may be missing from a phrase."""


def likeness(expected: Any, found: Any, schema: Mapping[str, Any] | None = None, how: How = AS_USUAL) -> float:
    """Return how surely two JSON values are the same: `EXACT`, `LOOSE` or `DIFFERENT`.

    `schema`: the JSON Schema of the value, where known.
    """
    if isinstance(expected, str) and isinstance(found, str):
        if how.to_the_character:
            return EXACT if expected == found else DIFFERENT
        return _texts(expected.strip(" "), found.strip(" "))
    if isinstance(expected, list | tuple) and isinstance(found, list | tuple):
        return _lists(expected, found, schema or {}, how)
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        return _objects(expected, found, schema or {}, how)
    if is_number(expected) and is_number(found):
        whole = isinstance(found, int) or isinstance(expected, float) or _allows_float(schema or {})
        return EXACT if whole and within(expected, found, how.tolerance) else DIFFERENT
    return EXACT if type(expected) is type(found) and expected == found else DIFFERENT


def best_likeness(
    any_of: Iterable[Any], found: Any, schema: Mapping[str, Any] | None = None, how: How = AS_USUAL
) -> float:
    """Return the likeness of `found` to the acceptable value that it is most like."""
    return max((likeness(value, found, schema, how) for value in any_of), default=DIFFERENT)


def within(expected: float, found: float, tolerance: float) -> bool:
    """Say whether two numbers lie at most `tolerance` apart, as they are written (1.3 and 1.2 by no more than 0.1)."""
    if expected == found:
        return True
    if not tolerance:
        return False
    one, other = _decimal(expected), _decimal(found)
    return one.is_finite() and other.is_finite() and abs(one - other) <= _decimal(tolerance)


def is_number(value: Any) -> bool:
    """Say whether a JSON value is a number; `True` is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def items_of(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of a list's items; empty where it says nothing of all of them."""
    items = schema.get("items")
    return items if isinstance(items, Mapping) else {}


def _texts(expected: str, found: str) -> float:
    if expected == found:
        return EXACT
    return LOOSE if _folded(expected) == _folded(found) else DIFFERENT


def _folded(text: str) -> str:
    folded = _COMMA.sub(" ", text.lower().replace("'", '"')).strip(" ")
    if " " not in folded:
        return folded.rstrip(".,") or folded or text
    return " ".join(filter(None, _SILENT.sub(" ", folded).split(" ")))


def _lists(
    expected: list[Any] | tuple[Any, ...], found: list[Any] | tuple[Any, ...], schema: Mapping[str, Any], how: How
) -> float:
    if len(expected) != len(found):
        return DIFFERENT
    inner = items_of(schema)
    return min((likeness(e, f, inner, how) for e, f in zip(expected, found, strict=True)), default=EXACT)


def _objects(expected: Mapping[str, Any], found: Mapping[str, Any], schema: Mapping[str, Any], how: How) -> float:
    if expected.keys() != found.keys():
        return DIFFERENT
    inner = properties(schema)
    return min((likeness(expected[key], found[key], inner.get(key), how) for key in expected), default=EXACT)


def properties(schema: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """Return the schemas of an object's properties, those that are objects themselves."""
    found = schema.get("properties")
    return {k: v for k, v in found.items() if isinstance(v, Mapping)} if isinstance(found, Mapping) else {}


def _decimal(number: float) -> Decimal:
    return Decimal(repr(number) if isinstance(number, float) else number)


def _allows_float(schema: Mapping[str, Any]) -> bool:
    declared = schema.get("type", "number")
    return "number" in (declared if isinstance(declared, list) else [declared])
