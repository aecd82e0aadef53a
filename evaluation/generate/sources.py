"""From a file to its tools: OpenAI lists, OpenAPI documents, MCP's `tools/list`, Python signatures.

Decisions: the kind of file is told from its content. All mistakes are named at once. Names that no API would take are
made valid, and said; so is everything else that had to be changed. Nothing is executed or fetched.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from evaluation.generate.names import valid_name
from evaluation.generate.openapi import Operation, operations
from evaluation.generate.schemas import Schemas
from evaluation.generate.signatures import functions
from evaluation.located import SuiteError, read_text, read_yaml
from evaluation.records import stable_id
from evaluation.scenarios import ToolDef


class SourceKind(StrEnum):
    """Files that tools can be read from."""

    OPENAI = "OpenAI tool list"
    OPENAPI = "OpenAPI document"
    MCP = "MCP tools/list"
    PYTHON = "Python signatures"


class SourceTool(NamedTuple):
    """A tool, and what is known of its result."""

    tool: ToolDef
    output: dict[str, Any] | None = None
    """JSON Schema of the result, where the source gives it."""


class Sourced(NamedTuple):
    """What a file came to."""

    kind: SourceKind
    tools: tuple[SourceTool, ...]
    notes: tuple[str, ...]
    """What was changed on the way, a line each."""
    digest: str
    """Of the file's text."""


def read_tools(path: Path, execute: str | None = None) -> Sourced:
    """Return the tools of a file. Raises `SuiteError` with all mistakes.

    `execute`: the module's dotted name where calls of a Python file's functions are to be executed.
    """
    text = read_text(path)
    kind, data = _kind(path, text)
    schemas = Schemas(data if isinstance(data, Mapping) else {})
    schemas.is_openapi_30 = kind == SourceKind.OPENAPI and str(data.get("openapi", "")).startswith("3.0")
    match kind:
        case SourceKind.PYTHON:
            found = list(functions(data, schemas.mistakes))
        case SourceKind.OPENAPI:
            found = list(operations(data, schemas))
        case _:
            found = list(_listed(_rows(data), schemas))
    if not found and not schemas.mistakes:
        schemas.mistakes.append("expected at least one tool, found none")
    tools = tuple(_named(found, schemas.notes, execute))
    if schemas.mistakes:
        raise SuiteError([f"{path}: {mistake}" for mistake in schemas.mistakes])
    return Sourced(kind, tools, tuple(schemas.notes), stable_id(text))


def _kind(path: Path, text: str) -> tuple[SourceKind, Any]:
    """Return which kind of file this is, and its content. Raises `SuiteError`."""
    try:
        data = json.loads(text)
    except RecursionError as error:
        raise SuiteError([f"{path}: expected a description of tools, found JSON in too many layers"]) from error
    except ValueError:
        if path.suffix == ".py":
            return SourceKind.PYTHON, _module(path, text)
        data = _yaml(path)
    if isinstance(data, Mapping):
        version = data.get("openapi")
        if isinstance(version, str | int | float) and str(version).startswith("3"):
            return SourceKind.OPENAPI, data
        if version is not None or "swagger" in data:
            found = f"version {version or data.get('swagger')}"
            raise SuiteError([f"{path}: expected an OpenAPI document of version 3, found {found}; convert it first"])
    rows = _rows(data)
    if rows is not None:
        is_mcp = any(isinstance(row, Mapping) and "inputSchema" in row for row in rows)
        return (SourceKind.MCP if is_mcp else SourceKind.OPENAI), data
    kinds = ", ".join(SourceKind)
    raise SuiteError([f"{path}: expected one of: {kinds}; found {_told(data)}"])


def _module(path: Path, text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        raise SuiteError([f"{path}:{line}: expected Python, found: {error}"]) from error


def _yaml(path: Path) -> Any:
    try:
        return read_yaml(path).data
    except SuiteError as error:
        found = error.mistakes[0].removeprefix(f"{path}:")
        raise SuiteError([f"{path}: expected JSON, YAML or Python, found neither (line {found})"]) from error


def _rows(data: Any) -> list[Any] | None:
    """Return the list of tools in a bare list, `{"tools": […]}` or a JSON-RPC result; None where there is none."""
    if isinstance(data, Mapping) and isinstance(data.get("result"), Mapping):
        data = data["result"]
    if isinstance(data, Mapping):
        data = data.get("tools")
    if not isinstance(data, list) or any(isinstance(row, Mapping) and not _is_tool(row) for row in data[:1]):
        return None
    return data


def _is_tool(row: Mapping[str, Any]) -> bool:
    return "function" in row or "name" in row


def _listed(rows: list[Any] | None, schemas: Schemas) -> Iterator[Operation]:
    for at, row in enumerate(rows or ()):
        where = f"tools[{at}]"
        inner = row.get("function", row) if isinstance(row, Mapping) else row
        if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str) or not inner["name"]:
            schemas.mistakes.append(f"{where}: expected a tool with a name, found {_told(row)}")
            continue
        name, described = inner["name"], inner.get("description", "")
        if not isinstance(described, str | None):
            schemas.mistakes.append(f"{where} ({name}): expected a text as description, found {_told(described)}")
            continue
        # References of a tool's schema lead into the schema itself (`#/$defs/…`).
        given = inner.get("inputSchema", inner.get("parameters", inner.get("input_schema")))
        own = Schemas(given if isinstance(given, Mapping) else {}, schemas.mistakes, schemas.notes)
        parameters = own.parameters(given, f"{where} ({name})")
        output = inner.get("outputSchema")
        result = Schemas(output, schemas.mistakes, schemas.notes) if isinstance(output, Mapping) else None
        whole = result.whole(output, f"{where} ({name}) outputSchema") if result else None
        yield Operation(name, described or "", parameters, whole)


def _named(found: list[Operation], notes: list[str], execute: str | None) -> Iterator[SourceTool]:
    """Yield the tools, each with a valid name of its own."""
    taken: set[str] = set()
    for operation in found:
        name = valid_name(operation.name, taken)
        if name != operation.name:
            notes.append(
                f"tool {operation.name!r} is named {name!r}: a name has letters, digits, _ and -, and is unique"
            )
        taken.add(name)
        function = f"{execute}:{operation.name}" if execute else None
        tool = ToolDef(name=name, description=operation.description, parameters=operation.parameters, function=function)
        yield SourceTool(tool, operation.output)


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"an object with {', '.join(map(str, list(value)[:5])) or 'nothing in it'}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
