"""Imports go one way, `evaluation ← training ← serving ← cluster`, and the outside world is met in one folder only.

Read from the syntax trees, so that imports inside functions count too. Each rule is also run on a tree with a planted
violation, to show that it can fail.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.trees import FOLDERS, SourceFile, module_imports, source_files

RAY_IN_EVALUATION: frozenset[str] = frozenset()
"""Files of `evaluation/` that may import Ray at top level: none. Judging an episode needs no cluster."""

COMMAND_LINES = {
    "training/tiny/__main__.py": "`make tiny` is run before there is anything for the `ratchet` command to work with",
}
"""Files outside `cluster/` that parse a command line, each with the reason."""

STARTS_RAY = {
    "training/tiny/build.py": "`make tiny` is run before there is anything for the `ratchet` command to work with",
}
"""Files outside `cluster/` that may start Ray, each with the reason."""

READS_YAML = {
    "evaluation/located.py": "suites are YAML data; their mistakes are reported with file and line",
    "evaluation/pricing.py": "the price table is YAML data",
}
"""Files outside `cluster/` that read YAML, each with the reason. Settings are read in `cluster/` alone."""

Rule = Callable[[list[SourceFile]], Iterator[str]]


def against_the_arrow(files: list[SourceFile]) -> Iterator[str]:
    for file in files:
        allowed = FOLDERS[: FOLDERS.index(file.folder) + 1]
        for found in file.imports():
            target = found.module.split(".")[0]
            if target in {*FOLDERS, "tests"} and target not in allowed:
                yield f"{file.name}:{found.line}: {file.folder}/ must not import {found.module}"


def ray_below_its_place(files: list[SourceFile]) -> Iterator[str]:
    for file in files:
        if file.folder == "evaluation" and file.name not in RAY_IN_EVALUATION:
            for found in file.imports():
                if found.top_level and found.module.split(".")[0] == "ray":
                    yield f"{file.name}:{found.line}: evaluation/ must not import Ray at top level"


def outside_met_elsewhere(files: list[SourceFile]) -> Iterator[str]:
    for file in (file for file in files if file.folder != "cluster"):
        if file.name not in STARTS_RAY:
            for node in file.nodes:
                if isinstance(node, ast.Call) and ast.unparse(node.func) in {"ray.init", "ray.client"}:
                    yield f"{file.name}:{node.lineno}: only cluster/ starts Ray"
        for found in file.imports():
            top = found.module.split(".")[0]
            if top in {"argparse", "click", "typer", "optparse", "getopt"} and file.name not in COMMAND_LINES:
                yield f"{file.name}:{found.line}: only cluster/ parses a command line"
            if (top in {"yaml", "tomllib"} and file.name not in READS_YAML) or top == "pydantic_settings":
                yield f"{file.name}:{found.line}: only cluster/ reads settings"
        for node in file.nodes:
            if isinstance(node, ast.Attribute) and node.attr == "argv" and ast.unparse(node) == "sys.argv":
                yield f"{file.name}:{node.lineno}: only cluster/ parses a command line"


def cycles(files: list[SourceFile]) -> Iterator[str]:
    """Yield each file that imports itself again by way of others, counting what runs at import time."""
    edges = module_imports(files)
    for start in edges:
        reached: set[str] = set()
        ahead = set(edges[start])
        while ahead - reached:
            following = ahead - reached
            reached |= following
            ahead = {target for module in following for target in edges[module]}
        if start in reached:
            yield f"{start} imports itself again through {', '.join(sorted(reached - {start}))}"


RULES: list[Rule] = [against_the_arrow, ray_below_its_place, outside_met_elsewhere, cycles]


@pytest.mark.parametrize("rule", RULES)
def test_the_tree_follows_the_rule(rule: Rule) -> None:
    files = source_files()
    assert {file.folder for file in files} == set(FOLDERS)
    assert not list(rule(files))


@pytest.mark.parametrize(
    ("rule", "name", "text"),
    [
        (against_the_arrow, "evaluation/a.py", "import training.registry"),
        (against_the_arrow, "evaluation/a.py", "def f():\n    from cluster.cli import main"),
        (against_the_arrow, "training/deep/a.py", "from serving import gateway"),
        (against_the_arrow, "serving/a.py", "if True:\n    import cluster"),
        (against_the_arrow, "serving/a.py", "from tests.trees import ROOT"),
        (ray_below_its_place, "evaluation/a.py", "import ray.data"),
        (ray_below_its_place, "evaluation/a.py", "try:\n    from ray import serve\nexcept ImportError:\n    pass"),
        (outside_met_elsewhere, "training/a.py", "import ray\nray.init()"),
        (outside_met_elsewhere, "serving/a.py", "import typer"),
        (outside_met_elsewhere, "serving/a.py", "import sys\nprint(sys.argv)"),
        (outside_met_elsewhere, "training/a.py", "import yaml"),
        (outside_met_elsewhere, "evaluation/a.py", "from pydantic_settings import BaseSettings"),
        (cycles, "evaluation/a.py", "from evaluation.b import x"),
    ],
)
def test_a_planted_violation_is_found(rule: Rule, name: str, text: str, tmp_path: Path) -> None:
    _plant(tmp_path, "evaluation/b.py", "from evaluation.a import y")
    _plant(tmp_path, name, text)
    violations = list(rule(source_files(tmp_path)))
    assert any(name in violation or "evaluation.a" in violation for violation in violations)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cluster/a.py", "import ray, typer, yaml\nfrom serving import x\nfrom evaluation import y\nray.init()"),
        ("serving/a.py", "import ray\nfrom training import x\nfrom . import b"),
        ("evaluation/a.py", "def f():\n    import ray.data\n    from evaluation.b import x"),
    ],
)
def test_what_is_allowed_is_not_reported(name: str, text: str, tmp_path: Path) -> None:
    _plant(tmp_path, "evaluation/b.py", "from evaluation.a import y")
    _plant(tmp_path, name, text)
    assert [violation for rule in RULES for violation in rule(source_files(tmp_path))] == []


def test_every_exception_is_still_needed() -> None:
    files = {file.name: file for file in source_files()}
    for listed, modules in ((COMMAND_LINES, {"argparse"}), (READS_YAML, {"yaml"}), (STARTS_RAY, {"ray"})):
        for name in listed:
            assert name in files, f"{name} is listed in {Path(__file__).name} but is gone"
            assert modules & {found.module for found in files[name].imports()}, f"{name} needs its exception no more"


def _plant(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
