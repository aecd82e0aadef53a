"""Read JSON as models write it: nearly right. Each kind of repair is named, so that it can be counted.

Decisions: what is right by the book is read by the book. Else the text is written anew in one pass, which knows whether
it is inside of a string: fences and what stands around the first value go, quotation marks of any kind become straight
ones, a raw line break inside of a string is escaped, a quotation mark that cannot end its string is escaped, a comma
before a bracket goes, Python's words become JSON's, and brackets that are left open at the end are closed. A string
that is left open is not: half a value is none. Takes time linear in the text.
Limits: values that no JSON holds (NaN), and texts longer than `LONGEST`, are not read.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple, NoReturn

LONGEST = 200_000
"""Characters of a text that is repaired at most."""
_CLOSES = {'"': '"', "'": "'", "“": "”", "„": "“", "‘": "’"}
_ENDS = re.compile(r"\s*(?:[,:}\]]|$)")
_WORDS = {"True": "true", "False": "false", "None": "null", "undefined": "null"}
_WORD = re.compile(r"[A-Za-z_]\w*")


class Mended(NamedTuple):
    """A value, and what had to be repaired to read it."""

    value: Any
    repairs: tuple[str, ...] = ()


class Unreadable(ValueError):
    """The text is no JSON, whatever is repaired. Says where, for a model to read."""


def read_json(text: str) -> Mended:
    """Return the first JSON value in `text`. Raises `Unreadable`."""
    try:
        return Mended(_loads(text))
    except (ValueError, RecursionError) as error:
        wrong = error
    if len(text) > LONGEST:
        raise Unreadable(f"expected JSON, found {len(text)} characters that are none ({wrong})")
    repairs: list[str] = []
    bare = _without_fence(text, repairs)
    rewriting = _Rewriting(bare, repairs)
    try:
        return Mended(_loads(rewriting.written()), tuple(dict.fromkeys(repairs)))
    except (ValueError, RecursionError):
        raise Unreadable(f"expected JSON, found text that cannot be read as such: {wrong}") from None


def _loads(text: str) -> Any:
    return json.loads(text, parse_constant=_no_constant)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _without_fence(text: str, repairs: list[str]) -> str:
    """Return the text from its first bracket on, without code fence and what was said before."""
    found = re.search(r"[{\[]", text)
    if found is None:
        raise Unreadable(f"expected a JSON object, found {text.strip()[:60]!r}")
    if "```" in text[: found.start()]:
        repairs.append("code fence")
    elif text[: found.start()].strip():
        repairs.append("text around")
    return text[found.start() :]


class _Rewriting:
    """One pass over a text that begins with a bracket."""

    def __init__(self, text: str, repairs: list[str]) -> None:
        self._text, self._repairs = text, repairs
        self._out: list[str] = []
        self._open: list[str] = []

    def written(self) -> str:
        """Return the text as JSON, up to the end of its first value. Raises `Unreadable`."""
        at = 0
        while at < len(self._text):
            at = self._step(at)
            if not self._open:
                rest = self._text[at:].strip()
                if rest.strip("`").strip():
                    self._repairs.append("text around")
                return "".join(self._out)
        self._drop_comma("trailing comma")
        self._repairs.append("unclosed bracket")
        return "".join(self._out) + "".join(reversed(self._open))

    def _step(self, at: int) -> int:
        """Take the next piece, and return where the one after it begins."""
        char = self._text[at]
        if char in _CLOSES:
            return self._string(at)
        if char in "{[":
            self._open.append("}" if char == "{" else "]")
        elif char in "}]":
            self._drop_comma("trailing comma")
            if char != self._open[-1]:
                raise Unreadable(f"expected {self._open[-1]!r} at character {at}, found {char!r}")
            self._open.pop()
        elif word := _WORD.match(self._text, at):
            said = _WORDS.get(word[0], word[0])
            if said != word[0]:
                self._repairs.append("word of Python")
            elif said not in ("true", "false", "null"):
                return self._bare(word[0], at)
            self._out.append(said)
            return word.end()
        self._out.append(char)
        return at + 1

    def _bare(self, word: str, at: int) -> int:
        """Take a key without quotation marks; a part of a number, such as the e in 1e5, is left as it is."""
        end = at + len(word)
        if re.match(r"\s*:", self._text[end : end + 40]):
            self._repairs.append("unquoted key")
            self._out.append(json.dumps(word))
        else:
            self._out.append(word)
        return end

    def _string(self, at: int) -> int:
        opened = self._text[at]
        closing = _CLOSES[opened]
        if opened != '"':
            self._repairs.append("single quotes" if opened == "'" else "smart quotes")
        self._out.append('"')
        at += 1
        while at < len(self._text):
            char = self._text[at]
            if char == "\\" and at + 1 < len(self._text):
                escaped = self._text[at : at + 2]
                self._out.append("'" if escaped == "\\'" else escaped)
                at += 2
                continue
            if char in (closing, '"' if opened != "'" else closing) and _ENDS.match(self._text, at + 1):
                self._out.append('"')
                return at + 1
            self._out.append(self._inside(char, opened))
            at += 1
        raise Unreadable("expected a text that is closed, found that it was cut off")

    def _inside(self, char: str, opened: str) -> str:
        if char == '"':
            if opened == '"':
                self._repairs.append("unescaped quote")
            return '\\"'
        if char < " ":
            self._repairs.append("unescaped newline" if char in "\r\n" else "control character")
            return json.dumps(char)[1:-1]
        return char

    def _drop_comma(self, name: str) -> None:
        """Take back a comma that nothing follows."""
        kept = len(self._out)
        while kept and self._out[kept - 1].isspace():
            kept -= 1
        if kept and self._out[kept - 1] == ",":
            del self._out[kept - 1 :]
            self._repairs.append(name)
