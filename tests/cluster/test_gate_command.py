"""`ratchet gate`: judged, explained, listed, overridden."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from cluster.cli import app
from evaluation.ledger import Ledger, PinEvent, PinRecord
from evaluation.pair_rows import PairRow, write_rows
from evaluation.scenarios import Expected, Kind
from tests.evaluation.attempts import scenario
from tests.evaluation.ledger.making import START
from tests.evaluation.rows import figures

runner = CliRunner()


def gate(*arguments: object) -> Any:
    return runner.invoke(app, ["gate", *map(str, arguments)])


def rows(base: Any, candidate: Any, first: int = 0) -> list[PairRow]:
    return [
        PairRow(
            scenario_id=f"s{first + at}",
            group=f"g{first + at}",
            kind=Kind.ONE_CALL,
            arm=arm,
            measured=figures(
                task_success=one,
                tool_accuracy=one,
                exact_calls=one,
                quality=5 * one,
                cost=1 + at % 3,
                latency_ms=50 + at % 7,
            ),
        )
        for arm, solved in (("base", base), ("candidate", candidate))
        for at, one in enumerate(solved)
    ]


@pytest.fixture
def better(tmp_path: Path) -> Path:
    path = tmp_path / "better.jsonl"
    write_rows(path, rows(np.arange(200) % 2 == 0, np.ones(200)))
    return path


@pytest.fixture
def worse(tmp_path: Path) -> Path:
    path = tmp_path / "worse.jsonl"
    write_rows(path, rows(np.ones(200), np.arange(200) % 2 == 0))
    return path


def test_a_comparison_is_judged_kept_and_explained(home: Path, better: Path) -> None:
    result = gate("judge", better, "--subject", "agent:2")
    assert result.exit_code == 0, result.output
    assert "APPROVE  agent:2" in result.stdout
    record = json.loads(gate("list", "--json").stdout)[0]["record"]
    assert (record["subject"], record["outcome"]) == ("agent:2", "approve")
    said = " ".join(gate("explain", record["id"][:6]).stdout.split())
    assert said == " ".join(gate("explain", "latest").stdout.split())
    for part in ("✓ accuracy: task_success is 2 ", "policy default 1", record["policy_hash"], "rows"):
        assert part in said
    again = gate("judge", better, "--subject", "agent:2")
    assert again.exit_code == 0
    assert len(json.loads(gate("list", "--json").stdout)) == 1, "the same rows under the same policy are one decision"


def test_each_outcome_has_its_status(home: Path, worse: Path, tmp_path: Path) -> None:
    rejected = gate("judge", worse, "--json")
    assert rejected.exit_code == 3
    assert json.loads(rejected.stdout)["outcome"] == "reject"
    few = tmp_path / "few.jsonl"
    write_rows(few, rows(np.ones(20), np.ones(20)))
    inconclusive = gate("judge", few)
    assert inconclusive.exit_code == 4
    assert "would change it: run 10 more scenarios" in inconclusive.stdout


def test_a_policy_of_its_own_decides_and_is_hashed(home: Path, better: Path, tmp_path: Path) -> None:
    strict = tmp_path / "strict.yaml"
    strict.write_text("name: strict\nversion: '3'\nlimits: {cost: {difference: 0}}\ncost_ratio: null\n")
    assert gate("judge", better, "--policy", strict).exit_code == 0
    shown = gate("policy", "--policy", strict)
    assert "name: strict" in shown.stdout
    digest = json.loads(gate("policy", "--policy", strict, "--json").stdout)["digest"]
    assert digest in shown.stdout
    assert json.loads(gate("list", "--json").stdout)[0]["record"]["policy_hash"] == digest
    strict.write_text("accuracy_ratio: 2\n")
    refused = gate("judge", better, "--policy", strict)
    assert refused.exit_code == 2
    assert "accuracy_ratio" in refused.output


def test_folds_are_pooled_and_may_not_overlap(home: Path, tmp_path: Path) -> None:
    paths = []
    for number in range(2):
        path = tmp_path / f"fold{number}.jsonl"
        write_rows(path, rows(np.arange(60) % 2 == 0, np.ones(60), first=60 * number))
        paths.append(path)
    assert json.loads(gate("judge", paths[0], "--json").stdout)["rules"][0]["evidence"]["scenarios"] == 60
    pooled = gate("judge", *paths, "--json")
    assert json.loads(pooled.stdout)["rules"][0]["evidence"]["scenarios"] == 120
    twice = gate("judge", paths[0], paths[0])
    assert twice.exit_code == 2


def test_an_override_needs_a_name_and_a_reason_and_is_marked_for_ever(home: Path, worse: Path) -> None:
    gate("judge", worse, "--subject", "agent:2")
    ref = json.loads(gate("list", "--json").stdout)[0]["record"]["id"]
    for by, reason, outcome, said in (
        ("", "checked by hand", "approve", "--by: expected the name"),
        ("Ann", "ok", "approve", "--reason: expected a reason"),
        ("Ann", "checked by hand", "inconclusive", "expected approve or reject"),
    ):
        refused = gate("override", ref, "--outcome", outcome, "--by", by, "--reason", reason)
        assert refused.exit_code == 2
        assert said in refused.output
    missing = gate("override", ref, "--outcome", "approve")
    assert missing.exit_code == 2
    done = gate("override", ref, "--outcome", "approve", "--by", "Ann", "--reason", "checked all losses by hand")
    assert done.exit_code == 0
    assert "the gate said reject; approve by Ann holds now" in done.stdout
    explained = " ".join(gate("explain", ref).stdout.split())
    assert "REJECT agent:2" in explained
    assert "OVERRIDDEN" in explained
    assert "Ann said approve: checked all losses by hand" in explained
    listed = gate("list").stdout
    assert "overridden by Ann" in listed
    gate("override", ref, "--outcome", "reject", "--by", "Bob", "--reason", "a loss was missed")
    with Ledger.open(f"sqlite:///{home}/ledger.db") as ledger:
        assert [one.by for one in ledger.overrides(ref)] == ["Bob", "Ann"]
        assert ledger.decision(ref).outcome == "reject"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["judge", "nothing"], "expected a file of rows, a turn"),
        (["explain", "nothing"], "expected the id of one decision"),
        (["judge", "{better}", "--candidate", "x"], "expected rows of the arms base and x"),
        (["judge", "{broken}"], "line 1: expected a comparison row"),
    ],
)
def test_bad_input_is_one_message(home: Path, better: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text("{}\n")
    result = gate(*(part.format(better=better, broken=broken) for part in arguments))
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


def test_no_decision_yet(home: Path) -> None:
    assert "No decision yet" in gate("list").stdout


def test_other_evidence_is_another_decision(home: Path, better: Path) -> None:
    assert gate("judge", better, "--subject", "agent:2").exit_code == 0
    made = scenario(Kind.NO_TOOL, Expected()).model_copy(update={"id": "s1"})
    event = PinEvent(what="pinned", by="Ann", reason="it broke", at=START)
    with Ledger.open(f"sqlite:///{home}/ledger.db") as ledger:
        ledger.pin([PinRecord(id="pinned-one", scenario=made, origin="suite:s", trail=(event,), at=START)])
    again = gate("judge", better, "--subject", "agent:2", "--json")
    assert again.exit_code == 4, "what is pinned was not attempted"
    kept = {row["record"]["outcome"]: row["record"]["id"] for row in json.loads(gate("list", "--json").stdout)}
    assert set(kept) == {"approve", "inconclusive"}
    assert json.loads(again.stdout)["id"] == kept["inconclusive"]
    assert "not attempted: pinned-one" in " ".join(gate("explain", kept["inconclusive"]).stdout.split())


def test_an_override_has_to_say_something_else_than_what_holds(home: Path, better: Path) -> None:
    gate("judge", better)
    ref = json.loads(gate("list", "--json").stdout)[0]["record"]["id"]
    same = gate("override", ref, "--outcome", "approve", "--by", "Ann", "--reason", "I like it, too")
    assert same.exit_code == 2
    assert "which holds already" in same.output
