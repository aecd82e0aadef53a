"""How much of a text rests on others: the share of its content words and numbers that occur in them.

Decisions: no list of words of any language. A content word has four letters or more (two in scripts other than Latin,
Greek and Cyrillic) and is known by its first five, so that most endings do not count: truncation does about as well as
a stemmer over many European languages (McNamee and Mayfield 2004, Character N-Gram Tokenization). What is written
without blanks (Chinese, Japanese, Thai, Khmer, Burmese, and Korean for its endings) is known by its pairs of
characters. Numbers are compared as numbers: 1,234.0 is 1234. Case and width do not count (NFKC).
Limits: a synonym does not match, nor does a number in words; a text that says the opposite in the same words does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

LETTERS = 5
"""So many first letters tell a word from another."""
LEAST = 4
"""Shorter words of Latin, Greek and Cyrillic script carry grammar more often than content."""
_DIGITS = 15
"""More digits than a float holds: an id, compared as text."""

_TOKEN = re.compile(
    r"(?:(?<!\w)[-−](?=\d))?\d+(?:[.,'’]\d+)*"
    r"|[^\s\d\x00-/:-@\[-`{-\xa9\xab-\xb4\xb6-\xb9\xbb-\xbf×÷،؛؟।॥\u2000-\u206f\u20a0-\u2bff\u3000-\u3004\u3008-\u3020"
    "\U0001f000-\U0001faff]+"
)
_ASCII_TOKEN = re.compile(r"(?:(?<!\w)-(?=\d))?\d+(?:[.,']\d+)*|[a-z]{4,}")
"""The same for what is all ASCII, without the words that are shorter than `LEAST`."""
_GROUPING = re.compile(r"(?<=\d)[,'’](?=\d{3}(?!\d))")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003ffff]"
)
_OTHER_SCRIPT = "\u0530"
"""The first character that is neither Latin, nor Greek, nor Cyrillic."""

Content = frozenset[float | str]


def content(text: str) -> Content:
    """Return what the text is made of: numbers, and the beginnings of its content words."""
    if text.isascii():
        found = _ASCII_TOKEN.findall(text.lower())
        return frozenset([one[:LETTERS] if one.isalpha() else _number(one) for one in found])
    return frozenset(_keys(_TOKEN.findall(unicodedata.normalize("NFKC", text).casefold())))


def share_in(part: Content, whole: Iterable[Content]) -> float | None:
    """Return the share of `part` that occurs in any of `whole`, 0…1; None where `part` is empty."""
    if not part:
        return None
    known: set[float | str] = set().union(*whole)
    return sum(_occurs(key, known) for key in part) / len(part)


def _occurs(key: float | str, known: set[float | str]) -> bool:
    # "booked" is "book": a word of four letters has no fifth to differ in.
    return key in known or (isinstance(key, str) and len(key) == LETTERS and key[:LEAST] in known)


def _keys(tokens: Iterable[str]) -> Iterator[float | str]:
    for token in tokens:
        if token.isascii() and token.isalpha():
            if len(token) >= LEAST:
                yield token[:LETTERS]
        elif token[-1].isdecimal():
            yield _number(token)
        elif _UNSPACED.search(token):
            yield from (token[at : at + 2] for at in range(max(len(token) - 1, 1)))
        elif len(token) >= (LEAST if max(token) < _OTHER_SCRIPT else 2):
            yield token[:LETTERS]


def _number(text: str) -> float | str:
    """Return the number; a text where it is none (a version, say) or has more digits than a number holds."""
    if text.isdecimal() and len(text) <= _DIGITS:
        return float(text)
    plain = text.replace("−", "-")
    if plain.rfind(",") > plain.rfind(".") >= 0:
        plain = plain.replace(".", "")  # 1.234,56
    plain = _GROUPING.sub("", plain)
    try:
        return float(plain.replace(",", ".")) if len(plain) <= _DIGITS else plain
    except ValueError:
        return plain
