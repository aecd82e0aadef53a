"""Python functions as tools: the schema from signature and docstring, and how a function is called.

Decisions: a function gets `world` only where it asks for it by that name. A parameter whose type is none of JSON's (a
date, an enumeration, a dataclass, a pydantic model) gets the value as that type; others get the argument as it came. An
async function runs in an event loop of its own, in the thread of its call.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Union

from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo

from evaluation.scenarios import ToolDef
from evaluation.tools.results import to_plain

ToolFunction = Callable[..., Any]

_PLAIN = (str, int, float, bool, type(None), list, dict, Any, object)
_WORLD = "world"


@functools.lru_cache(maxsize=4096)
def resolve(function: str) -> ToolFunction:
    """Import `module:name`. Raises `ValueError` saying what is missing."""
    module, _, name = function.partition(":")
    if not module or not name:
        raise ValueError(f"expected a function as module:name, found {function!r}")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"expected a function that can be imported, found {function!r} ({error})") from error
    if not callable(found):
        raise ValueError(f"expected a function, found {function!r}, which is a {type(found).__name__}")
    return found  # type: ignore[no-any-return]


def invoke(function: ToolFunction, world: dict[str, Any], arguments: Mapping[str, Any]) -> Any:
    """Call a function with a call's arguments and return what it returns. Raises what it raises."""
    way = _way(function)
    given = {name: way.types[name].validate_python(v) if name in way.types else v for name, v in arguments.items()}
    result = function(**given, **({_WORLD: world} if way.world else {}))
    return asyncio.run(_awaited(result)) if inspect.isawaitable(result) else result


async def _awaited(result: Any) -> Any:
    return await result


@dataclass(frozen=True)
class _Way:
    """How a function is called."""

    world: bool
    types: Mapping[str, TypeAdapter[Any]]
    """Of the parameters whose values are not handed on as they are."""


@functools.lru_cache(maxsize=4096)
def _way(function: ToolFunction) -> _Way:
    try:
        parameters = inspect.signature(function).parameters
        hints = typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError, ValueError):
        return _Way(True, {})
    world = _WORLD in parameters or any(p.kind == p.VAR_KEYWORD for p in parameters.values())
    rich = {name: hint for name, hint in hints.items() if name not in (_WORLD, "return") and not _is_plain(hint)}
    return _Way(world, {name: TypeAdapter(hint) for name, hint in rich.items()})


def _is_plain(hint: Any) -> bool:
    """Say whether JSON values are values of a type as they are."""
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return _is_plain(typing.get_args(hint)[0])
    if origin in (list, dict, Union, types.UnionType):
        return all(map(_is_plain, typing.get_args(hint)))
    return origin is typing.Literal or hint in _PLAIN


def tool_from(function: ToolFunction, *, name: str | None = None) -> ToolDef:
    """Return a typed function as a tool: name and description are its own, its types become the JSON Schema.

    What the docstring says of a parameter (Google's, NumPy's or Sphinx's way), or `Annotated[…, "text"]`, describes it.
    Raises `ValueError` for a function that cannot be imported by its name, and for parameters without a type.
    """
    where = f"{function.__module__}:{function.__qualname__}"
    if function.__module__ == "__main__" or resolve(where) is not function:
        raise ValueError(f"expected a function at the top level of a module, found {where!r}")
    said = _docstring(inspect.getdoc(function) or "")
    return ToolDef(
        name=name or function.__name__,
        description=said.text,
        parameters=_schema(function, said.parameters),
        function=where,
    )


def _schema(function: ToolFunction, said: Mapping[str, str]) -> dict[str, Any]:
    hints = typing.get_type_hints(function, include_extras=True)
    parameters = {n: p for n, p in inspect.signature(function).parameters.items() if n != _WORLD}
    named = {n: p for n, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    others = [str(p) for p in parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    untyped = [n for n in named if n not in hints]
    if others or untyped:
        wrong = ", ".join([*others, *untyped])
        raise ValueError(f"expected named parameters with types in {function.__qualname__}, found {wrong}")
    try:
        asked = [(n, "validation", TypeAdapter(hints[n])) for n in named]
        schemas, shared = TypeAdapter.json_schemas(asked)  # type: ignore[arg-type]
    except PydanticUserError as error:
        first = str(error).splitlines()[0]
        raise ValueError(f"expected types that JSON can hold in {function.__qualname__}: {first}") from error
    properties = {n: _property(p, hints[n], schemas[n, "validation"], said.get(n, "")) for n, p in named.items()}
    required = [n for n, p in named.items() if p.default is p.empty]
    out = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return out | ({"$defs": _untitled({"$defs": shared["$defs"]})["$defs"]} if shared.get("$defs") else {})


def _property(parameter: inspect.Parameter, hint: Any, schema: Mapping[str, Any], said: str) -> dict[str, Any]:
    out = _untitled(schema)
    notes = getattr(hint, "__metadata__", ())
    described = any(isinstance(note, FieldInfo) and note.description for note in notes)
    text = next((note for note in notes if isinstance(note, str)), said)
    if text and not described:
        out["description"] = text
    if parameter.default not in (parameter.empty, None):
        out["default"] = to_plain(parameter.default)
    return out


def _untitled(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema without the titles that pydantic makes of names."""
    out: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            out[key] = {name: _untitled(one) for name, one in value.items()}
        elif key in ("anyOf", "allOf", "oneOf", "prefixItems"):
            out[key] = [_untitled(one) for one in value]
        elif key in ("items", "additionalProperties") and isinstance(value, Mapping):
            out[key] = _untitled(value)
        elif key != "title":
            out[key] = value
    return out


@dataclass(frozen=True)
class _Said:
    """What a docstring says."""

    text: str
    """Of the function: all before the first section."""
    parameters: Mapping[str, str]


_SECTION = re.compile(
    r"^(?:(Args|Arguments|Parameters|Params)|Returns|Return|Raises|Yields|Examples?|Notes?)(?::$|\n-{3,}$)",
    re.MULTILINE,
)
_GOOGLE = re.compile(r"^([ \t]+)\*{0,2}(\w+)(?: *\([^)]*\))? *: *(.*(?:\n\1[ \t]+.*)*)", re.MULTILINE)
_NUMPY = re.compile(r"^(\w+)(?: *:.*)?\n((?:[ \t]+.*\n?)+)", re.MULTILINE)
_SPHINX = re.compile(r"^:param (?:[\w\[\], |.]+ )?(\w+): *(.*(?:\n[ \t]+.*)*)", re.MULTILINE)


def _docstring(text: str) -> _Said:
    parameters = {match[1]: _joined(match[2]) for match in _SPHINX.finditer(text)}
    sections = list(_SECTION.finditer(text))
    for at, section in enumerate(sections):
        if section[1]:
            end = sections[at + 1].start() if at + 1 < len(sections) else len(text)
            body = text[section.end() : end]
            found = _NUMPY.finditer(body.strip("\n")) if "---" in section[0] else _GOOGLE.finditer(body)
            groups = (match.groups() for match in found)
            parameters |= {name: _joined(said) for *_, name, said in groups}
    first_field = re.search(r"^:\w+.*:", text, re.MULTILINE)
    ends = [match.start() for match in (*sections[:1], *([first_field] if first_field else []))]
    return _Said(_paragraphs(text[: min(ends, default=len(text))]), parameters)


def _joined(text: str) -> str:
    return " ".join(text.split())


def _paragraphs(text: str) -> str:
    return "\n\n".join(_joined(paragraph) for paragraph in re.split(r"\n\s*\n", text.strip()))
