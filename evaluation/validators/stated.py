"""What a text states: words, a number, JSON; and texts made alike before they are compared.

Decisions: case, blanks and digit grouping do not count; a number matches only as a whole (5 is not in 15, nor in 5.3).
A number of an id, a date's later parts, a time or a version is none that the text states.
Not covered: numbers in words, and what multiplies them (3 million).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

from evaluation.protocols.strict_json import NotJson, parse_json

_GROUPING = re.compile(r"(?<=\d)[,_'\u00a0\u202f\u2009](?=\d{3}(?!\d))")
_PIECE = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d]+|[^\w\s]")
_NUMBER = re.compile(r"(?<![\w.,:])(?<!\w[-−])[-+−]?\d+(?:[.,]\d+)?(?:e[-+]?\d+)?(?![.,:]?\d)")
_FENCED = re.compile(r"```[^\n`]*\n(.*?)```", re.DOTALL)
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_MARK = re.compile(r"(?<=\d)[.,:/-](?=\d)|(?<!\w)-(?=\d)|(?P<silent>[^\w\s])")


def says(text: str, part: str) -> bool:
    """Say whether `part` occurs in `text`, ignoring case, blanks and digit grouping."""
    return _pattern(part).search(_plain(text)) is not None


def numbers_in(text: str) -> list[float]:
    """Return the numbers that the text states, in order; a comma that groups no digits is a decimal point."""
    found = _NUMBER.findall(_plain(text))
    return [float(number.replace("−", "-").replace(",", ".")) for number in found]


def same_words(text: str) -> str:
    """Return the text as answers are compared: no case, articles, blanks, or punctuation outside a number.

    After SQuAD's evaluation script (Rajpurkar et al. 2016), which also takes the point out of 3.5 and the sign off -5.
    """
    bare = _MARK.sub(lambda mark: "" if mark["silent"] else mark[0], _plain(text))
    return " ".join(_ARTICLE.sub(" ", bare).split())


def json_in(text: str) -> list[Any]:
    """Return the JSON values of a text: the whole of it, or else those of its code fences. Empty: it has none."""
    whole = list(_parsed(text))
    return whole or [value for fenced in _FENCED.findall(text) for value in _parsed(fenced)]


def _parsed(text: str) -> Iterator[Any]:
    try:
        yield parse_json(text)
    except NotJson:
        return


@functools.lru_cache(maxsize=4096)
def _pattern(part: str) -> re.Pattern[str]:
    pieces = _PIECE.findall(_plain(part))
    body = r"\s*".join(map(re.escape, pieces))
    before = r"(?<!\d)(?<!\d[.,])" if pieces and pieces[0][0].isdigit() else ""
    after = r"(?!\d)(?![.,]\d)" if pieces and pieces[-1][-1].isdigit() else ""
    return re.compile(before + body + after)


def _plain(text: str) -> str:
    return _GROUPING.sub("", text.casefold())
