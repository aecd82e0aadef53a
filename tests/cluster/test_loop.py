"""The order of a turn, its steps stood in for: when Ray is there, and when it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import cluster.loop
from cluster.loop import run_turn
from cluster.settings import Settings
from cluster.turn import Turn
from evaluation.gate import GateOutcome
from evaluation.ledger import DecisionRecord, OverrideRecord
from evaluation.ledger.store import utc_now
from evaluation.records import Record
from tests.cluster.making import results, turn, write_curve

STEPS = {
    "draw_suite": "suite",
    "find_base": "base",
    "run_tests": "tests",
    "select_examples": "selected",
    "train_candidate": "trained",
    "register_candidate": "candidate",
    "compare_and_gate": "verdict",
    "roll_out": "rollout",
    "count_collected": "collected",
}


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happened: the steps that ran, and Ray's start and stop."""
    happened: list[str] = []
    gave = results(GateOutcome.APPROVE)

    def step(name: str, result: Record) -> Callable[..., Record]:
        def run(*_: object, **__: object) -> Record:
            happened.append(name)
            return result

        return run

    @contextmanager
    def session(settings: Settings) -> Iterator[None]:
        happened.append("ray")
        yield
        happened.append("no ray")

    for name, field in STEPS.items():
        monkeypatch.setattr(cluster.loop, name, step(field, getattr(gave, field)))
    monkeypatch.setattr(cluster.loop, "ray_session", session)
    return happened


def take(made: Turn) -> None:
    run_turn(made)
    made.ledger.close()


def test_ray_is_started_by_the_step_that_needs_it_and_not_for_a_turn_that_is_done(
    said: list[str], tmp_path: Path
) -> None:
    made = turn(tmp_path)
    write_curve(made)
    take(made)
    begun = ["suite", "base", "tests", "selected", "ray", "trained", "candidate", "verdict", "ray", "rollout"]
    assert said == [*begun, "no ray", "no ray", "collected"]
    assert made.seconds.keys() >= {"train", "rollout", "report"}
    said.clear()
    (made.folder / "compare.json").unlink()
    take(turn(tmp_path))
    assert said == ["verdict"], "a comparison needs no Ray"
    said.clear()
    (made.folder / "rollout.json").unlink()
    take(turn(tmp_path))
    assert said == ["ray", "rollout", "no ray"]


def test_a_person_s_word_against_the_gate_lets_the_turn_go_on(said: list[str], tmp_path: Path) -> None:
    rejected = results(GateOutcome.REJECT)
    made = turn(tmp_path)
    write_curve(made)
    monkey = pytest.MonkeyPatch()
    monkey.setattr(cluster.loop, "compare_and_gate", lambda *_: rejected.verdict)
    try:
        made.ledger.record_decision(
            DecisionRecord(id="d1", subject="agent:2", outcome="reject", policy_hash="p", at=utc_now())
        )
        report = run_turn(made)
        assert (report.outcome, report.exit_status) == ("rejected", 3)
        assert "rollout" not in said
        word = OverrideRecord(
            id="o1", decision_id="d1", outcome="approve", by="Ann", reason="checked by hand", at=utc_now()
        )
        made.ledger.override(word)
        again = run_turn(made)
    finally:
        monkey.undo()
        made.ledger.close()
    assert "rollout" in said
    assert (again.outcome, again.exit_status) == ("promoted", 0)
    assert "Ann let it pass against the gate" in again.report["summary"]
    assert again.report["gate"]["override"]["reason"] == "checked by hand"
    assert again.report["gate"]["decision"] == "reject"
