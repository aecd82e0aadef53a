from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cluster.cli import app

BOOK = {
    "name": "book",
    "description": "Books.",
    "parameters": {"type": "dict", "properties": {"city": {"type": "string"}, "nights": {"type": "integer"}},
                   "required": ["city"]},
}  # fmt: skip
RIGHT, WRONG = [{"book": {"city": "new-york"}}], [{"book": {"city": "New York", "nights": 3.0}}]


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def question(identifier: str) -> dict[str, Any]:
    return {"id": identifier, "question": [[{"role": "user", "content": identifier}]], "function": [BOOK]}


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    names = ("simple_python_1", "irrelevance_2", "live_relevance_3-3-0")
    questions = write(tmp_path / "q.json", *map(question, names))
    truth = {"id": "simple_python_1", "ground_truth": [{"book": {"city": ["New York"], "nights": [3, ""]}}]}
    answers, out = write(tmp_path / "a.json", truth), tmp_path / "suite.jsonl"
    run("import", "bfcl", "--questions", str(questions), "--answers", str(answers), "--out", str(out))
    return out


def test_answers_are_found_beside_the_questions(tmp_path: Path) -> None:
    questions = write(tmp_path / "BFCL_v4_simple_python.json", question("simple_python_1"))
    arguments = ("import", "bfcl", "--questions", str(questions), "--out", str(tmp_path / "suite.jsonl"))
    assert "found no file of answers" in run(*arguments).stderr
    answers = tmp_path / "possible_answer" / questions.name
    answers.parent.mkdir()
    write(answers, {"id": "simple_python_1", "ground_truth": [{"book": {"city": ["Oslo"], "nights": [3, ""]}}]})
    result = run(*arguments)
    assert result.exit_code == 0
    assert f"Answers from {answers}" in result.stdout


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["test", *arguments])


def check(suite: Path, outputs: Path, *more: str) -> Result:
    return run(
        "check", "--suite", str(suite), "--outputs", str(outputs), "--out", str(suite.with_name("v.jsonl")), *more
    )


def verdicts(suite: Path) -> list[tuple[str, bool, str | None]]:
    rows = map(json.loads, suite.with_name("v.jsonl").read_text().splitlines())
    return [(row["id"], row["valid"], row["error"]) for row in rows]


def outputs(folder: Path) -> Path:
    named = {"simple_python_1": RIGHT, "bfcl/simple_python_1": WRONG, "irrelevance_2": [], "live_relevance_3-3-0": [{}]}
    return write(folder / "o.jsonl", *({"id": name, "candidate_calls": calls} for name, calls in named.items()))


def test_outputs_are_judged_by_the_leaderboards_rules(tmp_path: Path, suite: Path) -> None:
    result = check(suite, outputs(tmp_path), "--rules", "bfcl")
    assert result.exit_code == 0
    assert "Judged 4 outputs by the rules bfcl: 2 valid, 2 not." in result.stdout.replace("\n", " ")
    assert "type_error:simple" in result.stdout
    assert verdicts(suite) == [
        ("simple_python_1", True, None),
        ("bfcl/simple_python_1", False, "type_error:simple"),
        ("irrelevance_2", True, None),
        ("live_relevance_3-3-0", False, "relevance_error:decoder_failed"),
    ]


def test_outputs_are_judged_by_our_own_rules_if_nothing_is_said(tmp_path: Path, suite: Path) -> None:
    found = json.loads(check(suite, outputs(tmp_path), "--json").stdout)
    assert found == {
        "out": str(suite.with_name("v.jsonl")), "rules": "native", "outputs": 4, "valid": 1, "invalid": 3,
        "errors": {"arguments": 2, "format": 1},
    }  # fmt: skip
    assert [valid for _, valid, _ in verdicts(suite)] == [False, False, True, False]


def test_bad_input_is_one_message_and_nothing_is_written(tmp_path: Path, suite: Path) -> None:
    unknown = write(tmp_path / "u.jsonl", {"id": "simple_python_9", "candidate_calls": []})
    broken = tmp_path / "b.jsonl"
    broken.write_text("{\n")
    for path, said in (
        (unknown, "u.jsonl:1: id: expected the id of a scenario of the suite, found 'simple_python_9'"),
        (broken, "b.jsonl:1: expected one JSON object"),
        (tmp_path / "none.jsonl", "none.jsonl:1: expected a readable UTF-8 file"),
    ):
        result = check(suite, path)
        assert result.exit_code == 2
        assert said in result.stderr
        assert result.stderr.count("ratchet:") == 1
        assert "Traceback" not in result.output
        assert not suite.with_name("v.jsonl").exists()
    result = check(tmp_path / "none.jsonl", outputs(tmp_path))
    assert (result.exit_code, "none.jsonl" in result.stderr) == (2, True)


def test_the_verdicts_never_replace_what_they_are_about(tmp_path: Path, suite: Path) -> None:
    given = outputs(tmp_path)
    before = given.read_text()
    result = run("check", "--suite", str(suite), "--outputs", str(given), "--out", str(given))
    assert (result.exit_code, given.read_text()) == (2, before)
    assert "expected another file" in result.stderr


def test_verdicts_that_cannot_be_written_are_one_message(tmp_path: Path, suite: Path) -> None:
    (tmp_path / "file").touch()
    target = str(tmp_path / "file" / "v.jsonl")
    result = run("check", "--suite", str(suite), "--outputs", str(outputs(tmp_path)), "--out", target)
    assert (result.exit_code, "could not write" in result.stderr) == (2, True)


def test_a_built_in_suite_may_be_judged_too(tmp_path: Path) -> None:
    result = run(
        "check", "--suite", "tools", "--outputs", str(write(tmp_path / "o.jsonl")), "--out", str(tmp_path / "v")
    )
    assert (result.exit_code, (tmp_path / "v").read_text()) == (0, "")
    assert "Judged 0 outputs" in result.stdout
