"""Scenario files: a built-in suite, a folder of templates, or a YAML or JSON Lines file of plain scenarios.

Plain files may use the shorthand of docs/scenario-format.md. All mistakes of a file are reported together, each as
`file:line: field: expected …, found …`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluation.expand import expand
from evaluation.files import atomic_write
from evaluation.located import Document, Location, SuiteError, not_json, parse, read_jsonl, read_yaml
from evaluation.protocols.tasks import HEAD, expand_tasks, is_task_suite
from evaluation.records import stable_id
from evaluation.scenario_checks import scenario_mistakes
from evaluation.scenarios import Part, Scenario, ToolDef
from evaluation.shorthand import in_full
from evaluation.splits import Suite, normalised, part_of_group
from evaluation.template_checks import read_template
from evaluation.templates import SUITES

SCHEMA_FILE = Path(__file__).parent / "schema" / "scenario.schema.json"
"""JSON Schema of one scenario, written out in full."""


def load(
    suite: str | Path, seed: int = 0, split_seed: int | None = None, counts: Mapping[Part, int | None] | None = None
) -> Suite:
    """Return the suite at `suite`: a built-in name, a folder of templates, or a .yaml, .yml or .jsonl file.

    For a file, `counts` keeps the first so many scenarios of a part (None: all), and `split_seed` divides groups that
    name no part. Raises `SuiteError` with all mistakes.
    """
    path = Path(suite)
    if (isinstance(suite, str) and suite in builtin_suites()) or path.is_dir():
        folder = SUITES / suite if isinstance(suite, str) and suite in builtin_suites() else path
        draw = expand_tasks if is_task_suite(folder) else expand
        return draw(folder, seed, split_seed, counts)
    if path.suffix not in (".yaml", ".yml", ".jsonl"):
        names = ", ".join(builtin_suites()) or "none"
        found = "a file of another type" if path.exists() else "no such file"
        raise SuiteError(
            [f"{suite}: expected a built-in suite ({names}), a folder or a .yaml or .jsonl file, found {found}"]
        )
    document = read_jsonl(path) if path.suffix == ".jsonl" else read_yaml(path)
    divided = split_seed if split_seed is not None else seed
    scenarios = _Reader(document, divided).read()
    return Suite(name=path.stem, seed=seed, split_seed=divided, scenarios=tuple(_limited(scenarios, counts or {})))


def builtin_suites() -> list[str]:
    """Return the names of the built-in suites."""
    heads = [*SUITES.glob("*/suite.yaml"), *SUITES.glob(f"*/{HEAD}")]
    return sorted(path.parent.name for path in heads)


@functools.cache
def builtin_tools() -> dict[str, ToolDef]:
    """Return the tools of the built-in suites of templates by name."""
    return {
        name: ToolDef.model_validate(tool.model_dump(include=set(ToolDef.model_fields)))
        for head in sorted(SUITES.glob("*/suite.yaml"))
        for name, (_, tool) in read_template(head.parent).tools.items()
    }


def save_jsonl(suite: Suite, path: Path) -> None:
    """Write a suite's scenarios, one a line, without what is the default; `load` reads them back unchanged.

    Raises `DiskError`.
    """
    atomic_write(path, "".join(one.model_dump_json(exclude_defaults=True) + "\n" for one in suite.scenarios))


def scenario_schema() -> str:
    """Return the text of `SCHEMA_FILE`, made from the record."""
    return json.dumps(Scenario.model_json_schema(), indent=1, ensure_ascii=False) + "\n"


def write_schema() -> None:
    """Write `SCHEMA_FILE`."""
    SCHEMA_FILE.write_text(scenario_schema(), encoding="utf-8")


def _limited(scenarios: list[Scenario], counts: Mapping[Part, int | None]) -> list[Scenario]:
    given = {part: counts.get(part) for part in Part}
    left = {part: len(scenarios) if most is None else most for part, most in given.items()}
    kept = []
    for scenario in scenarios:
        if left[scenario.part] > 0:
            left[scenario.part] -= 1
            kept.append(scenario)
    return kept


class _Reader:
    """Reads the scenarios of one file and collects what is wrong with them."""

    def __init__(self, document: Document, split_seed: int) -> None:
        self._document = document
        self._split_seed = split_seed
        self._mistakes: list[str] = []
        self._shared: dict[str, Any] = {}

    def read(self) -> list[Scenario]:
        """Return all scenarios. Raises `SuiteError`."""
        rows, root = self._rows()
        for where, text in not_json(self._document.data):
            self._mistake(where, text)
        self._shared_tools()
        known = _known_parts(rows)
        scenarios = [self._scenario((*root, index), row, known) for index, row in enumerate(rows)]
        seen: dict[str, int] = {}
        for index, (row, scenario) in enumerate(zip(rows, scenarios, strict=True)):
            at = (*root, index)
            # Also of scenarios that cannot be read for other mistakes.
            name = row.get("id") if isinstance(row, dict) else None
            if isinstance(name, str) and name in seen:
                self._mistake((*at, "id"), f"expected each id once, found {name!r} of line {seen[name]} again")
            elif isinstance(name, str):
                seen[name] = self._document.line(at)
            for where, text in () if scenario is None else scenario_mistakes(scenario):
                self._mistake((*at, *where), text)
        if self._mistakes:
            raise SuiteError(self._mistakes)
        return [scenario for scenario in scenarios if scenario is not None]

    def _rows(self) -> tuple[list[Any], Location]:
        data = self._document.data
        rows, root = (
            (data["scenarios"], ("scenarios",)) if isinstance(data, dict) and "scenarios" in data else (data, ())
        )
        if not isinstance(rows, list) or not rows:
            found = f"a {type(rows).__name__}" if rows else "nothing"
            raise SuiteError([self._document.mistake(root, f"expected a list of scenarios, found {found}")])
        return rows, root

    def _shared_tools(self) -> None:
        """Read the file's own tools, which its scenarios may name, and refuse what else stands beside `scenarios`."""
        document, data = self._document, self._document.data
        if not isinstance(data, dict):
            return
        for name in sorted(data.keys() - {"scenarios", "tools"}, key=str):
            self._mistakes.append(document.mistake((name,), "expected `tools` and `scenarios` only, found this field"))
        shared = data.get("tools", [])
        if not isinstance(shared, list):
            found = f"expected a list of tools, found a {type(shared).__name__}"
            self._mistakes.append(document.mistake(("tools",), found))
            return
        for index, given in enumerate(shared):
            at = ("tools", index)
            tool = parse(ToolDef, document, given, at, mistakes=self._mistakes)
            if tool is not None and tool.name in self._shared:
                again = f"expected each tool once, found {tool.name!r} again"
                self._mistakes.append(document.mistake((*at, "name"), again))
            elif tool is not None:
                self._shared[tool.name] = given

    def _mistake(self, at: Location, text: str) -> None:
        at_root = 1 + (at[:1] == ("scenarios",))
        self._mistakes.append(self._document.mistake(at, text, name=at[at_root:]))

    def _scenario(self, at: Location, row: Any, known: Mapping[str, str]) -> Scenario | None:
        if not isinstance(row, dict):
            self._mistake(at, f"expected a scenario with named fields, found {row!r}")
            return None
        row = dict(row)
        if "query" in row and "messages" not in row:
            row["messages"] = [{"role": "user", "content": row.pop("query")}]
        row.setdefault("kind", "imported")
        row.setdefault("expected", {})
        row.setdefault("id", f"{self._document.path.stem}/{self._document.line(at)}")
        group = row.setdefault("group", _own_group(row))
        row.setdefault("part", known.get(str(group)) or part_of_group(str(group), self._split_seed).value)
        before = len(self._mistakes)
        row["tools"] = self._tools(at, row.get("tools", list(self._shared)))
        scenario = parse(Scenario, self._document, in_full(row), at, mistakes=self._mistakes)
        return scenario if len(self._mistakes) == before else None

    def _tools(self, at: Location, tools: Any) -> Any:
        if not isinstance(tools, list):
            return tools
        out = []
        for index, tool in enumerate(tools):
            if isinstance(tool, str):
                known = self._shared.get(tool) or builtin_tools().get(tool)
                if known is None:
                    self._mistake((*at, "tools", index), f"expected a built-in tool or a tool in full, found {tool!r}")
                    continue
                tool = known
            out.append(tool)
        return out


def _known_parts(rows: list[Any]) -> dict[str, str]:
    """Return the part of each group of which some scenario names it: the others of the group follow."""
    named = (row for row in rows if isinstance(row, dict) and "group" in row and "part" in row)
    return {str(row["group"]): str(row["part"]) for row in named}


def _own_group(row: Mapping[str, Any]) -> str:
    """Return a group for what the user says: the same words are the same group."""
    messages = row.get("messages")
    said = [str(m.get("content", "")) for m in messages if isinstance(m, dict)] if isinstance(messages, list) else []
    return "words-" + stable_id([normalised(text) for text in said])[:12]
