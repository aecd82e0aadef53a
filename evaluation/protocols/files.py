"""Lists of files to read, in the forms that agents took over the years.

In XML: `<file><path>a.py</path><line_range>1-50</line_range></file>` inside one parameter, and before that `path` with
`start_line` and `end_line`. In native calls: an array of objects with `path` and `line_ranges`.
Source of the behaviour: github.com/RooCodeInc/Roo-Code, releases 3.36 and 3.52, observed and described; written anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from evaluation.protocols import javascript, markup
from evaluation.protocols.strict_json import NotJson, parse_json

_RANGE = re.compile(r"([0-9]+)-([0-9]+)")
_INTEGER = re.compile(r"\s*([+-]?[0-9]+)")


class AskedFile(NamedTuple):
    """One file of a list in markup."""

    readable: bool
    """Whether the path is plain text."""
    backwards: bool
    """Whether a range of lines ends before it begins; such a file is not read."""


def asked_for(arguments: Mapping[str, Any], parameter: str, older: str) -> list[AskedFile]:
    """Return the files that a call asks for; those without a path are left out. Raises `markup.Unreadable`."""
    listed = arguments.get(parameter)
    if isinstance(listed, str) and listed:
        found = (_asked(element) for element in markup.read(listed).all("file"))
        return [one for one in found if one is not None]
    if not arguments.get(older):
        return []
    first, last = (_integer(arguments.get(name)) for name in ("start_line", "end_line"))
    return [AskedFile(True, first is not None and last is not None and 0 < last < first)]


def _asked(element: markup.Element) -> AskedFile | None:
    paths = element.all("path")
    if not paths or (len(paths) == 1 and paths[0].plain and not paths[0].text):
        return None
    ranges = (_RANGE.search(found.text) for found in element.all("line_range") if found.plain)
    backwards = any(found is not None and _number(found[1]) > _number(found[2]) for found in ranges)
    return AskedFile(len(paths) == 1 and paths[0].plain, backwards)


def _number(digits: str) -> float:
    return float(digits)


def _integer(text: Any) -> int | None:
    """Return the number that a text begins with, where it is positive."""
    found = _INTEGER.match(text) if isinstance(text, str) else None
    number = None if found is None else javascript.to_number(found[1])
    return int(number) if number is not None and number > 0 else None


def listed(value: Any) -> list[dict[str, Any]] | None:
    """Return the entries of an array of files, or of JSON text of one, as the agent takes them; None where it has none.

    Raises `ValueError` where an entry is null.
    """
    if isinstance(value, str):
        try:
            value = parse_json(value, doubles=True)
        except NotJson:
            return None
    if not isinstance(value, list) or not value:
        return None
    return [_entry(entry) for entry in value]


def _entry(entry: Any) -> dict[str, Any]:
    if entry is None:
        raise ValueError("expected an object for each file, found null")
    fields = entry if isinstance(entry, dict) else {}
    out: dict[str, Any] = {"path": fields["path"]} if "path" in fields else {}
    if isinstance(fields.get("line_ranges"), list):
        ranges = (_line_range(one) for one in fields["line_ranges"])
        out["lineRanges"] = [one for one in ranges if one is not None]
    return out


def _line_range(value: Any) -> dict[str, Any] | None:
    """Return a range of lines from `[1, 50]`, `{"start": 1, "end": 50}` or `"1-50"`."""
    match value:
        case [start, end, *_]:
            return {"start": _as_number(start), "end": _as_number(end)}
        case {"start": start, "end": end}:
            return {"start": _as_number(start), "end": _as_number(end)}
        case str() if found := _RANGE.fullmatch(value):
            return {"start": _as_number(found[1]), "end": _as_number(found[2])}
    return None


def _as_number(value: Any) -> int | float | None:
    """Return what `Number(value)` gives; what is no number is null, as when it is written out."""
    if isinstance(value, str):
        return javascript.to_number(value)
    if value is None or isinstance(value, bool):
        return int(bool(value))
    return value if isinstance(value, int | float) else None
