"""JSON by the book (RFC 8259): what Python reads beyond it, NaN and Infinity, is refused."""

from __future__ import annotations

import json
from typing import Any

from evaluation.protocols import javascript


class NotJson(ValueError):
    """The text is no JSON; the message says why, and with which error it was noticed."""


def parse_json(text: str, *, doubles: bool = False) -> Any:
    """Return the value of JSON text. Raises `NotJson`, also where values are nested too deep to be read.

    `doubles`: all numbers in double precision, as JavaScript has them; else integers are exact.
    """
    number = javascript.double if doubles else None
    try:
        return json.loads(text, parse_int=number, parse_float=number, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise NotJson(f"{type(error).__name__}: {str(error)[:100]}") from error


def _refused(name: str) -> Any:
    raise ValueError(f"there is no {name} in JSON")
