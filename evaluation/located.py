"""YAML and JSON Lines that remember their lines, so that every mistake can be named with its place.

Decisions: YAML is read by the rules of YAML 1.2 (only `true` and `false` are booleans; `12:30` and `2024-05-01` stay
text), because the values of scenarios are texts far more often than dates. All mistakes of a file are collected. An
alias stands for its anchor's values; one that leads back to itself, or so many that the file would not fit in memory,
are refused. What YAML or Python's reader takes and JSON has not (NaN, dates, numbers as keys) is found by `not_json`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

Location = tuple[str | int, ...]
"""The way to a value: keys and indices from the document's root."""

MOST_SHOWN = 50
"""Mistakes that one message shows."""

MOST_REPEATED = 500_000
"""Values that a file's aliases may stand for, all together."""

MOST_LAYERS = 100
"""How deep values may be nested."""

ModelT = TypeVar("ModelT", bound=BaseModel)


class SuiteError(ValueError):
    """A suite cannot be used. `mistakes` holds one line each, as `file:line: field: expected …, found …`.

    The message shows the first `MOST_SHOWN`.
    """

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = tuple(mistakes)
        count = f"{len(mistakes)} mistakes:\n" if len(mistakes) > 1 else ""
        more = f"\n… and {len(mistakes) - MOST_SHOWN} more" if len(mistakes) > MOST_SHOWN else ""
        super().__init__(count + "\n".join(mistakes[:MOST_SHOWN]) + more)


@dataclass(frozen=True)
class Document:
    """Data and where it stood."""

    path: Path
    data: Any
    lines: Mapping[Location, int] = field(default_factory=dict)
    """Line, from 1, of each key and list item."""

    def line(self, where: Location) -> int:
        """Return the line of `where`, or of the closest thing around it that has one."""
        for end in range(len(where), -1, -1):
            if where[:end] in self.lines:
                return self.lines[where[:end]]
        return 1

    def mistake(self, where: Location, text: str, name: Location | None = None) -> str:
        """Return `file:line: field: text`; `name` replaces the field's name where it should be shorter than `where`."""
        shown = dotted(where if name is None else name)
        return f"{self.path}:{self.line(where)}: {shown + ': ' if shown else ''}{text}"


def dotted(where: Location) -> str:
    """Return a location as `a.b[0].c`."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in where).lstrip(".")


class _Loader(yaml.SafeLoader):
    """SafeLoader with the scalars of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's own attribute)


_SCALARS = (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+0123456789."),
    ("null", r"^(?:~|null|Null|NULL|)$", "~nN\0"),
    ("merge", r"^<<$", "<"),
)
for _tag, _pattern, _first in _SCALARS:
    _initials = [*_first.replace("\0", ""), *([""] if "\0" in _first else [])]
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _initials)


def read_yaml(path: Path) -> Document:
    """Read one YAML file. Raises `SuiteError` where it is no YAML, has a key twice or cannot be opened."""
    try:
        loader = _Loader(read_text(path))
        node = loader.get_single_node()
        lines: dict[Location, int] = {(): 1}
        if node is None:
            return Document(path, None, lines)
        walk = _Walk(path, lines)
        walk.into(node, ())
        data = loader.construct_document(node)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, SuiteError):
            raise
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise SuiteError([f"{path}:{mark.line + 1 if mark else 1}: expected YAML, found: {problem}"]) from error
    if walk.doubles:
        raise SuiteError(walk.doubles)
    return Document(path, data, lines)


class _Walk:
    """Goes through a YAML document's nodes and keeps the line of each, and each key that stands twice."""

    def __init__(self, path: Path, lines: dict[Location, int]) -> None:
        self.doubles: list[str] = []
        self._path, self._lines = path, lines
        self._open: set[int] = set()
        self._seen: set[int] = set()
        self._repeated = 0

    def into(self, node: yaml.Node, where: Location) -> None:
        """Go on from `node` down. Raises `SuiteError` where aliases have no end, or stand for too much."""
        line = self._lines.get(where, node.start_mark.line + 1)
        if id(node) in self._open:
            self._refuse(line, where, "expected values that come to an end, found an alias inside its own anchor")
        self._repeated += id(node) in self._seen
        if self._repeated > MOST_REPEATED:
            self._refuse(line, where, f"expected aliases for at most {MOST_REPEATED} values in all, found more")
        self._seen.add(id(node))
        self._open.add(id(node))
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                self._key((*where, str(key.value)), key.start_mark.line + 1)
                self.into(value, (*where, str(key.value)))
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self._lines[(*where, index)] = item.start_mark.line + 1
                self.into(item, (*where, index))
        self._open.remove(id(node))

    def _key(self, here: Location, line: int) -> None:
        if here in self._lines:
            self.doubles.append(f"{self._path}:{line}: {dotted(here)}: expected each key once, found it again")
        self._lines[here] = line

    def _refuse(self, line: int, where: Location, text: str) -> None:
        raise SuiteError([f"{self._path}:{line}: {dotted(where)}: {text}"])


def read_jsonl(path: Path) -> Document:
    """Read one JSON value a line; empty lines are left out. Raises `SuiteError` naming every line that is no JSON."""
    data: list[Any] = []
    lines: dict[Location, int] = {(): 1}
    mistakes: list[str] = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            mistakes.append(f"{path}:{number}: expected one JSON object, found: {error}")
            continue
        lines[(len(data),)] = number
        data.append(value)
    if mistakes:
        raise SuiteError(mistakes)
    return Document(path, data, lines)


def not_json(data: Any) -> Iterator[tuple[Location, str]]:
    """Yield where, and how, `data` is none of JSON's values, or not sound ones."""
    left: list[tuple[Location, Any]] = [((), data)]
    while left:
        where, value = left.pop()
        if len(where) > MOST_LAYERS:
            yield where[:3], f"expected at most {MOST_LAYERS} layers of values, found more"
        elif isinstance(value, dict):
            for key in value:
                if not isinstance(key, str):
                    yield (*where, str(key)), f"expected a text as key (in quotes), found {key!r}"
                elif not _is_sound(key):
                    yield where, f"expected keys of whole characters, found a lone surrogate in {key!r}"
            left += reversed([((*where, str(key)), item) for key, item in value.items()])
        elif isinstance(value, list):
            left += reversed([((*where, index), item) for index, item in enumerate(value)])
        elif isinstance(value, float) and not math.isfinite(value):
            yield where, f"expected a finite number, found {value}"
        elif isinstance(value, str) and not _is_sound(value):
            yield where, f"expected whole characters, found a lone surrogate in {value[:80]!r}"
        elif value is not None and not isinstance(value, str | int | float):
            yield where, f"expected a value that JSON has, found a {type(value).__name__}"


def _is_sound(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_text(path: Path) -> str:
    """Return a UTF-8 file's text. Raises `SuiteError` where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteError([f"{path}:1: expected a readable UTF-8 file, found: {error}"]) from error


def parse(
    model: type[ModelT],
    document: Document,
    data: Any,
    at: Location,
    *,
    mistakes: list[str],
    page: str = "docs/scenario-format.md",
    within: Location = (),
) -> ModelT | None:
    """Return `data`, which stands at `at` in `document`, as a `model`; or None, with reasons added to `mistakes`.

    `page`: where the format is told. `within`: what stands before the names of fields.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            where = _way(detail["loc"], data)
            mistakes.append(document.mistake((*at, *where), explained(dict(detail), page), name=(*within, *where)))
        return None


def _way(named: Location, data: Any) -> Location:
    """Return where in `data` a mistake is: the way that is named, without the kind that was chosen among several."""
    way: list[str | int] = []
    for step in named[:-1]:
        inside = isinstance(data, list | tuple) and isinstance(step, int) and step < len(data)
        if inside or (isinstance(data, dict) and step in data):
            way.append(step)
            data = data[step]
    return (*way, *named[-1:])


def explained(detail: dict[str, Any], page: str) -> str:
    """Return one of pydantic's mistakes as `expected …, found …`; `page`: where the format is told."""
    found = repr(detail.get("input"))
    found = found if len(found) <= 80 else found[:77] + "…"
    match detail["type"]:
        case "missing":
            return "expected a value, found none"
        case "extra_forbidden":
            return f"expected a field that the format knows, found this one (see {page})"
        case "value_error":
            return str(detail["ctx"]["error"])
    message = str(detail["msg"])
    wanted = re.sub(r"^(Input|Value|String|List|Tuple|Dictionary) should (be |have )?", "", message)
    return f"expected {wanted[:1].lower() + wanted[1:] if wanted != message else message}, found {found}"
