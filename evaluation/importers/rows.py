"""Files of conversations, row by row: JSON Lines or one JSON list, each row with its line, and all mistakes collected.

Unlike the readers of `located.py`, a row that is no JSON leaves the others readable, so that a file can be imported
without it.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluation.located import Document, Location, SuiteError, read_text
from evaluation.protocols.strict_json import NotJson, parse_json
from evaluation.tools.results import as_json

PAGE = "docs/scenario-format.md"


@dataclass
class Row:
    """One row, where it stood, and what is wrong with it."""

    document: Document
    at: int
    data: Any
    mistakes: list[str] = field(default_factory=list)

    def mistake(self, where: Location, text: str) -> None:
        """Note a mistake in the field `where`."""
        self.mistakes.append(self.document.mistake((self.at,), text, name=where))

    def fields(self, known: Sequence[str]) -> dict[str, Any] | None:
        """Return the row's fields, or None where it has none. A name that is nearly a known one is a mistake."""
        if not isinstance(self.data, dict):
            self.mistake((), f"expected an object, found {shown(self.data)}")
            return None
        for name in self.data.keys() - set(known):
            if near := difflib.get_close_matches(name, known, n=1, cutoff=0.8):
                self.mistake((name,), f"expected {near[0]!r}, found {name!r}")
        return self.data

    def take(self, where: Location, data: Mapping[str, Any], name: str, kind: type, *, default: Any = None) -> Any:
        """Return a field of the given type; `default` where it is left out or null, and where it is a mistake."""
        value = data.get(name)
        if value is None:
            return default
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.mistake((*where, name), f"expected {_NAMES[kind]}, found {shown(value)}")
            return default
        return value


_NAMES: dict[type, str] = {str: "a text", list: "a list", dict: "an object", bool: "true or false", int: "a number"}


def shown(value: Any, most: int = 80) -> str:
    """Return how a message quotes a value."""
    text = repr(value)
    return text if len(text) <= most else text[: most - 1] + "…"


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a .jsonl file, or of a file that holds one JSON list. Raises `SuiteError` where it is neither.

    A row that is no JSON has that as its mistake.
    """
    text = read_text(path).removeprefix("\ufeff")
    pieces = _of_list(path, text) if text.lstrip()[:1] == "[" else _of_lines(text)
    document = Document(path, None, {(at,): line for at, (line, _) in enumerate(pieces)})
    return [_row(document, at, piece) for at, (_, piece) in enumerate(pieces)]


def _row(document: Document, at: int, piece: str) -> Row:
    row = Row(document, at, None)
    try:
        row.data = parse_json(piece)
        as_json(row.data)
    except NotJson as error:
        row.mistake((), f"expected one JSON object, found: {error}")
    except (RecursionError, ValueError) as error:
        row.mistake((), f"expected text that UTF-8 can hold, found: {error}")
    return row


def _of_lines(text: str) -> list[tuple[int, str]]:
    return [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]


def _of_list(path: Path, text: str) -> list[tuple[int, str]]:
    """Return line and text of each item of a list. A list that breaks off ends with what cannot be read."""
    decoder, at, line, counted = json.JSONDecoder(), text.index("[") + 1, 1, 0
    pieces: list[tuple[int, str]] = []
    while True:
        at = _skipped(text, at)
        if text[at : at + 1] == "]" and not pieces:
            return []
        line += text.count("\n", counted, at)
        counted = at
        try:
            _, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise SuiteError([f"{path}:{line}: expected a JSON list of objects, found: {error}"]) from error
        pieces.append((line, text[at:end]))
        at = _skipped(text, end)
        if text[at : at + 1] == "]":
            return pieces
        if text[at : at + 1] != ",":
            raise SuiteError([f"{path}:{line}: expected a comma or the list's end, found {text[at : at + 20]!r}"])
        at += 1


def _skipped(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\t", "\r", "\n") and at < len(text):
        at += 1
    return at
