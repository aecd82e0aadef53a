"""JSON by the book (RFC 8259): what Python reads beyond it, NaN and Infinity, is refused.

Python's own reader goes as deep as the stack lets it, so that a text could be read in one place and not in another;
here the depth is counted.
"""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

from evaluation.protocols import javascript

DEEPEST = 500
"""Levels of arrays and objects within one another that are read."""

_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{\]}]', re.DOTALL)
"""Strings, whose brackets do not count, and brackets."""

_STEP = {"[": 1, "{": 1, "]": -1, "}": -1}


class NotJson(ValueError):
    """The text is no JSON; the message says why, and with which error it was noticed."""


def parse_json(text: str, *, doubles: bool = False) -> Any:
    """Return the value of JSON text. Raises `NotJson`, also where values are nested deeper than `DEEPEST`.

    `doubles`: all numbers in double precision, as JavaScript has them; else integers are exact.
    """
    if _too_deep(text):
        raise NotJson(f"more than {DEEPEST} levels of nesting")
    number = javascript.double if doubles else None
    try:
        return json.loads(text, parse_int=number, parse_float=number, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise NotJson(f"{type(error).__name__}: {str(error)[:100]}") from error


def _too_deep(text: str) -> bool:
    if text.count("[") + text.count("{") <= DEEPEST:
        return False
    steps = (_STEP.get(found[0], 0) for found in _BRACKETS.finditer(text))
    return any(depth > DEEPEST for depth in itertools.accumulate(steps))


def _refused(name: str) -> Any:
    raise ValueError(f"there is no {name} in JSON")
