"""`ratchet test generate`, as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cluster.cli import app
from evaluation.generate import KINDS
from evaluation.suite import check_split, load
from tests.evaluation.generate.making import SHOP, openai, written
from tests.trees import ROOT

COMMAND: Any = typer.main.get_command(app).commands["test"].commands["generate"]  # type: ignore[attr-defined]


def call(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["test", "generate", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    return written(tmp_path / "tools.json", openai(*SHOP))


def test_a_suite_is_written_and_told(tools: Path, tmp_path: Path) -> None:
    out = tmp_path / "suite.jsonl"
    status, told, _ = call("--tools", tools, "--count", 35, "--seed", 2, "--out", out)
    assert status == 0
    assert "Read 6 tools from OpenAI tool list." in told
    assert f"Wrote 35 scenarios to {out}" in told
    assert "get_weather" in told
    assert "Proven without these wrong agents" in told
    suite = load(out)
    assert len(suite.scenarios) == 35
    assert check_split(suite.scenarios) == []
    made = json.loads((tmp_path / "suite.made.json").read_text(encoding="utf-8"))
    assert (made["seed"], made["scenarios"], made["tools"]["file"]) == (2, 35, "tools.json")
    first = out.read_bytes()
    call("--tools", tools, "--count", 35, "--seed", 2, "--out", out)
    assert out.read_bytes() == first


def test_json_has_the_whole_table(tools: Path, tmp_path: Path) -> None:
    status, told, _ = call("--tools", tools, "--count", 12, "--kinds", "one_call, chain", "--out", tmp_path / "s.jsonl",
                           "--part", "train", "--json")  # fmt: skip
    assert status == 0
    document = json.loads(told)
    assert document["kinds"] == {"one_call": 6, "chain": 6}
    assert document["parts"] == {"train": 12, "held_out": 0, "live": 0}
    assert len(document["coverage"]) == sum(1 + len(one.tool.parameters["properties"]) for one in SHOP)


def test_wrong_flags_and_files_are_told(tools: Path, tmp_path: Path) -> None:
    out = tmp_path / "s.jsonl"
    cases = [
        (("--tools", tools, "--out", out, "--kinds", "one_call,dialogue"), "--kinds: expected some of one_call"),
        (("--tools", tools, "--out", tmp_path / "s.yaml"), "--out: expected a file that ends in .jsonl"),
        (("--tools", tmp_path / "none.json", "--out", out), "expected a readable UTF-8 file"),
        (("--tools", tools, "--out", out, "--execute"), "--execute: expected a .py file"),
        (("--tools", written(tmp_path / "x.json", "{}"), "--out", out), "expected one of: OpenAI tool list"),
    ]
    for arguments, message in cases:
        status, _, told = call(*arguments)
        assert (status, message in told) == (2, True), told
    assert not out.exists()


def test_functions_of_a_file_are_executed_where_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(
        tmp_path / "greetings_for_a_test.py",
        'def greet(name: str) -> str:\n    """Greet a customer."""\n    return f"Hello {name}"\n',
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    out = tmp_path / "s.jsonl"
    status, told, error = call(
        "--tools", "greetings_for_a_test.py", "--out", out, "--count", 6, "--execute", "--kinds", "one_call"
    )
    assert status == 0, error
    assert "Read 1 tools from Python signatures." in told
    assert {tool.function for one in load(out).scenarios for tool in one.tools if tool.name == "greet"} == {
        "greetings_for_a_test:greet"
    }


def test_the_page_tells_every_kind_and_option() -> None:
    page = (ROOT / "docs" / "test-generator.md").read_text(encoding="utf-8")
    options = {name for parameter in COMMAND.params for name in parameter.opts} - {"--home", "--config", "--help"}
    assert {option for option in options if option not in page} == set()
    assert {kind for kind in KINDS if f"| `{kind}` |" not in page} == set()
