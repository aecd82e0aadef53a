"""Calls as XML tags in the text: `<tool><parameter>value</parameter></tool>`, read as Roo Code and Cline read them.

Decisions: this is no XML. Values are raw text up to the first closing tag of the parameter; tags that are not known are
text, and so are all tags inside a value; a parameter that is not closed takes everything that follows, the tool's
closing tag included. A second value of a parameter replaces the first. What the text leaves open is reported, not
repaired. The parser is fed pieces, however the text is cut, and looks at each `>` once: work and memory grow with the
length of the text alone, because values are kept as places and cut out at the end.
Limits are counted in characters (code points), where the agents count UTF-16 units.
Source of the behaviour: github.com/RooCodeInc/Roo-Code, release 3.36, observed and described; written anew.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from evaluation.protocols import javascript
from evaluation.protocols.spec import ErrorKind, XmlEncoding
from evaluation.protocols.turns import Call, Turn

_CLOSER = re.compile(">")


class _Span(NamedTuple):
    """A value by its place in the text."""

    start: int
    end: int
    cut: Literal["trim", "newlines", "raw"]

    def of(self, text: str) -> str:
        value = text[self.start : self.end]
        if self.cut == "trim":
            return javascript.trim(value)
        return value.removeprefix("\n").removesuffix("\n") if self.cut == "newlines" else value


@dataclass
class _Open:
    """A call that is being read, or was."""

    tool: str
    start: int
    """Place after the opening tag."""
    spans: dict[str, _Span] = field(default_factory=dict)
    closed: bool = False
    first_content: int | None = None
    """Place after the first opening tag of the parameter that may hold its own closing tag."""


class XmlParser:
    """Reads one assistant turn, piece by piece."""

    def __init__(self, tools: Mapping[str, Collection[str]], encoding: XmlEncoding) -> None:
        """Make a parser. `tools`: names of the tools, each with its parameters."""
        self._tools = frozenset(tools)
        self._parameters = frozenset(encoding.known_parameters).union(*tools.values())
        self._encoding = encoding
        self._longest = max((len(name) for name in self._tools | self._parameters), default=0) + 2
        self._pieces: list[str] = []
        self._length = 0
        self._tail = ""
        self._calls: list[_Open] = []
        self._texts: list[_Span] = []
        self._text_start = 0
        self._open: _Open | None = None
        self._parameter: str | None = None
        self._value_start = 0

    def feed(self, piece: str) -> None:
        """Take the next piece of the text."""
        window = self._tail + piece
        before = self._length - len(self._tail)
        for found in _CLOSER.finditer(window, len(self._tail)):
            opener = window.rfind("<", max(0, found.start() - self._longest), found.start())
            name = window[opener + 1 : found.start()] if opener >= 0 else None
            self._tag(name, before + opener, before + found.end())
        self._pieces.append(piece)
        self._length += len(piece)
        self._tail = window[-self._longest :]

    def close(self) -> Turn:
        """Return what was read once the text has ended."""
        if self._encoding.longest_message is not None and self._length > self._encoding.longest_message:
            return Turn(text="".join(self._pieces), error=ErrorKind.MESSAGE_TOO_LONG)
        text = "".join(self._pieces)
        if self._open is None:
            self._texts.append(_Span(self._text_start, self._length, "trim"))
        elif self._parameter is not None and not self._given_up(self._length) and self._length > self._value_start:
            self._open.spans[self._parameter] = _Span(self._value_start, self._length, "raw")
        said = [part for span in self._texts if (part := span.of(text))]
        return Turn(text="\n".join(said), calls=tuple(_call(found, text) for found in self._calls))

    def _tag(self, name: str | None, start: int, end: int) -> None:
        """Take note of a `>`: the tag that ends there stands from `start` to `end`; None where none does."""
        if self._open is None:
            if name in self._tools:
                self._begin(str(name), start, end)
            return
        call, content = self._open, self._encoding.last_close.get(self._open.tool)
        if content is not None and name == content and call.first_content is None:
            call.first_content = end
        if self._parameter is not None:
            if not self._given_up(end):
                if name == f"/{self._parameter}":
                    call.spans[self._parameter] = _Span(self._value_start, start, self._cut(self._parameter))
                    self._parameter = None
                return
            if end == self._value_start + (self._encoding.longest_parameter or 0) + 1:
                return  # the character that makes a value too long is not looked at
        if name == f"/{call.tool}":
            call.closed, self._open, self._text_start = True, None, end
        elif name in self._parameters:
            self._parameter, self._value_start = name, end
        elif content is not None and name == f"/{content}":
            self._last_close(call, content, start)

    def _cut(self, parameter: str) -> Literal["trim", "newlines"]:
        return "newlines" if parameter in self._encoding.newlines_kept else "trim"

    def _begin(self, tool: str, start: int, end: int) -> None:
        self._texts.append(_Span(self._text_start, start, "trim"))
        self._open = _Open(tool, end)
        self._calls.append(self._open)

    def _given_up(self, end: int) -> bool:
        """Return whether the open value has grown too long by `end`; then what there was of it stays, as it stands."""
        limit = self._encoding.longest_parameter
        if limit is None or end - self._value_start <= limit:
            return False
        assert self._open is not None
        assert self._parameter is not None
        self._open.spans[self._parameter] = _Span(self._value_start, self._value_start + limit, "raw")
        self._parameter = None
        return True

    def _last_close(self, call: _Open, content: str, start: int) -> None:
        """Take the value up to here: what looked like its closing tag before was part of it."""
        begins = call.first_content
        if begins is None:
            # Roo looks for the opening tag, finds none (-1), and goes on from there by the tag's length.
            begins = call.start + len(f"<{content}>") - 1
        if start > begins:
            call.spans[content] = _Span(begins, start, self._cut(content))


def _call(found: _Open, text: str) -> Call:
    params = {name: span.of(text) for name, span in found.spans.items()}
    if found.closed:
        return Call(tool=found.tool, params=params)
    detail = f"expected </{found.tool}>, found the end of the message"
    return Call(tool=found.tool, params=params, error=ErrorKind.UNCLOSED_TOOL, detail=detail)
