"""Is the value that a model gave the one that was expected?

Decisions: JSON types count (`True` is not 1, "5" is not 5); 5 equals 5.0 only where the schema says `number`. Texts are
compared after trimming. Texts that differ in case only, and phrases that differ in case and punctuation only, are taken
as equal with less confidence; a text without inner blanks (an id, a date, a path, an address) keeps its punctuation.
Not covered: synonyms, abbreviations and date formats: a scenario lists those under `any_of`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

EXACT = 1.0
"""The values are the same."""
LOOSE = 0.6
"""The values differ in case or punctuation only."""
DIFFERENT = 0.0

_WORD = re.compile(r"(?<!\w)[-+]?\d+(?:\.\d+)?|\w+")


def likeness(expected: Any, found: Any, schema: Mapping[str, Any] | None = None) -> float:
    """Return how surely two JSON values are the same: `EXACT`, `LOOSE` or `DIFFERENT`.

    `schema`: the JSON Schema of the value, where known.
    """
    if isinstance(expected, str) and isinstance(found, str):
        return _texts(expected.strip(), found.strip())
    if isinstance(expected, list | tuple) and isinstance(found, list | tuple):
        return _lists(expected, found, schema or {})
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        return _objects(expected, found, schema or {})
    if _is_number(expected) and _is_number(found):
        same = expected == found and (type(expected) is type(found) or _allows_float(schema or {}))
        return EXACT if same else DIFFERENT
    return EXACT if type(expected) is type(found) and expected == found else DIFFERENT


def best_likeness(any_of: Iterable[Any], found: Any, schema: Mapping[str, Any] | None = None) -> float:
    """Return the likeness of `found` to the acceptable value that it is most like."""
    return max((likeness(value, found, schema) for value in any_of), default=DIFFERENT)


def _texts(expected: str, found: str) -> float:
    if expected == found:
        return EXACT
    return LOOSE if _folded(expected) == _folded(found) else DIFFERENT


def _folded(text: str) -> str:
    folded = text.casefold()
    return " ".join(_WORD.findall(folded)) or folded if re.search(r"\s", folded) else folded.rstrip(".!?") or folded


def _lists(
    expected: list[Any] | tuple[Any, ...], found: list[Any] | tuple[Any, ...], schema: Mapping[str, Any]
) -> float:
    if len(expected) != len(found):
        return DIFFERENT
    items = schema.get("items")
    inner = items if isinstance(items, Mapping) else None
    return min((likeness(e, f, inner) for e, f in zip(expected, found, strict=True)), default=EXACT)


def _objects(expected: Mapping[str, Any], found: Mapping[str, Any], schema: Mapping[str, Any]) -> float:
    if expected.keys() != found.keys():
        return DIFFERENT
    inner = properties(schema)
    return min((likeness(expected[key], found[key], inner.get(key)) for key in expected), default=EXACT)


def properties(schema: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """Return the schemas of an object's properties, those that are objects themselves."""
    found = schema.get("properties")
    return {k: v for k, v in found.items() if isinstance(v, Mapping)} if isinstance(found, Mapping) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _allows_float(schema: Mapping[str, Any]) -> bool:
    declared = schema.get("type")
    return "number" in (declared if isinstance(declared, list) else [declared])
