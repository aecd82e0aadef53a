from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cluster.cli import app
from evaluation.ledger import Ledger
from evaluation.records import Example, Feedback, Source, ToolCall, ToolSpec
from evaluation.run_folder import read_attempts
from evaluation.scenarios import Scenario
from evaluation.suite import Suite, load, save_jsonl
from evaluation.validators import task_success
from tests.cluster.run_making import Source as Opens
from tests.cluster.run_making import done, many
from tests.evaluation.ledger.making import START, example

runner = CliRunner()
SCENARIOS = many(20)
FIRST, SECOND = SCENARIOS[0].id, SCENARIOS[1].id


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "small.jsonl"
    save_jsonl(Suite(name="small", seed=0, split_seed=0, scenarios=SCENARIOS), path)
    monkeypatch.setenv("RATCHET_SUITE", str(path))
    return path


def ratchet(*arguments: object) -> Any:
    return runner.invoke(app, ["test", *map(str, arguments)])


def pinned(*arguments: object) -> list[dict[str, Any]]:
    result = ratchet("pin", "--json", *arguments)
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def refused(*arguments: object) -> str:
    result = ratchet(*arguments)
    assert result.exit_code == 2, result.output
    return str(result.stderr)


def ledger_of(home: Path) -> Ledger:
    return Ledger.open(f"sqlite:///{home}/ledger.db")


def test_named_scenarios_are_pinned_listed_and_taken_out(home: Path, suite: Path) -> None:
    found = pinned(FIRST, SECOND, FIRST, "--by", "Ann", "--reason", "broke in May")
    assert [(one["scenario"], one["new"], one["origin"]) for one in found] == [
        (FIRST, True, f"suite:{suite}"), (SECOND, True, f"suite:{suite}"),
    ]  # fmt: skip
    assert [one["new"] for one in pinned(SECOND)] == [False]
    listed = json.loads(ratchet("pins", "--whole", "--json").stdout)
    assert [one["status"] for one in listed] == ["active", "active"]
    assert Scenario.model_validate(listed[0]["content"]) in SCENARIOS
    assert listed[0]["trail"][0] | {"at": ""} == {"what": "pinned", "by": "Ann", "reason": "broke in May", "at": ""}
    assert refused("unpin", FIRST, "--by", " ", "--reason", "x").startswith("ratchet: --by, --reason: expected a name")
    assert ratchet("unpin", FIRST).exit_code == 2
    assert "taken out by Ann: retired" in ratchet("unpin", FIRST, "--by", "Ann", "--reason", "retired").stdout
    assert [one["scenario"] for one in json.loads(ratchet("pins", "--json").stdout)] == [SECOND]
    whole = ratchet("pins", "--whole", "--removed").stdout
    assert "removed by Ann: retired" in whole
    assert "asked" in whole
    plain = ratchet("pins").stdout
    assert (SECOND in plain, FIRST in plain) == (True, False)


def test_all_unknown_ids_are_named_with_what_is_near(home: Path, suite: Path) -> None:
    said = refused("pin", FIRST, FIRST[:-1] + "x", "nowhere")
    assert "found 2 that it does not have" in said
    assert f"did you mean {FIRST}" in said
    assert "'nowhere'" in said
    assert json.loads(ratchet("pins", "--json").stdout) == []
    ratchet("pin", FIRST)
    assert f"did you mean {FIRST}" in refused("unpin", FIRST[:-1], "--by", "Ann", "--reason", "x")


def test_what_is_asked_for_has_to_be_one_thing(home: Path, suite: Path) -> None:
    assert "expected one of SCENARIO, --from-run, --from-example, found none" in refused("pin")
    assert "found SCENARIO and --from-run" in refused("pin", FIRST, "--from-run", "latest")
    assert "--failed: expected --from-run" in refused("pin", FIRST, "--failed")
    assert "expected --from-example, which they are for" in refused("pin", FIRST, "--expect-answer", "x")
    assert "Nothing is pinned" in ratchet("pins").stdout


def test_a_run_gives_the_scenarios_that_failed_in_it(home: Path, suite: Path) -> None:
    run, _ = done(home, SCENARIOS, Opens(SCENARIOS, wrong=0.4))
    attempts = list(read_attempts(run.folder))
    lost = {one.scenario.id for one in attempts if not task_success(one.validations)}
    right = next(one for one in attempts if one.scenario.id not in lost)
    assert 0 < len(lost) < 20
    found = pinned("--from-run", "latest")
    assert {one["scenario"] for one in found} == lost
    assert {one["origin"] for one in found} == {"run:run-one"}
    assert found[0]["trail"][0]["reason"] == "failed in run run-one"
    with ledger_of(home) as ledger:
        assert all(pin.scenario in SCENARIOS for pin in ledger.pins())
    more = pinned("--from-run", "run-one", "--episode", right.episode.id[:12], "--episode", min(lost))
    assert {one["scenario"]: one["new"] for one in more} == {right.scenario.id: True, min(lost): False}
    only = pinned("--from-run", "run-one", "--episode", right.scenario.id, "--episode", min(lost), "--failed")
    assert [one["scenario"] for one in only] == [min(lost)]
    assert "--episode: expected episodes or scenarios of run run-one" in refused(
        "pin", "--from-run", "run-one", "--episode", "x"
    )
    assert "and all of them passed" in refused(
        "pin", "--from-run", "run-one", "--failed", "--episode", right.scenario.id
    )


def test_a_comparison_gives_the_suite_s_scenarios_that_failed_in_it(home: Path, suite: Path) -> None:
    with ledger_of(home) as ledger:
        for number, success in ((0, False), (1, True), (2, False)):
            made = example(
                number, scenario_id=SCENARIOS[number].id, run_id=f"t001/compare-ab/{'base' if number else 'x'}"
            )
            labels = made.labels.model_copy(update={"success": success})
            ledger.add_examples([made.model_copy(update={"labels": labels})])
        ledger.add_examples([example(3, scenario_id=SCENARIOS[3].id, run_id="t0010/test")])
    assert {one["scenario"] for one in pinned("--from-run", "t001/compare")} == {SCENARIOS[0].id, SCENARIOS[2].id}
    [one] = pinned("--from-run", "t001/compare-ab/x")
    assert (one["scenario"], one["new"]) == (SCENARIOS[0].id, False)
    said = refused("pin", "--from-run", "t002")
    assert "expected the id of one run" in said
    assert "the ledger has no test examples of a run whose id begins so" in said


def test_a_scenario_of_an_earlier_turn_is_drawn_as_that_turn_drew_it(home: Path) -> None:
    drawn = load("tools", seed=41, split_seed=7).scenarios[5]
    folder = home / "loops" / "t001"
    folder.mkdir(parents=True)
    result = {"name": "tools", "seed": 41, "split_seed": 7}
    (folder / "suite.json").write_text(json.dumps({"result": result}))
    assert [one["scenario"] for one in pinned(drawn.id)] == [drawn.id]
    with ledger_of(home) as ledger:
        assert ledger.pins()[0].scenario == drawn


CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@pytest.fixture
def production(home: Path) -> Example:
    made = example(1, source=Source.PRODUCTION, scenario_id=None, part=None)
    call = ToolCall(id="c1", name="climate", arguments={"city": "Oslo"})
    tools = tuple(ToolSpec(name=name, description=name, parameters=CITY) for name in ("forecast", "climate"))
    messages = (made.messages[0], made.messages[1].model_copy(update={"tool_calls": (call,)}), *made.messages[2:])
    labels = made.labels.model_copy(update={"success": False})
    made = made.model_copy(update={"tools": tools, "messages": messages, "recovery": None, "labels": labels})
    with ledger_of(home) as ledger:
        ledger.add_examples([made])
    return made


def test_an_example_of_production_becomes_a_scenario(home: Path, production: Example, tmp_path: Path) -> None:
    assert "say it with --expect-call JSON" in refused("pin", "--from-example", production.id)
    right = '{"name": "forecast", "arguments": {"city": "Oslo"}}'
    [one] = pinned("--from-example", production.id, "--expect-call", right)
    assert (one["origin"], one["trail"][0]["reason"]) == ("example:e0001", "production example e0001")
    file = tmp_path / "right.yaml"
    file.write_text("calls:\n- name: forecast\n  arguments: {city: {any_of: [Oslo, oslo]}}\n")
    assert [one["new"] for one in pinned("--from-example", production.id, "--expect", file)] == [True]
    assert [one["new"] for one in pinned("--from-example", production.id, "--expect-answer", "7 degrees")] == [True]
    with ledger_of(home) as ledger:
        pins = ledger.pins()
    assert {pin.scenario.stop for pin in pins} == {"calls", "answer"}
    assert "u1" not in {value for pin in pins for value in pin.scenario.model_dump().values() if isinstance(value, str)}
    with ledger_of(home) as ledger:
        ledger.add_feedback(
            Feedback(id="f1", example_id="e0001", rating=1, suggested_tools=("forecast",), rater="r", timestamp=START)
        )
    assert [one["new"] for one in pinned("--from-example", production.id)] == [True]


def test_what_is_said_to_be_right_has_to_be_readable(home: Path, production: Example, tmp_path: Path) -> None:
    asked = ("pin", "--from-example", production.id)
    for text in ("{", "[]", '{"arguments": {}}'):
        assert "--expect-call: expected" in refused(*asked, "--expect-call", text)
    file = tmp_path / "right.yaml"
    file.write_text("cals: []\n")
    assert "right.yaml:1: cals: expected a field that the format knows" in refused(*asked, "--expect", file)
    assert "expected no --expect-call" in refused(*asked, "--expect", file, "--expect-answer", "x")
    assert "unknown tool 'fly'" in refused(*asked, "--expect-call", '{"name": "fly"}')
    assert "No example nobody" in refused("pin", "--from-example", "nobody", "--expect-answer", "x")


def test_an_example_of_a_test_stands_for_its_scenario(home: Path, suite: Path) -> None:
    with ledger_of(home) as ledger:
        ledger.add_examples([example(1, scenario_id=FIRST, run_id="run-x")])
    assert [one["scenario"] for one in pinned("--from-example", "e0001")] == [FIRST]


def test_a_scenario_whose_tools_are_not_here_is_refused(home: Path, suite: Path) -> None:
    run, _ = done(home, SCENARIOS, Opens(SCENARIOS, wrong=0.4))
    file = run.folder / "episodes.jsonl"
    file.write_text(file.read_text().replace("tests.evaluation.attempts:", "nowhere.tools:"))
    said = refused("pin", "--from-run", "latest")
    assert "expected scenarios whose tools can be executed here, found" in said
    assert "'nowhere.tools:stock'" in said
    assert json.loads(ratchet("pins", "--json").stdout) == []


def test_one_that_was_changed_since_stays_as_it_was_pinned(home: Path, suite: Path) -> None:
    pinned(FIRST)
    changed = SCENARIOS[0].model_copy(update={"max_turns": 9})
    save_jsonl(Suite(name="small", seed=0, split_seed=0, scenarios=(changed,)), suite)
    [one] = pinned(FIRST)
    assert (one["new"], one["changed"]) == (False, True)
    assert "unpin it first" in ratchet("pin", FIRST).stdout
    with ledger_of(home) as ledger:
        assert ledger.pins()[0].scenario == SCENARIOS[0]
