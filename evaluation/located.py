"""YAML and JSON Lines that remember their lines, so that every mistake can be named with its place.

Decisions: YAML is read by the rules of YAML 1.2 (only `true` and `false` are booleans; `12:30` and `2024-05-01` stay
text), because the values of scenarios are texts far more often than dates. All mistakes of a file are collected.
"""

from __future__ import annotations

import json
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
        doubles = list(_walk(node, (), lines))
        data = loader.construct_document(node)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise SuiteError([f"{path}:{mark.line + 1 if mark else 1}: expected YAML, found: {problem}"]) from error
    document = Document(path, data, lines)
    if doubles:
        raise SuiteError(
            [f"{path}:{at}: {dotted(where)}: expected each key once, found it again" for where, at in doubles]
        )
    return document


def _walk(node: yaml.Node, where: Location, lines: dict[Location, int]) -> Iterator[tuple[Location, int]]:
    """Fill `lines` from `node` down and yield each key that stands twice in its mapping."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*where, str(key.value))
            if here in lines:
                yield here, key.start_mark.line + 1
            lines[here] = key.start_mark.line + 1
            yield from _walk(value, here, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[(*where, index)] = item.start_mark.line + 1
            yield from _walk(item, (*where, index), lines)


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
            where = tuple(p for p in detail["loc"])
            mistakes.append(document.mistake((*at, *where), _explain(dict(detail), page), name=(*within, *where)))
        return None


def _explain(detail: dict[str, Any], page: str) -> str:
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
