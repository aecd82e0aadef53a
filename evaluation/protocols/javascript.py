"""Values as JavaScript sees them: the agents whose parsers are reproduced here are written in it.

Sources: ECMA-262 (`TrimString`, `ToBoolean`, `StringToNumber`, numbers of `JSON.parse`).
"""

from __future__ import annotations

import math
import re
from typing import Any

WHITESPACE = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""What `trim` takes away. Python's `strip` takes U+001C to U+001F and U+0085, too, and leaves U+FEFF."""

_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)", re.ASCII)
_RADIX = re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)")


def trim(text: str) -> str:
    """Return the text without whitespace at its ends."""
    return text.strip(WHITESPACE)


def truthy(value: Any) -> bool:
    """Return whether a JSON value counts as true: all but null, false, 0 and empty text; empty arrays do."""
    return bool(value) if value is None or isinstance(value, bool | int | float | str) else True


def to_number(text: str) -> int | float | None:
    """Return the number that the text spells; None where it spells none, or none that is finite. No text spells 0."""
    stripped = trim(text)
    if not stripped:
        return 0
    if _RADIX.fullmatch(stripped):
        return int(stripped, 0) if len(stripped) < 300 else None
    return double(stripped) if _DECIMAL.fullmatch(stripped) else None


def double(text: str) -> int | float | None:
    """Return the number that JSON text spells, in double precision, an integral one as an `int`.

    One beyond its range is null, as when it is written out again.
    """
    number = float(text)
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) < 2**53 else number
