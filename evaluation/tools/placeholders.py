"""Arguments into requests: a value fills the place it is given, and can reach no further.

A text that is only `{x}` keeps the value's type, otherwise the value is written into the text. Values are never
searched for placeholders again. In a URL everything but letters, digits and `-._~` is percent-encoded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_-]*)\}")


class Unfit(ValueError):
    """A value that the place it is for cannot hold; the message names the argument."""


def names_in(template: Any) -> set[str]:
    """Return the names of all placeholders of a JSON value."""
    if isinstance(template, str):
        return set(PLACEHOLDER.findall(template))
    items = (
        template.values() if isinstance(template, Mapping) else template if isinstance(template, list | tuple) else ()
    )
    return set().union(*map(names_in, items))


def inside_texts(template: Any) -> set[str]:
    """Return the names of the placeholders that are not the whole of their text."""
    if isinstance(template, str):
        return set() if PLACEHOLDER.fullmatch(template) else names_in(template)
    items = (
        template.values() if isinstance(template, Mapping) else template if isinstance(template, list | tuple) else ()
    )
    return set().union(*map(inside_texts, items))


def filled(template: Any, values: Mapping[str, Any]) -> Any:
    """Return a JSON value with its placeholders filled. Items whose value was not given are left out."""
    if isinstance(template, str):
        alone = PLACEHOLDER.fullmatch(template)
        return values.get(alone[1]) if alone else PLACEHOLDER.sub(lambda m: as_text(values[m[1]]), template)
    if isinstance(template, Mapping):
        return {key: filled(item, values) for key, item in template.items() if _is_given(item, values)}
    if isinstance(template, list | tuple):
        return [filled(item, values) for item in template if _is_given(item, values)]
    return template


def _is_given(template: Any, values: Mapping[str, Any]) -> bool:
    alone = PLACEHOLDER.fullmatch(template) if isinstance(template, str) else None
    return alone is None or alone[1] in values


def as_text(value: Any) -> str:
    """Return a JSON value inside a text: texts as they are, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False)


def filled_header(template: str, values: Mapping[str, Any]) -> str:
    """Return a header's value. Raises `Unfit` for what would be more than that value."""
    for name in PLACEHOLDER.findall(template):
        if re.search(r"[^\x20-\x7e]", as_text(values[name])):
            raise Unfit(f"{name}: expected printable ASCII, since it goes into a header")
    return PLACEHOLDER.sub(lambda m: as_text(values[m[1]]), template).strip()


def filled_url(template: str, query: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """Return the URL that a template and further query parameters come to. Raises `Unfit`."""
    parts = urlsplit(template)
    path = "/".join(_segment(segment, values) for segment in parts.path.split("/"))
    own = PLACEHOLDER.sub(lambda m: _quoted(m[1], values[m[1]]), parts.query)
    more = [f"{quote(key, safe='')}={text}" for key, item in query.items() for text in _query_texts(key, item, values)]
    asked = "&".join(filter(None, [own, *more]))
    return f"{parts.scheme}://{parts.netloc}{path or '/'}{'?' if asked else ''}{asked}"


def _segment(template: str, values: Mapping[str, Any]) -> str:
    """Return one segment of a path; a value can neither leave it nor make it vanish."""
    names = PLACEHOLDER.findall(template)
    for name in names:
        text = as_text(values[name])
        if not text or {".", ".."} & set(re.split(r"[/\\]", text)) or re.search(r"[\x00-\x1f\x7f]", text):
            raise Unfit(f"{name}: expected a text that can be part of a path, found {text[:80]!r}")
    segment = PLACEHOLDER.sub(lambda m: _quoted(m[1], values[m[1]]), template)
    if names and segment in (".", ".."):
        raise Unfit(f"{names[0]}: expected a text that can be part of a path, found {segment!r}")
    return segment


def _query_texts(key: str, template: Any, values: Mapping[str, Any]) -> list[str]:
    if not _is_given(template, values):
        return []
    value = filled(template, values)
    items = value if isinstance(value, list) else [] if value is None else [value]
    return [_quoted(key, item) for item in items]


def _quoted(name: str, value: Any) -> str:
    try:
        return quote(as_text(value), safe="")
    except ValueError as error:  # a lone surrogate
        raise Unfit(f"{name}: expected a text that UTF-8 can hold") from error
