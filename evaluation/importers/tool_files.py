"""Files of tools: our own form, or OpenAI's, in a list, under `tools`, or in the scenarios of a suite; and modules."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

from evaluation.load import builtin_tools
from evaluation.located import Document, Location, SuiteError, parse, read_jsonl, read_yaml
from evaluation.scenarios import ToolDef
from evaluation.template_checks import tool_mistakes
from evaluation.tools.functions import tool_from

PAGE = "docs/tools.md"


def tools_in_file(path: Path) -> list[ToolDef]:
    """Return the tools in a YAML, JSON or JSON Lines file, of those of one name the first. Raises `SuiteError`."""
    document = read_jsonl(path) if path.suffix == ".jsonl" else read_yaml(path)
    mistakes: list[str] = []
    found: dict[str, ToolDef] = {}
    for at, data in _entries(document.data, ()):
        tool = _tool(document, at, data, mistakes)
        if tool is not None:
            found.setdefault(tool.name, tool)
    if not found and not mistakes:
        mistakes.append(document.mistake((), f"expected a list of tools, or `tools`, found none (see {PAGE})"))
    if mistakes:
        raise SuiteError(mistakes)
    return list(found.values())


def _entries(data: Any, at: Location) -> list[tuple[Location, Any]]:
    """Return place and data of each tool, wherever lists of them may stand."""
    if isinstance(data, dict):
        for name in ("scenarios", "tools"):
            if isinstance(data.get(name), list):
                return _entries(data[name], (*at, name))
        return [(at, data)] if "name" in data or "function" in data else []
    if not isinstance(data, list):
        return [(at, data)]
    nested = [(index, row) for index, row in enumerate(data) if isinstance(row, dict) and "tools" in row]
    if nested:
        return [entry for index, row in nested for entry in _entries(row, (*at, index))]
    return [((*at, index), row) for index, row in enumerate(data)]


def _tool(document: Document, at: Location, data: Any, mistakes: list[str]) -> ToolDef | None:
    if isinstance(data, str):
        if data not in builtin_tools():
            mistakes.append(document.mistake(at, f"expected a built-in tool or a tool in full, found {data!r}"))
        return builtin_tools().get(data)
    if isinstance(data, dict) and isinstance(data.get("function"), dict):
        inner = data["function"]
        data = {"description": "", "parameters": {"type": "object", "properties": {}}} | {
            key: value for key, value in inner.items() if key != "strict"
        }
    tool = parse(ToolDef, document, data, at, mistakes=mistakes, page=PAGE, within=at)
    if tool is not None:
        mistakes += [document.mistake((*at, name), text) for name, text in tool_mistakes(tool)]
    return tool


def tools_in_module(name: str) -> list[ToolDef]:
    """Return the public functions that a Python module defines as tools. Raises `ValueError`."""
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        raise ValueError(f"expected a module that can be imported, found {name!r} ({error})") from error
    functions = [f for n, f in vars(module).items() if inspect.isfunction(f) and not n.startswith("_")]
    own = [function for function in functions if function.__module__ == module.__name__]
    if not own:
        raise ValueError(f"expected a module with functions, found none in {name!r}")
    return [tool_from(function) for function in own]
