"""Texts that a regular expression matches, drawn from its syntax tree.

Limits: look-arounds, back references and conditionals are not drawn; whoever asks checks the text and draws again.
"""

from __future__ import annotations

import functools
import re
from random import Random

# The parser that `re` itself uses: the standard library has no public one.
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

_MOST_REPEATS = 6
"""Repetitions beyond the least that an open quantifier gets."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_CATEGORIES = {
    codes.CATEGORY_DIGIT: "0123456789",
    codes.CATEGORY_WORD: _LETTERS + _LETTERS.upper() + "0123456789_",
    codes.CATEGORY_SPACE: " ",
    codes.CATEGORY_NOT_DIGIT: _LETTERS,
    codes.CATEGORY_NOT_WORD: "-. ",
    codes.CATEGORY_NOT_SPACE: _LETTERS + "0123456789",
}
_PRINTABLE = "".join(map(chr, range(32, 127)))


def text_for(pattern: str, random: Random) -> str | None:
    """Return a text in which `pattern` is found, or None where none was drawn or the pattern is none."""
    tree = _tree(pattern)
    if tree is None:
        return None
    for _ in range(8):
        text = _sequence(tree, random)
        if _compiled(pattern).search(text):
            return text
    return None


@functools.lru_cache(maxsize=1024)
def _tree(pattern: str) -> Any:
    try:
        _compiled(pattern)
        return parser.parse(pattern)
    except (re.error, RecursionError, OverflowError):
        return None


@functools.lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _sequence(tree: Any, random: Random) -> str:
    return "".join(_piece(code, what, random) for code, what in tree)


def _piece(code: Any, what: Any, random: Random) -> str:
    if code == codes.LITERAL:
        return chr(what)
    if code == codes.ANY:
        return random.choice(_LETTERS)
    if code == codes.NOT_LITERAL:
        return random.choice([c for c in _LETTERS if c != chr(what)])
    if code == codes.IN:
        return random.choice(_members(what))
    if code == codes.BRANCH:
        return _sequence(random.choice(what[1]), random)
    if code == codes.SUBPATTERN:
        return _sequence(what[3], random)
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
        least, most, inner = what
        times = random.randint(least, min(most, least + _MOST_REPEATS) if most != codes.MAXREPEAT else least + 3)
        return "".join(_sequence(inner, random) for _ in range(times))
    return ""


def _members(what: Any) -> str:
    """Return the characters of a class, as far as they can be typed."""
    negated = bool(what) and what[0][0] == codes.NEGATE
    found = ""
    for code, value in what:
        if code == codes.LITERAL:
            found += chr(value)
        elif code == codes.RANGE:
            found += "".join(map(chr, range(value[0], min(value[1], value[0] + 127) + 1)))
        elif code == codes.CATEGORY:
            found += _CATEGORIES.get(value, "")
    if negated:
        return "".join(c for c in _LETTERS + "0123456789" + _PRINTABLE if c not in found) or "?"
    return found or "?"
