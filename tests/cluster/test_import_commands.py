"""`ratchet test import` and `ratchet test tools`, as a user runs them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cluster.cli import app
from evaluation.load import load
from tests.evaluation.importers.test_openai_import import CHAT, row
from tests.evaluation.importers.test_sharegpt_import import FACTORY, HERMES
from tests.evaluation.tools.web import Web, serving

PLAIN = Path(__file__).parents[1] / "evaluation" / "tools" / "plain_server.py"


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as server:
        yield server


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["test", *arguments])


def write(path: Path, *rows: Any) -> str:
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows))
    return str(path)


def test_openai_files_become_a_suite(tmp_path: Path) -> None:
    out = tmp_path / "suite.jsonl"
    done = run("import", "openai", write(tmp_path / "c.jsonl", row(CHAT)), "--out", str(out))
    assert (done.exit_code, "Wrote 3 scenarios" in done.stdout) == (0, True), done.output
    assert "Turns: 1 with calls, 1 that answer after results, 1 without a call" in done.stdout
    assert len(load(out).scenarios) == 3


def test_bad_rows_end_with_two_unless_they_are_left_out(tmp_path: Path) -> None:
    chats, out = write(tmp_path / "c.jsonl", row(CHAT), "{broken", {"messages": []}), tmp_path / "suite.jsonl"
    refused = run("import", "openai", chats, "--out", str(out))
    assert (refused.exit_code, out.exists()) == (2, False)
    assert f"{chats}:2: expected one JSON object" in refused.stderr
    assert f"{chats}:3: messages: expected a list of messages, found none" in refused.stderr
    skipped = run("import", "openai", chats, "--out", str(out), "--skip-bad")
    assert (skipped.exit_code, "Left out: 2 rows with mistakes:" in skipped.stdout) == (0, True)
    assert f"{chats}:2: expected one JSON object" in skipped.stdout.replace("\n", "")
    counted = json.loads(run("import", "openai", chats, "--out", str(out), "--skip-bad", "--json").stdout)
    assert (counted["scenarios"], counted["bad"], len(counted["mistakes"])) == (3, 2, 2)


def test_sharegpt_files_become_a_suite(tmp_path: Path) -> None:
    chats = tmp_path / "c.json"
    chats.write_text(json.dumps([FACTORY, HERMES]))
    out = tmp_path / "suite.jsonl"
    done = run("import", "sharegpt", str(chats), "--out", str(out), "--turns", "first", "--json")
    assert json.loads(done.stdout)["kinds"] == {"calls": 2}, done.output
    refused = run("import", "sharegpt", str(chats), "--out", str(chats))
    assert (refused.exit_code, "expected another file than what is read" in refused.stderr) == (2, True)


def test_tools_are_listed_and_called(web: Web, tmp_path: Path) -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string", "description": "Where."}}}
    tool = {"name": "ask", "description": "Asks.", "parameters": parameters | {"required": ["city"]}}
    file = write(tmp_path / "tools.json", {"tools": [tool | {"http": {"url": f"{web.url}/echo/{{city}}"}}]})
    listed = run("tools", "--from", file)
    assert listed.stdout == "ask  (http)\n  Asks.\n  - city (string): Where.\n", listed.output
    call = ("tools", "--from", file, "--call", "ask", "--arguments", '{"city": "Oslo"}')
    refused = run(*call)
    assert (refused.exit_code, "tool_error: 127.0.0.1 is not reached" in refused.stdout) == (0, True)
    assert web.seen == []
    done = run(*call, "--allow-tools", "private", "--json")
    assert json.loads(json.loads(done.stdout)["content"])["target"] == "/echo/Oslo"


def test_tools_of_servers_modules_and_openai_lists(tmp_path: Path) -> None:
    source = f"mcp:{sys.executable} {PLAIN}"
    assert [one["function"]["name"] for one in json.loads(run("tools", "--from", source, "--json").stdout)][:2] == [
        "count", "dies",
    ]  # fmt: skip
    assert run("tools", "--from", source, "--call", "told", "--arguments", '{"text": "hello"}').stdout == '"hello"\n'
    openai = write(tmp_path / "t.json", [{"type": "function", "function": {"name": "now"}}])
    assert run("tools", "--from", openai).stdout == "now  (recorded)\n"
    suite = tmp_path / "suite.jsonl"
    run("import", "openai", write(tmp_path / "c.jsonl", row(CHAT)), "--out", str(suite))
    assert run("tools", "--from", str(suite)).stdout.count("(recorded)") == 2
    worked = run("tools", "--from", "python:tests.evaluation.tools.toolshed", "--only", "area")
    assert worked.stdout.startswith("area  (python)\n  Area of a room."), worked.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "nowhere.yaml"), "nowhere.yaml:1: expected a readable UTF-8 file"),
        (("--from", "python:no.such"), "expected a module that can be imported"),
        (("--from", "python:json.decoder.nothing"), "expected a module that can be imported"),
        (("--from", "mcp:/no/such/program"), "/no/such/program could not be used"),
        (("--from", "mcp:"), "expected either `command` or `url`"),
        (("--from", "https://me@a.example/"), "without user name"),
        (("--from", "FILE", "--only", "b"), "--only: expected tools of"),
        (("--from", "FILE", "--call", "a", "--arguments", "[1]"), "--arguments: expected a JSON object, found '[1]'"),
        (("--from", "FILE", "--call", "a", "--arguments", "{"), "--arguments: expected a JSON object, found '{'"),
        (("--from", "FILE", "--allow-tools", "ftp"), "--allow-tools: expected http, mcp or private"),
    ],
)
def test_what_cannot_be_used_ends_with_two(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    file = write(tmp_path / "t.json", [{"name": "a", "description": "", "parameters": {"type": "object"}}])
    done = run("tools", *[file if one == "FILE" else one for one in arguments])
    assert (done.exit_code, said in done.stderr) == (2, True), done.output


def test_mistakes_in_a_file_of_tools_come_at_once(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(
        "tools:\n- {name: a, parameters: {}}\n- nowhere\n- {name: b, description: '', parameters: {type: 5}}\n"
    )
    done = run("tools", "--from", str(file))
    assert done.exit_code == 2
    for said in (f"{file}:2: tools[0].description: expected a value", f"{file}:3: tools[1]: expected a built-in tool",
                 f"{file}:4: tools[2].parameters: expected a JSON Schema"):  # fmt: skip
        assert said in done.stderr
    empty = write(tmp_path / "empty.json", {"nothing": 1})
    assert "expected a list of tools, or `tools`, found none" in run("tools", "--from", empty).stderr


def test_a_run_of_scenarios_whose_tools_are_not_allowed_is_refused(tmp_path: Path, home: Path) -> None:
    tool = {"name": "ask", "description": "", "parameters": {"type": "object"}, "http": {"url": "https://a.example/"}}
    scenario = {
        "id": "a",
        "query": "Ask",
        "part": "held_out",
        "tools": [tool],
        "expected": {"calls": [{"name": "ask"}]},
    }
    suite = write(tmp_path / "suite.jsonl", scenario)
    done = run("run", "--suite", suite, "--home", str(home))
    assert (done.exit_code, "found 1 scenarios with http tools" in done.stderr) == (2, True), done.output
