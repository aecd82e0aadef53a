"""Regular expressions of scenarios on texts of models: with a time limit, since some take exponential time.

Decisions: the patterns are Python's; the `regex` package runs them, because it can be told when to stop. One that does
not come to an end raises, so that its validator has no say: neither passed nor failed would be true.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import regex

MOST_SECONDS = 0.5
"""How long one pattern may take on one text; those that suit their purpose take microseconds."""


def matches_whole(pattern: str, text: str) -> bool:
    """Say whether `pattern` matches all of `text`. Raises `TimeoutError`."""
    return _timed(_compiled(pattern, False).fullmatch, pattern, text)


def occurs(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    """Say whether `pattern` matches somewhere in `text`. Raises `TimeoutError`."""
    return _timed(_compiled(pattern, ignore_case).search, pattern, text)


def pattern_mistake(pattern: str) -> str | None:
    """Return why `pattern` is no regular expression, or None."""
    try:
        _compiled(pattern, False)
    except (regex.error, RecursionError, OverflowError) as error:
        return str(error)
    return None


def _timed(match: Callable[..., Any], pattern: str, text: str) -> bool:
    try:
        return match(text, timeout=MOST_SECONDS) is not None
    except TimeoutError:
        took = f"{pattern!r} took more than {MOST_SECONDS:g} s on a text of {len(text)} characters"
        raise TimeoutError(f"expected a regular expression that comes to an end, found that {took}") from None


@functools.lru_cache(maxsize=1024)
def _compiled(pattern: str, ignore_case: bool) -> Any:
    return regex.compile(pattern, regex.IGNORECASE if ignore_case else 0)
