"""Values that are written in another way: escaped, in full width, with invisible characters between.

Decisions: a text is read as its reader would see it, with the place of each character in the original, so that what is
found there is replaced here. Escapes of JSON, full-width letters, digits of other scripts, and invisible characters
are always undone; those of URLs and HTML, and `[at]`, besides, since `%41` may be just that. Three rounds at most, each
linear; a text without any such character costs four searches for one.
Sources: RFC 8259 section 7 (JSON), RFC 3986 section 2.1 and the WHATWG URL standard (`+` for a space), HTML 13.5 (named
references), Unicode chapter 4.6 (digits) and 23.2 (invisible characters).
Not covered: quoted-printable, Base32, hexadecimal, look-alike letters of other scripts.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

_BACKSLASH = re.compile(r"\\(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[\"'\\/bfnrt@._+#*()\[\]-])")
_PLAIN = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_INVISIBLE = "\u00ad\u034f\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff"
_SPACES = "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_HYPHENS = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
_ZEROS = (
    "\u0660\u06f0\u07c0\u0966\u09e6\u0a66\u0ae6\u0b66\u0be6\u0c66\u0ce6\u0d66\u0e50\u0ed0\u0f20\u1040\u17e0\u1810"
    "\U0001d7ce\U0001d7d8\U0001d7e2\U0001d7ec\U0001d7f6"
)
_ODD = re.compile(
    f"[{_SPACES}{_HYPHENS}\u2024\ufe52\ufe6b\uff01-\uff5e{''.join(f'{zero}-{chr(ord(zero) + 9)}' for zero in _ZEROS)}]"
)
_HIDDEN = re.compile(f"[{_INVISIBLE}]+")
_ESCAPE = re.compile(
    r"(?P<percent>(?:%[0-9A-Fa-f]{2})+)|(?P<html>&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});)|"
    r"(?P<plus>(?<=[0-9])\+(?=[0-9]))|(?P<at> ?[\[({](?:at|@)[\])}] ?)|(?P<dot> ?[\[({](?:dot|\.)[\])}] ?)",
    re.IGNORECASE,
)
_HINTS = ("%", "&", "at]", "at)", "at}", "[@]", "dot]", "dot)", "dot}", "[.]", "AT]", "AT)", "DOT]", "DOT)")
_ROUNDS = 3


class View(NamedTuple):
    """A text as its reader sees it."""

    text: str
    starts: list[int] | None
    """Where each character begins in the original; None: where it stands here."""
    ends: list[int] | None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the place in the original of what stands here."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]

    def over(self, other: View) -> View:
        """Return this view of another's text as one of the other's original."""
        if other.starts is None or other.ends is None:
            return self
        if self.starts is None or self.ends is None:
            return View(self.text, other.starts, other.ends)
        starts, ends = other.starts, other.ends
        return View(self.text, [starts[at] for at in self.starts], [ends[at - 1] for at in self.ends])


def seen(text: str) -> View:
    """Return the text without backslashes that escape, in ASCII's widths and digits, without invisible characters."""
    view = View(text, None, None)
    if not text.isascii():
        if _ODD.search(text):
            view = View(text.translate(_table()), None, None)
        if _HIDDEN.search(text):
            view = _decoded(view.text, _HIDDEN, lambda _: [])
    for _ in range(_ROUNDS):
        if "\\" not in view.text or not _BACKSLASH.search(view.text):
            break
        view = _decoded(view.text, _BACKSLASH, _of_backslash).over(view)
    return view


def unescaped(text: str) -> View | None:
    """Return the text without the escapes of URLs and HTML, and with `@` for `[at]`; None where there are none."""
    view, coded = View(text, None, None), "%" in text or ("+" in text and "=" in text)
    for _ in range(_ROUNDS):
        if not coded and not any(map(view.text.__contains__, _HINTS)):
            break
        fresh = _decoded(view.text, _ESCAPE, partial(_of_escape, coded=coded))
        if fresh.starts is None:
            break
        view = fresh.over(view)
        view = seen(view.text).over(view)
    return view if view.starts is not None else None


def plain(text: str) -> str:
    """Return a value as its reader sees it."""
    if text.isascii() and not any(map(text.__contains__, ("\\", *_HINTS))):
        return text
    now = seen(text).text
    view = unescaped(now)
    return view.text if view else now


def escaped_like(made: str, text: str) -> str:
    """Return a made-up value with the escapes that `text` has for its characters; full width is not kept."""
    first = seen(text)
    view = unescaped(first.text)
    view = view.over(first) if view else first
    if view.starts is None or view.ends is None:
        return made
    tokens = {
        char: text[start:end]
        for char, start, end in zip(view.text, view.starts, view.ends, strict=True)
        if end - start > 1 or text[start] == "+"
    }
    return "".join(tokens.get(char, char) for char in made)


def places_of_escapes(text: str) -> set[int]:
    """Return the places of a text that belong to escapes: a character drawn there would break it."""
    if not any(map(text.__contains__, "\\%&")):
        return set()
    places: set[int] = set()
    for pattern in (_BACKSLASH, _ESCAPE):
        for match in pattern.finditer(text):
            places.update(range(*match.span()))
    return places


def _decoded(text: str, pattern: re.Pattern[str], value: Callable[[re.Match[str]], list[tuple[str, int]]]) -> View:
    """Return the view in which each match is replaced by characters, each with its length in the original."""
    out: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at, changed = 0, False
    for match in pattern.finditer(text):
        chars = value(match)
        if chars == [(match.group(), match.end() - match.start())]:
            continue
        changed = True
        out.append(text[at : match.start()])
        starts.extend(range(at, match.start()))
        ends.extend(range(at + 1, match.start() + 1))
        at = match.start()
        for char, length in chars:
            out.append(char)
            starts.append(at)
            at += length
            ends.append(at)
        at = match.end()
    if not changed:
        return View(text, None, None)
    out.append(text[at:])
    starts.extend(range(at, len(text)))
    ends.extend(range(at + 1, len(text) + 1))
    return View("".join(out), starts, ends)


def _of_backslash(match: re.Match[str]) -> list[tuple[str, int]]:
    told = match.group()[1:]
    char = chr(int(told[1:], 16)) if told[0] in "ux" and len(told) > 1 else _PLAIN.get(told, told)
    return [(char, len(told) + 1)]


def _of_escape(match: re.Match[str], *, coded: bool) -> list[tuple[str, int]]:
    token = match.group()
    same = [(token, len(token))]
    if match["percent"]:
        try:
            chars = bytes.fromhex(token.replace("%", "")).decode()
        except UnicodeDecodeError:
            return same
        return [(char, 3 * len(char.encode())) for char in chars]
    if match["html"]:
        char = html.unescape(token)
        return [(char, len(token))] if len(char) == 1 else same
    if match["plus"]:
        return [(" ", 1)] if coded else same
    return [("@" if match["at"] else ".", len(token))]


@lru_cache(maxsize=1)
def _table() -> dict[int, str]:
    """Return the ASCII character that each odd one stands for."""
    table = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    for zero in _ZEROS:
        table |= {ord(zero) + digit: str(unicodedata.decimal(chr(ord(zero) + digit))) for digit in range(10)}
    table |= dict.fromkeys(map(ord, _SPACES), " ") | dict.fromkeys(map(ord, _HYPHENS), "-")
    return table | {0x2024: ".", 0xFE52: ".", 0xFE6B: "@"}
