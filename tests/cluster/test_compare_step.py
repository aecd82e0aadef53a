"""What the loop compares and what it attempts beside: pinned scenarios decide, and belong into no figure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.steps.compare import Attempted, attempt_arms
from cluster.turn import Turn
from evaluation.compare import summarise
from evaluation.gate import GateOutcome, judge
from evaluation.gate_policy import GatePolicy
from evaluation.ledger import PinEvent, PinRecord
from evaluation.ledger.store import utc_now
from evaluation.models import Sampling
from evaluation.oracle import suite_oracle
from evaluation.pairs import Arm
from evaluation.records import Message
from evaluation.scenarios import Part, Scenario
from evaluation.suite import Suite, save_jsonl
from tests.cluster.making import turn
from tests.cluster.run_making import many

SCENARIOS = tuple(
    one.model_copy(update={"part": part})
    for part, count in ((Part.HELD_OUT, 40), (Part.TRAIN, 20), (Part.LIVE, 20))
    for one in many(count)
)
OUTSIDE = many(90)[80:84]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Turn]:
    path = tmp_path / "suite.jsonl"
    named = [one.model_copy(update={"id": f"{one.part}-{one.id}", "group": f"{one.part}-{one.group}"})
             for one in SCENARIOS]  # fmt: skip
    save_jsonl(Suite(name="s", seed=0, split_seed=0, scenarios=tuple(named)), path)
    new = turn(tmp_path, suite=str(path))
    yield new
    new.ledger.close()


def pin(made: Turn, *scenarios: Scenario) -> None:
    now = utc_now()
    event = PinEvent(what="pinned", by="Ann", reason="it broke in May", at=now)
    made.ledger.pin([PinRecord(id=s.id, scenario=s, origin="suite:s", trail=(event,), at=now) for s in scenarios])


def attempted(made: Turn, fails: tuple[str, ...] = ()) -> Attempted:
    """Attempt everything with two oracles; the candidate answers wrongly where `fails` names the scenario."""
    known = [*made.suite().scenarios, *OUTSIDE]
    right = suite_oracle(known)
    wrong = suite_oracle(
        known, lambda one, script: (Message(role="assistant", content="no"),) if one.id in fails else script
    )
    arms = {"base": Arm(right, Sampling()), "candidate": Arm(wrong, Sampling())}
    return attempt_arms(made, lambda *_: None, arms, "r")


def test_what_is_pinned_is_attempted_by_the_candidate_and_in_no_figure(made: Turn) -> None:
    pin(made, *OUTSIDE)
    rows, regression = attempted(made)
    assert {row.scenario_id for row in rows} == {one.id for one in made.suite().part(Part.HELD_OUT)}
    assert regression.passed == {one.id: True for one in OUTSIDE}
    runs = made.ledger.run_ids("r/")
    assert runs == ("r/base", "r/candidate", "r/pinned/candidate")
    assert summarise(rows).scenarios == 40


def test_a_pinned_scenario_that_fails_rejects_and_one_in_quarantine_does_not(made: Turn) -> None:
    pin(made, *OUTSIDE)
    broken = OUTSIDE[1].id
    rows, regression = attempted(made, fails=(broken,))
    decision = judge(summarise(rows), GatePolicy(), regression)
    assert decision.outcome is GateOutcome.REJECT
    assert f"1 of 4 pinned scenarios fail: {broken}" in decision.reason
    made.ledger.add_pin_event(broken, PinEvent(what="quarantined", by="t", reason="flaky", at=utc_now()))
    again = attempted(made, fails=(broken,)).regression
    assert broken not in again.passed
    assert again.quarantined == {broken: False}
    assert "regression" not in {rule.name for rule in judge(summarise(rows), GatePolicy(), again).rules if rule.blocks}


def test_a_pinned_scenario_of_the_suite_is_attempted_once(made: Turn) -> None:
    own = made.suite().part(Part.HELD_OUT)[0]
    pin(made, own)
    rows, regression = attempted(made, fails=(own.id,))
    assert regression.passed == {own.id: False}
    assert made.ledger.run_ids("r/pinned") == ()
    assert sum(row.scenario_id == own.id for row in rows) == 2


def test_nothing_pinned_is_no_evidence_against(made: Turn) -> None:
    assert attempted(made).regression.passed == {}
