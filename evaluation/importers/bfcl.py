"""The Berkeley Function-Calling Leaderboard's files (version 4) as scenarios.

Decisions: tool names stay as they are (dots included); calls are compared, not executed (`stop="calls"`); entries on
one list of functions, or with the same words, are one group, so the split never divides them. Acceptable values stay as
the files have them (`notation="bfcl"`), so that nothing is lost for a verdict by the leaderboard's rules. The category
is read from the entry's id. What is judged of `live_relevance` is only that something is called; all other categories
of calls need the leaderboard's answers, since without them no output could be called wrong.
Limits: one turn per entry; Python functions only. Where a schema has a keyword whose value is no JSON Schema, that
keyword is left out.
Format: https://github.com/ShishirPatil/gorilla, folder berkeley-function-call-leaderboard/bfcl_eval/data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
from pydantic import Field

from evaluation.located import Document, Location, SuiteError, parse, read_jsonl
from evaluation.records import Message, Record, stable_id
from evaluation.scenarios import Expected, ExpectedArgument, ExpectedCall, Kind, Scenario, ToolDef
from evaluation.splits import join_groups, part_of_group
from evaluation.validators.accepted import LEFT_OUT

CATEGORIES = (
    "simple", "simple_python", "multiple", "parallel", "parallel_multiple", "irrelevance",
    "live_simple", "live_multiple", "live_parallel", "live_parallel_multiple", "live_irrelevance", "live_relevance",
)  # fmt: skip
"""Categories of single turns and Python functions. `simple` is the older name of `simple_python`."""

_TYPES = {"dict": "object", "float": "number", "tuple": "array"}
_JSON_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")

_METASCHEMA = jsonschema.Draft202012Validator(jsonschema.Draft202012Validator.META_SCHEMA)

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
    where = "none in " + ", ".join(map(str, answers)) if answers else "no file of answers"
    scenarios: list[Scenario] = []
    seen: dict[str, str] = {}
    for path in questions:
        document = read_jsonl(path)
        unanswered: list[tuple[int, str]] = []
        mistakes += _foreign(document)
        for at, data in enumerate(document.data):
            row = None if _is_foreign(data) else parse(_Question, document, data, (at,), mistakes=mistakes)
            if row is None or not _is_new(document, at, row, seen, mistakes=mistakes):
                continue
            if row.id not in truths and not category_of(row.id).endswith("relevance"):
                unanswered.append((at, row.id))
            else:
                scenarios += _scenarios(document, (at,), row, truths.get(row.id), mistakes=mistakes)
        mistakes += _unanswered(document, unanswered, where)
    if mistakes:
        raise SuiteError(mistakes)
    return join_groups(scenarios)


def answers_beside(questions: Sequence[Path]) -> list[Path]:
    """Return the files of answers that lie beside files of questions as the leaderboard lays them out."""
    beside = [path.parent / "possible_answer" / path.name for path in questions]
    return [path for path in beside if path.is_file()]


def _is_foreign(data: Any) -> bool:
    """Say whether an entry is of a category that is not imported."""
    name = data.get("id") if isinstance(data, dict) else None
    return isinstance(name, str) and category_of(name) not in CATEGORIES


def _foreign(document: Document) -> Iterator[str]:
    """Yield one mistake for each category that is not imported."""
    found: dict[str, list[int]] = {}
    for at, data in enumerate(document.data):
        if _is_foreign(data):
            found.setdefault(category_of(data["id"]), []).append(at)
    for category, places in found.items():
        entries = f"{len(places)} of {category!r}" if len(places) > 1 else repr(document.data[places[0]]["id"])
        said = f"expected entries of {', '.join(CATEGORIES)}, found {entries}"
        yield document.mistake((places[0],), said, name=("id",))


def _is_new(document: Document, at: int, row: _Question, seen: dict[str, str], *, mistakes: list[str]) -> bool:
    """Say whether the entry's id is new; what is wrong goes to `mistakes`."""
    here = f"{document.path}:{document.line((at,))}"
    if seen.setdefault(row.id, here) == here:
        return True
    said = f"expected each entry once, found {row.id!r} of {seen[row.id]} again"
    mistakes.append(document.mistake((at,), said, name=("id",)))
    return False


def _unanswered(document: Document, entries: list[tuple[int, str]], where: str) -> Iterator[str]:
    """Yield one mistake for all entries of a file that no output could be judged by."""
    if entries:
        names = ", ".join(name for _, name in entries[:3]) + (", …" if len(entries) > 3 else "")
        wanted = f"an answer to {names}" if len(entries) == 1 else f"answers to {len(entries)} entries ({names})"
        said = f"expected {wanted}, found {where}; give the leaderboard's file of answers with --answers"
        yield document.mistake((entries[0][0],), said, name=("id",))


def _read_answers(path: Path, mistakes: list[str]) -> dict[str, _Answer]:
    document = read_jsonl(path)
    known = [(at, row) for at, row in enumerate(document.data) if not _is_foreign(row)]
    rows = [parse(_Answer, document, row, (at,), mistakes=mistakes) for at, row in known]
    return {row.id: row for row in rows if row is not None}


def category_of(identifier: str) -> str:
    """Return the category in an entry's id: `live_simple_51-23-0` is of `live_simple`."""
    return re.sub(r"_\d+(-\d+)*$", "", identifier)


def _scenarios(
    document: Document, at: Location, row: _Question, truth: _Answer | None, *, mistakes: list[str]
) -> Iterator[Scenario]:
    """Yield the entry's scenario, or nothing where it expects a function that is not offered."""
    category = category_of(row.id)
    tools = tuple(_tool(tool) for tool in row.function)
    schemas = {tool.name: tool.parameters for tool in tools}
    expected = [next(iter(call.items())) for call in truth.ground_truth if call] if truth else []
    unknown = [name for name, _ in expected if name not in schemas]
    if unknown:
        mistakes.append(document.mistake(at, f"expected calls of {list(schemas)}, found {unknown}", name=("function",)))
        return
    calls = [_call(name, values, schemas[name]) for name, values in expected]
    group = f"bfcl-{stable_id([tool.model_dump(exclude={'http', 'mcp'}) for tool in tools])[:16]}"
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
        tags=("bfcl", category),
    )


def _tool(tool: ToolDef) -> ToolDef:
    parameters = _sound(json_schema(tool.parameters)) | {"type": "object"}
    return ToolDef(name=tool.name, description=tool.description, parameters=parameters)


def json_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a parameter description of the leaderboard as JSON Schema; `any` becomes a schema without a type."""
    out = {key: value for key, value in schema.items() if key not in ("type", "properties", "items", "optional")}
    kind = str(schema.get("type", "any"))
    if _TYPES.get(kind, kind) in _JSON_TYPES:
        out["type"] = _TYPES.get(kind, kind)
    inner = schema.get("properties")
    if isinstance(inner, Mapping):
        out["properties"] = {name: json_schema(one) for name, one in inner.items() if isinstance(one, Mapping)}
    if isinstance(schema.get("items"), Mapping):
        out["items"] = json_schema(schema["items"])
    return out


def _sound(schema: dict[str, Any]) -> dict[str, Any]:
    """Return `schema`, having taken out each keyword whose value is none that JSON Schema knows."""
    while (error := next(_METASCHEMA.iter_errors(schema), None)) is not None:
        holder, keyword, inner = schema, "", schema
        for key in error.path:
            if isinstance(inner, dict):
                holder, keyword = inner, key
            inner = inner[key]
        del holder[keyword]
    return schema


def _call(name: str, values: _Acceptable, schema: Mapping[str, Any]) -> ExpectedCall:
    required = schema.get("required", ())
    arguments = {
        key: ExpectedArgument(any_of=tuple(options), optional=LEFT_OUT in options and key not in required)
        for key, options in values.items()
    }
    return ExpectedCall(name=name, arguments=arguments, notation="bfcl")
