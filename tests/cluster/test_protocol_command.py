"""`ratchet protocol`: what it prints, what it writes, how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.cli import app

runner = CliRunner()
CASE = {"id": "a", "protocol": "xml", "assistant_message": "<list_files><path>.</path></list_files>"}


def check(folder: Path, text: str, *options: str) -> tuple[int, str, Path]:
    cases, out = folder / "cases.jsonl", folder / "verdicts.jsonl"
    cases.write_text(text)
    files = ["--cases", str(cases), "--out", str(out)]
    result = runner.invoke(app, ["protocol", "check", "--protocol", "roo", *files, *options])
    return result.exit_code, result.output, out


def test_verdicts_are_written_whatever_they_are(tmp_path: Path) -> None:
    bad = {**CASE, "id": "b", "assistant_message": "no call"}
    code, output, out = check(tmp_path, f"{json.dumps(CASE)}\n{json.dumps(bad)}\n")
    assert (code, output.strip()) == (0, f"Wrote 2 verdicts to {out}: 1 valid, 1 no_tool_use")
    assert [json.loads(line)["valid"] for line in out.read_text().splitlines()] == [True, False]


def test_it_says_as_json_what_it_wrote(tmp_path: Path) -> None:
    code, output, out = check(tmp_path, json.dumps(CASE), "--json")
    assert code == 0
    assert json.loads(output) == {"verdicts": str(out), "cases": 1, "valid": 1, "errors": {}}


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({**CASE, "protocol": "morse"}), json.dumps({"id": "a"})])
def test_bad_input_is_one_message_and_nothing_is_written(tmp_path: Path, text: str) -> None:
    code, output, out = check(tmp_path, text)
    assert code == 2
    assert output.startswith(f"ratchet: {tmp_path}/cases.jsonl:1: ")
    assert "Traceback" not in output
    assert not out.exists()


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "verdicts.jsonl").mkdir()
    code, output, _ = check(tmp_path, json.dumps(CASE))
    assert (code, "could not write" in output) == (2, True)


def test_an_unknown_protocol_is_refused(tmp_path: Path) -> None:
    for arguments in (["show", "nobody"], ["show", "roo", "--encoding", "morse"]):
        result = runner.invoke(app, ["protocol", *arguments])
        assert result.exit_code == 2
        assert "roo" in result.output
        assert "expected" in result.output


def test_protocols_are_listed_and_shown() -> None:
    listed = json.loads(runner.invoke(app, ["protocol", "list", "--json"]).output)
    assert [row["protocol"] for row in listed] == ["cline", "hermes", "mcp", "openai", "roo"]
    assert "read_file" in listed[-1]["tools"]["native"]
    assert "cline" in runner.invoke(app, ["protocol", "list"]).output
    shown = runner.invoke(app, ["protocol", "show", "roo"]).output
    assert "Encoding xml (xml): 1 to 1 calls a turn, judged by checks" in shown
    assert "Mode architect: read, edit (\\.md$), mcp" in shown
    assert "Tools: those that a scenario offers" in runner.invoke(app, ["protocol", "show", "openai"]).output
    told = runner.invoke(app, ["protocol", "show", "roo", "--encoding", "xml"]).output
    assert "<list_files>\n<path>…</path>\n</list_files>" in told
    as_json = json.loads(runner.invoke(app, ["protocol", "show", "roo", "--json"]).output)
    assert as_json["rules"]["alone"] == ["new_task"]
