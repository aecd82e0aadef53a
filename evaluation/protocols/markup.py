"""Tags inside the value of an XML parameter: `<file><path>a.py</path></file>`, as a lenient reader takes them.

Decisions: what the agents' readers let through is let through: closing tags are not compared with opening ones, what is
left open is closed by the end, text outside all tags is dropped. What they refuse is refused (`Unreadable`): a tag, a
comment or a CDATA section without its end, an element after one closing tag too many. Values are trimmed; entities
stay. Linear in the length of the text. Not covered: the entities that a document type declares.
Source of the behaviour: the documented behaviour of fast-xml-parser 5.2, which Roo Code 3.36 reads with; written anew.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Collection
from dataclasses import dataclass, field

from evaluation.protocols import javascript

_MARKS = re.compile("[>\"']")
_SPACE = re.compile(r"\s")
# The value is optional, so that a name without one is passed over at once.
_ATTRIBUTE = re.compile(r"""([^\s=]++)\s*+(?:=\s*+(?:"([^"]*+)"|'([^']*+)'))?+""")
_INSTRUCTION = re.compile(r"""<(?:[^?"']++|"[^"]*+"|'[^']*+'|\?(?!>))*+\?>""")
_SECTIONS = (("<!--", "-->", 4), ("<![", "]]>", 2), ("<!D", ">", 3))
"""How comments, CDATA and document types begin and end, and from where on the end is looked for."""
_SKIPPED = (("<!--", "-->", 3), ("<![", "]]>", 2), ("<?", "?>", 1))
"""The same inside a tag that is taken as it stands."""


class Unreadable(ValueError):
    """The text cannot be read as tags."""


@dataclass
class Element:
    """One tag and what is in it."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The element's own text, its pieces trimmed and put together."""
        return "".join(self.texts)

    @property
    def plain(self) -> bool:
        """Whether there is nothing but text, or nothing at all."""
        return not self.attributes and not self.children

    def all(self, name: str) -> list[Element]:
        """Return the children of that name."""
        return [child for child in self.children if child.name == name]


def read(text: str, verbatim: Collection[str] = ()) -> Element:
    """Return a nameless element that holds the top-level ones. Raises `Unreadable`.

    `verbatim`: top-level tags whose content is taken as it stands, up to the closing tag of the same depth.
    """
    reader = _Reader(text.replace("\r\n", "\n").replace("\r", "\n"), frozenset(verbatim))
    reader.run()
    return reader.root


class _Reader:
    def __init__(self, text: str, verbatim: frozenset[str]) -> None:
        self.root = Element("")
        self._text = text
        self._verbatim = verbatim
        self._ends = _TagEnds(text)
        # None above the root: what follows one closing tag too many has no place.
        self._stack: list[Element] = []
        self._current: Element | None = self.root
        self._depth = 0
        """Open elements that have a name: `< b` begins one that has none."""

    def run(self) -> None:
        at = 0
        pending: list[str] = []
        while (opener := self._text.find("<", at)) >= 0:
            pending.append(self._text[at:opener])
            at = self._step(opener, pending)

    def _step(self, at: int, pending: list[str]) -> int:
        """Read what begins with the `<` at `at` and return the place after it. `pending`: text since the last tag."""
        text = self._text
        if text.startswith("</", at):
            end = self._find(">", at)
            self._flush(pending)
            self._depth -= bool(self._current is not None and self._current.name)
            self._current = self._stack.pop() if self._stack else None
            return end
        for begin, close, skip in _SECTIONS:
            if text.startswith(begin, at):
                end = self._find(close, at + skip)
                if begin == "<![":
                    self._flush(pending)
                    self._place().texts.append(text[at + 9 : end - 3])
                return end
        if text.startswith("<?", at):
            found = _INSTRUCTION.match(text, at)
            if found is None:
                raise Unreadable(f"expected ?> for the <? at character {at}, found none")
            self._flush(pending)
            self._place().children.append(Element("?"))
            return found.end()
        return self._opened(at, pending)

    def _opened(self, at: int, pending: list[str]) -> int:
        end = self._ends.after(at + 1)
        if end is None:
            raise Unreadable(f"expected a > for the < at character {at}, found none")
        if self._current is self.root:
            pending.clear()
        self._flush(pending)
        element, closed = _element(self._text[at + 1 : end])
        place = self._place()
        place.children.append(element)
        if closed:
            return end + 1
        if not self._depth and element.name in self._verbatim:
            inner, after = self._skip(element.name, end + 1)
            element.texts.append(inner)
            return after
        self._stack.append(place)
        self._depth += bool(element.name)
        self._current = element
        return end + 1

    def _skip(self, name: str, start: int) -> tuple[str, int]:
        """Return what stands up to the closing tag of `name`, and the place after that tag."""
        text, at, depth = self._text, start, 1
        while (at := text.find("<", at)) >= 0:
            if text.startswith("</", at):
                end = self._find(">", at)
                depth -= javascript.trim(text[at + 2 : end - 1]) == name
                if not depth:
                    return text[start:at], end
                at = end
                continue
            section = next((one for one in _SKIPPED if text.startswith(one[0], at)), None)
            if section is not None:
                at = self._find(section[1], at + section[2])
                continue
            tag_end = self._ends.after(at + 1)
            if tag_end is None:
                at += 1
                continue
            element, closed = _element(text[at + 1 : tag_end])
            depth += element.name.rpartition(":")[2] == name and not closed
            at = tag_end + 1
        raise Unreadable(f"expected </{name}>, found the end")

    def _find(self, close: str, start: int) -> int:
        found = self._text.find(close, start)
        if found < 0:
            raise Unreadable(f"expected {close} after character {start}, found none")
        return found + len(close)

    def _place(self) -> Element:
        if self._current is None:
            raise Unreadable("expected as many closing tags as opening ones, found one more")
        return self._current

    def _flush(self, pending: list[str]) -> None:
        said = javascript.trim("".join(pending))
        pending.clear()
        if said and self._current is not None:
            self._current.texts.append(said)


def _element(inside: str) -> tuple[Element, bool]:
    """Return the element that an opening tag begins, from what stands between `<` and `>`, and whether it ends it."""
    closed = inside.endswith("/")
    name, *rest = _SPACE.split(inside.removesuffix("/"), maxsplit=1)
    if not rest or "=" not in rest[0]:
        return Element(name), closed
    values = ((m[1], m[2] if m[3] is None else m[3]) for m in _ATTRIBUTE.finditer(rest[0]))
    return Element(name, {key: javascript.trim(value) for key, value in values if value is not None}), closed


class _TagEnds:
    """Where the tag that begins at a place ends: at the first `>` outside quotes.

    Made once, from the right, so that many tags without an end cost no more than one.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._marks: list[int] | None = None
        self._ends: list[int | None] = []

    def after(self, start: int) -> int | None:
        """Return the place of the `>`, or None where there is none."""
        if self._marks is None:
            self._marks = [found.start() for found in _MARKS.finditer(self._text)]
            self._ends = self._from_the_right(self._marks)
        return self._ends[bisect.bisect_left(self._marks, start)]

    def _from_the_right(self, marks: list[int]) -> list[int | None]:
        ends: list[int | None] = [None] * (len(marks) + 1)
        following: dict[str, int] = {}
        for number in range(len(marks) - 1, -1, -1):
            mark = self._text[marks[number]]
            if mark == ">":
                ends[number] = marks[number]
            else:
                ends[number] = ends[following[mark] + 1] if mark in following else None
                following[mark] = number
        return ends
