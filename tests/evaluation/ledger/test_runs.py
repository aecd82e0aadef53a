from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from evaluation.ledger import DecisionRecord, Ledger, LedgerError, LoopRecord, RunRecord, Status
from tests.evaluation.ledger.making import START, Clock


def _run(name: str, day: int = 0, kind: str = "test", seed: int = 2**62) -> RunRecord:
    return RunRecord(id=name, kind=kind, suite_digest="d", model="m:1", seed=seed, started_at=START + timedelta(day))


def test_a_run_starts_once_and_finishes(ledger: Ledger, clock: Clock) -> None:
    assert ledger.start_run(_run("r1")) == _run("r1")
    assert ledger.start_run(_run("r1", day=1)) == _run("r1")
    with pytest.raises(LedgerError, match="with seed 4611686018427387904, found 7 now"):
        ledger.start_run(_run("r1", seed=7))
    done = ledger.finish_run("r1", Status.FINISHED, {"examples": 3})
    assert (done.status, done.counts, done.finished_at) == (Status.FINISHED, {"examples": 3}, clock.now)
    assert ledger.run("r1") == done
    with pytest.raises(LedgerError, match="No run r9"):
        ledger.finish_run("r9", Status.FAILED, {})


def test_runs_come_latest_first(ledger: Ledger) -> None:
    for run in (_run("r1", 1), _run("r2", 3, "compare"), _run("r3", 2)):
        ledger.start_run(run)
    assert [run.id for run in ledger.runs()] == ["r2", "r3", "r1"]
    assert [run.id for run in ledger.runs("test")] == ["r3", "r1"]
    assert [run.id for run in ledger.runs("test", limit=1)] == ["r3"]


def test_turns_of_the_loop(ledger: Ledger, clock: Clock) -> None:
    turn = LoopRecord(turn_id="t1", seed=1, started_at=START)
    assert ledger.start_loop(turn) == turn == ledger.start_loop(turn)
    done = ledger.finish_loop("t1", Status.FAILED, {"train": 1.5})
    assert ledger.loops() == (done,)
    assert (done.status, done.seconds, done.finished_at) == (Status.FAILED, {"train": 1.5}, clock.now)
    with pytest.raises(LedgerError, match="No turn t9"):
        ledger.finish_loop("t9", Status.FAILED, {})


def test_decisions_are_kept(ledger: Ledger) -> None:
    first, second = (
        DecisionRecord(
            id=f"d{n}", subject=f"m:{n}", outcome="reject", policy_hash="p", at=START + timedelta(n), evidence={"p": n}
        )
        for n in (1, 2)
    )
    assert [ledger.record_decision(given) for given in (first, second, first)] == [True, True, False]
    assert ledger.decisions() == (second, first)
    assert ledger.decisions("m:1") == (first,)
    assert ledger.decisions(limit=1) == (second,)


def test_the_first_value_of_a_setting_stays(ledger: Ledger) -> None:
    assert ledger.setting("split_seed") is None
    with ThreadPoolExecutor(6) as threads:
        in_force = set(threads.map(lambda n: ledger.set_once("split_seed", str(n)), range(12)))
    assert in_force == {ledger.setting("split_seed")}
