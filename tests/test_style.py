"""The size budgets of the code: short functions, short files, few positional arguments.

Lengths are whole, with signature and docstring. The tests' own files are not counted.
"""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator
from typing import NamedTuple

from tests.trees import SourceFile, source_files

FUNCTION_MEDIAN, FUNCTION_P90, FUNCTION_MAX = 12, 45, 80
FILE_MEDIAN, FILE_MAX = 180, 400
POSITIONAL_MAX = 4
CONFIG_FIELDS_MAX = 15
ROOT_FIELDS_MAX = 20
"""Of `Settings`, which is made of groups: one field for each part of the program that can be set."""
NOT_OURS = {"settings_customise_sources"}
"""Methods whose arguments another library fixes."""
COMMAND_LINE = re.compile(r"typer\.(Option|Argument)\(|^(typer\.Context|\w+Flag|Ref)$")
"""Annotations of parameters that Typer fills from the command line."""


class Function(NamedTuple):
    place: str
    lines: int
    positional: int


def functions(file: SourceFile) -> Iterator[Function]:
    for node in file.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
            ours = [name for name in names if name not in ("self", "cls")]
            positional = 0 if _is_command(file, node) else len(ours)
            yield Function(f"{file.name}:{node.lineno} {node.name}", _lines(node), positional)


def over_budget(files: list[SourceFile]) -> list[str]:
    """Return what is longer or wider than it may be, each with its place and size."""
    every = [function for file in files for function in functions(file)]
    return [
        *(f"{f.place}: {f.lines} lines, at most {FUNCTION_MAX}" for f in every if f.lines > FUNCTION_MAX),
        *(f"{f.place}: {f.positional} positional arguments, at most {POSITIONAL_MAX}; add a `*`"
          for f in every if f.positional > POSITIONAL_MAX and f.place.split()[-1] not in NOT_OURS),
        *(f"{file.name}: {len(file.text.splitlines())} lines, at most {FILE_MAX}"
          for file in files if len(file.text.splitlines()) > FILE_MAX),
        *(f"{place}: {count} fields, at most {fields_max(place)}"
          for file in files for place, count in configs(file) if count > fields_max(place)),
    ]  # fmt: skip


def fields_max(place: str) -> int:
    return ROOT_FIELDS_MAX if place.endswith(" Settings") else CONFIG_FIELDS_MAX


def configs(file: SourceFile) -> Iterator[tuple[str, int]]:
    """Yield the place and the number of fields of each config class."""
    for node in file.nodes:
        if isinstance(node, ast.ClassDef) and node.name.endswith(("Config", "Settings")):
            yield f"{file.name}:{node.lineno} {node.name}", sum(isinstance(line, ast.AnnAssign) for line in node.body)


def test_nothing_is_over_its_budget() -> None:
    assert over_budget(source_files()) == []


def test_most_functions_and_files_are_short() -> None:
    files = source_files()
    lengths = sorted(function.lines for file in files for function in functions(file))
    assert statistics.median(lengths) <= FUNCTION_MEDIAN
    assert lengths[int(0.9 * len(lengths))] <= FUNCTION_P90
    assert statistics.median(len(file.text.splitlines()) for file in files if file.text.strip()) <= FILE_MEDIAN


def test_what_is_too_long_is_found() -> None:
    long = "def f(a, b, c, d, e):\n" + "    a = 1\n" * FUNCTION_MAX
    wide = "class MyConfig:\n" + "".join(f"    f{i}: int\n" for i in range(CONFIG_FIELDS_MAX + 1))
    text = long + wide + "x = 1\n" * FILE_MAX
    found = over_budget([SourceFile("evaluation/a.py", text, ast.parse(text))])
    assert [message.split(": ")[1].split(",")[0] for message in found] == [
        "81 lines", "5 positional arguments", f"{len(text.splitlines())} lines", "16 fields",
    ]  # fmt: skip


def test_only_what_typer_fills_may_have_more_arguments() -> None:
    text = "def run(a: Annotated[int, typer.Option()], b: Ref, c: HomeFlag, d: JsonFlag, e: {}): ..."
    for kind, count in (("ConfigFlag", 0), ("int", 1)):
        written = text.format(kind)
        assert len(over_budget([SourceFile("cluster/commands/a.py", written, ast.parse(written))])) == count
        assert over_budget([SourceFile("evaluation/a.py", written, ast.parse(written))])


def _is_command(file: SourceFile, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether Typer calls the function: it fills each parameter from the command line, mostly flags, by name."""
    hints = [ast.unparse(argument.annotation) for argument in node.args.args if argument.annotation]
    return file.name.startswith("cluster/commands/") and all(COMMAND_LINE.search(hint) for hint in hints)


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1
