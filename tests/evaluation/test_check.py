from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.check import check_outputs, save_verdicts
from evaluation.located import MOST_SHOWN, SuiteError
from evaluation.rules import Rules
from evaluation.scenarios import Scenario
from tests.evaluation.rules.making import calls, scenario

BASE = scenario({"nights": "integer"}, [{"nights": [3]}])
SUITE = [BASE.model_copy(update={"id": name}) for name in ("bfcl/a_1", "bfcl/a_2", "mine/a_2", "mine/b", "plain")]


def check(folder: Path, *lines: Any, rules: Rules = Rules.BFCL, suite: list[Scenario] | None = None) -> Any:
    path = folder / "outputs.jsonl"
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines))
    return check_outputs(suite or SUITE, path, rules)


def output(identifier: str, candidate: Any = None, **more: Any) -> dict[str, Any]:
    return {"id": identifier, "candidate_calls": candidate, **more}


def mistakes(folder: Path, *lines: Any) -> tuple[str, ...]:
    with pytest.raises(SuiteError) as caught:
        check(folder, *lines)
    return caught.value.mistakes


def test_each_line_gets_a_verdict_in_order(tmp_path: Path) -> None:
    right, wrong = calls({"nights": 3}), calls({"nights": 4})
    lines = (output("bfcl/a_1", wrong), output("plain", right), output("bfcl/a_1", right), output("bfcl/a_1", wrong))
    judged = check(tmp_path, *lines)
    assert [(one.id, one.ruling.valid) for one in judged] == [
        ("bfcl/a_1", False), ("plain", True), ("bfcl/a_1", True), ("bfcl/a_1", False),
    ]  # fmt: skip


@pytest.mark.parametrize("rules", Rules)
@pytest.mark.parametrize("candidate", [None, "prose", 5, {}, [{}], [5], [{"f": 5}], [{"f": {}, "g": {}}], [[[]]]])
def test_whatever_an_output_is_it_gets_a_verdict(tmp_path: Path, rules: Rules, candidate: Any) -> None:
    (one,) = check(tmp_path, output("plain", candidate), rules=rules)
    assert one.ruling.error == {"bfcl": "ast_decoder:decoder_wrong_output_format", "native": "format"}[rules]


def test_whole_and_other_numbers_are_kept_apart(tmp_path: Path) -> None:
    line = '{"id": "plain", "candidate_calls": [{"f": {"nights": %s}}]}'
    judged = check(tmp_path, line % "3", line % "3.0", line % "3e0", line % "NaN")
    assert [one.ruling.valid for one in judged] == [True, False, False, False]


def test_a_short_id_is_enough_where_one_scenario_has_it(tmp_path: Path) -> None:
    judged = check(tmp_path, output("a_1", calls({"nights": 3})), output("b", []))
    assert [(one.id, one.ruling.valid) for one in judged] == [("a_1", True), ("b", False)]
    (unknown,) = mistakes(tmp_path, output("a_2", []))
    assert "expected the id of a scenario of the suite, found 'a_2'" in unknown
    other = BASE.model_copy(update={"id": "b", "expected": BASE.expected.model_copy(update={"calls": ()})})
    (full,) = check(tmp_path, output("b", []), suite=[*SUITE, other])
    assert full.ruling.valid, "an id in full goes before a short one"


def test_other_fields_empty_lines_and_repetitions_do_not_matter(tmp_path: Path) -> None:
    judged = check(tmp_path, output("plain", [], category="x", bfcl_valid=True), "", "   ", output("plain", []))
    assert len(judged) == 2
    assert check(tmp_path) == []


def test_all_bad_lines_are_named(tmp_path: Path) -> None:
    found = mistakes(tmp_path, output("x"), output("plain"), 5, {"id": "plain"}, {"candidate_calls": []}, output([]))
    assert [text.partition("outputs.jsonl:")[2] for text in found] == [
        "1: id: expected the id of a scenario of the suite, found 'x'",
        "3: expected an object with `id` and `candidate_calls`, found a int",
        "4: candidate_calls: expected a value, found none",
        "5: id: expected a value, found none",
        "6: id: expected the id of a scenario of the suite, found []",
    ]
    (broken,) = mistakes(tmp_path, output("x"), '{"id": "plain", ')
    assert "outputs.jsonl:2: expected one JSON object, found: " in broken
    with pytest.raises(SuiteError, match=r"none\.jsonl:1: expected a readable UTF-8 file"):
        check_outputs(SUITE, tmp_path / "none.jsonl", Rules.BFCL)


def test_a_message_stays_short(tmp_path: Path) -> None:
    with pytest.raises(SuiteError) as caught:
        check(tmp_path, *(output("x") for _ in range(1000)))
    assert len(caught.value.mistakes) == 1000
    assert str(caught.value).count("\n") == MOST_SHOWN + 1
    assert str(caught.value).endswith(f"… and {1000 - MOST_SHOWN} more")


@pytest.mark.parametrize("rules", Rules)
def test_half_characters_and_many_layers_do_no_harm(tmp_path: Path, rules: Rules) -> None:
    line = '{"id": "plain", "candidate_calls": %s}'
    texts = ('[{"f\\ud800": {"\\udfff": "\\ud83d"}}]', '[{"f": {"nights": "\\ud83d\\ude00 é"}}]', '"\\ud800"')
    judged = check(tmp_path, *(line % text for text in texts), rules=rules)
    assert [one.ruling.valid for one in judged] == [False] * 3
    save_verdicts(judged, tmp_path / "v.jsonl")
    assert "\U0001f600 é" in (tmp_path / "v.jsonl").read_text()
    for layers in (100, 300, 700):
        (deep,) = check(tmp_path, line % ('[{"f": {"nights": ' + "[" * layers + "]" * layers + "}}]"), rules=rules)
        assert not deep.ruling.valid
    (far,) = mistakes(tmp_path, line % ("[" * 100_000 + "]" * 100_000))
    assert "outputs.jsonl:1: " in far


def test_verdicts_are_one_json_object_a_line(tmp_path: Path) -> None:
    judged = check(tmp_path, output("a_1", calls({"nights": 4})), output("plain", calls({"nights": 3})))
    save_verdicts(judged, tmp_path / "v.jsonl")
    first, second = map(json.loads, (tmp_path / "v.jsonl").read_text().splitlines())
    found = {"error": "value_error:others", "call": 0, "parameter": "nights", "message": "expected 3, found 4"}
    assert first == {"id": "a_1", "valid": False, "error": "value_error:others", "details": [found]}
    assert second == {"id": "plain", "valid": True, "error": None, "details": []}
