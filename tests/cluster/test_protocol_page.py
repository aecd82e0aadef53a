"""docs/protocols.md does what it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any, get_args

import pytest
from typer.testing import CliRunner

from cluster.cli import app
from evaluation.protocols.load import builtin_protocols
from evaluation.protocols.spec import CheckKind, ErrorKind, FailureClass
from tests.trees import ROOT

PAGE = (ROOT / "docs" / "protocols.md").read_text(encoding="utf-8")


def block(language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[number]


def test_the_worked_example_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pocket.yaml").write_text(block("yaml"))
    Path("messages.jsonl").write_text(block("jsonl"))
    command, printed = block("console", 1).strip().split("\n")
    result = CliRunner().invoke(app, shlex.split(command)[2:])
    assert result.exit_code == 0, result.output
    assert result.output.strip() == printed
    assert (block("yaml") + block("jsonl") + block("console", 1)).count("\n") < 40


def test_the_python_example_runs() -> None:
    made: dict[str, Any] = {}
    exec(compile(block("python"), "docs/protocols.md", "exec"), made)
    verdict = made["codec"].judge.turn(made["parser"].close())
    assert (verdict.valid, verdict.tool, verdict.params) == (True, "list_files", {"path": "src"})


def test_every_name_is_told() -> None:
    words = set(re.findall(r"[a-z_]+", PAGE))
    assert {str(kind) for kind in (*ErrorKind, *get_args(CheckKind))} <= words
    assert set(builtin_protocols()) <= words
    assert [str(kind) for kind in FailureClass if str(kind).replace("_", " ") not in re.sub(r"\s+", " ", PAGE)] == []
