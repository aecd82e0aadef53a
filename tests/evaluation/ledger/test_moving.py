"""A whole ledger from SQLite to PostgreSQL and back; from file to file in the quick tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.ledger import Ledger, LedgerError, RolloutEvent
from evaluation.ledger import moving as moving_file
from evaluation.ledger.collected import DeadLetter
from evaluation.ledger.database import open_database
from evaluation.ledger.moving import move
from evaluation.ledger.schema import Base
from tests.evaluation.ledger.making import START, example, feedback, rollout


def _event(reason: str) -> RolloutEvent:
    return RolloutEvent(rollout_id="ro1", kind="stage", actor="me", reason=reason, at=START)


def _fill(url: str) -> None:
    with Ledger.open(url) as ledger:
        ledger.add_examples([example(n) for n in range(1, 25)])
        ledger.add_feedback(feedback("f1", "e0001", 5))
        ledger.set_champion("m", "2", ledger.create_rollout(rollout()))
        for reason in ("one", "two"):
            ledger.append_event(_event(reason))
        letter = DeadLetter(id="l1", kind="example", origin="t", reason="\x00", text="\ud800\x00", at=START)
        ledger.keep_aside([letter])


def _all(url: str) -> dict[str, list[tuple[object, ...]]]:
    database = open_database(url, 5)
    with database.read() as connection:
        found = {
            t.name: sorted(map(tuple, connection.execute(t.select())), key=repr) for t in Base.metadata.sorted_tables
        }
    database.engine.dispose()
    return found


@pytest.fixture
def source(tmp_path: Path) -> str:
    name = f"sqlite:///{tmp_path}/source.db"
    _fill(name)
    return name


def test_a_ledger_moves_there_and_back_whole(
    source: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving_file, "BATCH", 5)
    told: list[tuple[str, int]] = []
    moved = move(source, url, on_table=lambda name, rows: told.append((name, rows)))
    assert moved.rows == dict(told) == {name: len(rows) for name, rows in _all(source).items()}
    assert (moved.rows["examples"], moved.rows["rollout_events"], moved.mended) == (24, 2, 0)
    assert _all(url) == _all(source)
    with Ledger.open(url) as ledger:
        assert ledger.example("e0001").id == "e0001"
        ledger.append_event(_event("three"))  # the id that the database gives comes after those that were moved
        assert [event.reason for event in ledger.events("ro1")] == ["one", "two", "three"]
    back = f"sqlite:///{tmp_path}/back.db"
    move(url, back)
    assert _all(back) == _all(url)


def test_a_target_with_rows_and_the_source_itself_are_refused(source: str, url: str) -> None:
    with Ledger.open(url) as ledger:
        ledger.set_once("a", "1")
    with pytest.raises(LedgerError, match=r"expected an empty ledger .*found rows in .*\(settings\)"):
        move(source, url)
    with pytest.raises(LedgerError, match="the same one twice"):
        move(source, source)


def test_a_move_that_fails_leaves_nothing(source: str, url: str) -> None:
    def stop(table: str, _: int) -> None:
        if table == "feedback":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        move(source, url, on_table=stop)
    with Ledger.open(url) as ledger:
        assert ledger.count() == 0
    assert move(source, url).rows["examples"] == 24


def test_what_only_sqlite_takes_is_mended_or_named(source: str, url: str) -> None:
    def write(statement: str) -> None:
        database = open_database(source, 5)
        with database.write() as connection:
            connection.exec_driver_sql(statement)
        database.engine.dispose()

    write("INSERT INTO settings VALUES ('k' || char(0), 'v')")
    with pytest.raises(LedgerError, match=r"a row of settings cannot be moved: expected text .* found a NUL"):
        move(source, url)
    write("DELETE FROM settings")
    write(
        "INSERT INTO decisions (id, subject, outcome, evidence, policy_hash, at)"
        """ VALUES ('d1', 's', 'approve', '{"a": NaN, "b": 1}', 'h', '2026-01-01 00:00:00.000000')"""
    )
    strict = url.startswith("postgresql")
    assert move(source, url).mended == (1 if strict else 0)
    with Ledger.open(url) as ledger:
        evidence = ledger.decision("d1").evidence
        assert evidence["b"] == 1
        assert (evidence["a"] is None) == strict
