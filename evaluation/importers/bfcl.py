"""The Berkeley Function-Calling Leaderboard's files (version 4) as scenarios.

Decisions: tool names stay as they are (dots included); calls are compared, not executed (`stop="calls"`); entries on
one list of functions, or with the same words, are one group, so the split never divides them. What is judged of
`live_relevance` is only that something is called. A required parameter has to be there, whatever the answers say.
Limits: one turn per entry. Where a nested value has more than 64 acceptable combinations, the first 64 are kept and the
scenario is tagged `values_truncated`. How strings are compared is the validators' affair, not the importer's.
Format: https://github.com/ShishirPatil/gorilla, folder berkeley-function-call-leaderboard/bfcl_eval/data.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from evaluation.located import Document, Location, SuiteError, parse, read_jsonl
from evaluation.records import Message, Record, stable_id
from evaluation.scenarios import Expected, ExpectedArgument, ExpectedCall, Kind, Scenario, ToolDef
from evaluation.splits import join_groups, part_of_group

COMBINATIONS = 64
"""Most acceptable values of one argument that are written out."""

_TYPES = {"dict": "object", "float": "number", "tuple": "array"}

_Acceptable = dict[str, list[Any]]
"""Acceptable values by parameter."""


class _Question(Record):
    id: str
    question: tuple[tuple[Message, ...], ...] = Field(min_length=1, max_length=1)
    function: tuple[ToolDef, ...]


class _Answer(Record):
    id: str
    ground_truth: tuple[dict[str, _Acceptable], ...]


def import_bfcl(questions: Sequence[Path], answers: Sequence[Path] = ()) -> list[Scenario]:
    """Return the scenarios of one or several categories, a file each, as one suite's.

    Answers are found by the entries' ids; only the categories of relevance and irrelevance need none. Raises
    `SuiteError` with all mistakes of all files.
    """
    mistakes: list[str] = []
    truths = {key: truth for path in answers for key, truth in _read_answers(path, mistakes).items()}
    where = ", ".join(map(str, answers)) or "no file of answers"
    scenarios: list[Scenario] = []
    for path in questions:
        document = read_jsonl(path)
        rows = [parse(_Question, document, row, (at,), mistakes=mistakes) for at, row in enumerate(document.data)]
        for at, row in enumerate(rows):
            if row is None:
                continue
            if not _needs_no_answer(_category(row.id)) and row.id not in truths:
                said = f"expected an answer to {row.id} in {where}, found none"
                mistakes.append(document.mistake((at,), said, name=("id",)))
                continue
            scenarios += _scenarios(document, (at,), row, truths.get(row.id), mistakes=mistakes)
    if mistakes:
        raise SuiteError(mistakes)
    return join_groups(scenarios)


def _read_answers(path: Path, mistakes: list[str]) -> dict[str, _Answer]:
    document = read_jsonl(path)
    rows = [parse(_Answer, document, row, (at,), mistakes=mistakes) for at, row in enumerate(document.data)]
    return {row.id: row for row in rows if row is not None}


def _category(identifier: str) -> str:
    """Return the category in an entry's id: `live_simple_51-23-0` is of `live_simple`."""
    return re.sub(r"_\d+(-\d+)*$", "", identifier)


def _needs_no_answer(category: str) -> bool:
    return category.endswith("relevance")


def _scenarios(
    document: Document, at: Location, row: _Question, truth: _Answer | None, *, mistakes: list[str]
) -> Iterator[Scenario]:
    """Yield the entry's scenario, or nothing where it expects a function that is not offered."""
    category = _category(row.id)
    tools = tuple(_tool(tool) for tool in row.function)
    schemas = {tool.name: tool.parameters for tool in tools}
    expected = [next(iter(call.items())) for call in truth.ground_truth if call] if truth else []
    unknown = [name for name, _ in expected if name not in schemas]
    if unknown:
        mistakes.append(document.mistake(at, f"expected calls of {list(schemas)}, found {unknown}", name=("function",)))
        return
    calls = [_call(name, values, schemas[name]) for name, values in expected]
    truncated = any(len(argument.any_of) == COMBINATIONS for call in calls for argument in call.arguments.values())
    group = f"bfcl-{stable_id([tool.model_dump() for tool in tools])[:16]}"
    yield Scenario(
        id=f"bfcl/{row.id}",
        group=group,
        part=part_of_group(group),
        kind=Kind.IMPORTED,
        messages=row.question[0],
        tools=tools,
        expected=Expected(
            calls=tuple(calls),
            any_call=category.endswith("relevance") and not category.endswith("irrelevance"),
            order="any" if "parallel" in category else "strict",
        ),
        stop="calls",
        tags=("bfcl", category, *(["values_truncated"] if truncated else [])),
    )


def _tool(tool: ToolDef) -> ToolDef:
    return ToolDef(name=tool.name, description=tool.description, parameters=json_schema(tool.parameters))


def json_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a parameter description of the leaderboard as JSON Schema; `any` becomes a schema without a type."""
    out = {key: value for key, value in schema.items() if key not in ("type", "properties", "items", "optional")}
    kind = schema.get("type")
    if kind is not None and kind != "any":
        out["type"] = _TYPES.get(kind, kind)
    if "properties" in schema:
        out["properties"] = {name: json_schema(inner) for name, inner in (schema["properties"] or {}).items()}
    if isinstance(schema.get("items"), Mapping):
        out["items"] = json_schema(schema["items"])
    return out


def _call(name: str, values: _Acceptable, schema: Mapping[str, Any]) -> ExpectedCall:
    properties, required = schema.get("properties", {}), schema.get("required", ())
    return ExpectedCall(
        name=name,
        arguments={
            key: _argument(options, properties.get(key, {}), key in required) for key, options in values.items()
        },
    )


def _argument(options: list[Any], schema: Mapping[str, Any], required: bool) -> ExpectedArgument:
    """An empty string means that the argument may be left out; it is also a value where the argument is a text."""
    given = [option for option in options if option != ""]
    empty = len(given) < len(options)
    full = [value for option in given for value in _combinations(option, schema)]
    if empty and schema.get("type") == "string":
        full.append("")
    return ExpectedArgument(any_of=tuple(full[:COMBINATIONS]), optional=empty and not required)


def _combinations(option: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
    """Yield, at most `COMBINATIONS`, the values that one acceptable value stands for."""
    if isinstance(option, dict):
        yield from itertools.islice(_objects(option), COMBINATIONS)
    elif isinstance(option, list) and any(isinstance(item, dict) for item in option):
        items = [list(_combinations(item, schema.get("items", {}))) for item in option]
        yield from (list(chosen) for chosen in itertools.islice(itertools.product(*items), COMBINATIONS))
    else:
        yield option


def _objects(option: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the objects of `{key: [acceptable values]}`; a key with an empty string among its values may be missing."""
    absent = object()
    choices = [
        [*(value for value in values if value != ""), *([absent] if "" in values else [])]
        if isinstance(values, list)
        else [values]
        for values in option.values()
    ]
    for chosen in itertools.product(*choices):
        yield {key: value for key, value in zip(option, chosen, strict=True) if value is not absent}
