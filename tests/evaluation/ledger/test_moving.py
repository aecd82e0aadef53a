"""A whole ledger from SQLite to PostgreSQL and back; from file to file in the quick tests."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, func, select

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


def _write(url: str, statement: str) -> None:
    database = open_database(url, 5)
    with database.write() as connection:
        connection.exec_driver_sql(statement)
    database.engine.dispose()


class Killed(BaseException):
    """Stands for a kill."""


def _kill_after(batches: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a move end, as a kill would, when it has written so many batches of examples."""
    written = moving_file._Move._write
    left = iter(range(batches))

    def until(self: moving_file._Move, table: Table, batch: Sequence[Mapping[str, Any]]) -> None:
        if table.name == "examples" and next(left, None) is None:
            raise Killed
        written(self, table, batch)

    monkeypatch.setattr(moving_file._Move, "_write", until)


def test_a_move_that_was_killed_goes_on_where_it_stopped(
    source: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving_file, "BATCH", 5)
    with monkeypatch.context() as patched:
        _kill_after(2, patched)
        with pytest.raises(Killed):
            move(source, url)
    with pytest.raises(LedgerError, match=r"expected a whole ledger, found .* half moved from .*source\.db; run"):
        Ledger.open(url)
    other = f"sqlite:///{tmp_path}/other.db"
    _fill(other)
    with pytest.raises(LedgerError, match=r"half moved from .*source\.db; finish that move first"):
        move(other, url)
    with pytest.raises(LedgerError, match="expected a whole ledger to move, found one that a move has not finished"):
        move(url, f"sqlite:///{tmp_path}/further.db")
    moved = move(source, url)
    assert (moved.rows["examples"], moved.before) == (24, 11)  # with the dead letter that came before them
    assert _all(url) == _all(source)
    with pytest.raises(LedgerError, match="expected an empty ledger to move to, found rows"):
        move(source, url, afresh=True)


def test_a_source_that_was_written_to_between_is_told_and_begun_afresh(
    source: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving_file, "BATCH", 5)
    with monkeypatch.context() as patched:
        _kill_after(2, patched)
        with pytest.raises(Killed):
            move(source, url)
    with Ledger.open(source) as ledger:
        ledger.add_examples([example(0)])
    _write(source, "UPDATE examples SET success = NOT success WHERE id = 'e0001'")
    with pytest.raises(LedgerError, match=r"expected the same rows of examples in .* begin again with --afresh"):
        move(source, url)
    assert move(source, url, afresh=True).rows["examples"] == 25
    assert _all(url) == _all(source)


def test_rows_that_changed_on_the_way_are_found_at_the_end(
    source: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(table: str, _: int) -> None:
        if table == "feedback":
            _write(url, "UPDATE feedback SET rating = 1")

    with pytest.raises(LedgerError, match="expected the same rows of feedback in"):
        move(source, url, on_table=spoil)
    with pytest.raises(LedgerError, match="half moved"):
        Ledger.open(url)


def test_of_two_moves_at_once_the_second_is_told(source: str, url: str) -> None:
    said: list[str] = []

    def again(table: str, _: int) -> None:
        if table == "examples":
            with pytest.raises(LedgerError) as told:
                move(source, url)
            said.append(str(told.value))

    assert move(source, url, on_table=again).rows["examples"] == 24
    assert said[0].startswith("expected to be the only move to ")
    assert "found another one under way; wait until it is done, or end it" in said[0]
    assert _all(url) == _all(source)


def _move(source: str, url: str) -> None:
    moving_file.BATCH = 5
    move(source, url)


@pytest.mark.slow
def test_moves_that_are_killed_at_any_moment_double_and_lose_nothing(source: str, url: str) -> None:
    with Ledger.open(source) as ledger:
        ledger.add_examples([example(n) for n in range(100, 1100)])
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    for kills in range(2):
        process = context.Process(target=_move, args=(source, url))
        process.start()
        deadline = time.monotonic() + 60
        while _count(url) < 150 * (kills + 1) and time.monotonic() < deadline:
            time.sleep(0.005)
        process.kill()
        process.join()
        assert 150 * (kills + 1) <= _count(url) < 1024, "it was to be killed in the middle"
    assert move(source, url).before >= 300
    assert _all(url) == _all(source)


def _count(url: str) -> int:
    database = open_database(url, 5)
    with database.read() as connection:
        found = connection.scalar(select(func.count()).select_from(Base.metadata.tables["examples"])) or 0
    database.engine.dispose()
    return int(found)


def test_what_only_sqlite_takes_is_mended_or_named(source: str, url: str) -> None:
    _write(source, "INSERT INTO settings VALUES ('k' || char(0), 'v')")
    with pytest.raises(LedgerError, match=r"a row of settings cannot be moved: expected text .* found a NUL"):
        move(source, url)
    _write(source, "DELETE FROM settings")
    _write(
        source,
        "INSERT INTO decisions (id, subject, outcome, evidence, policy_hash, at)"
        """ VALUES ('d1', 's', 'approve', '{"a": NaN, "b": 1}', 'h', '2026-01-01 00:00:00.000000')""",
    )
    strict = url.startswith("postgresql")
    assert move(source, url).mended == (1 if strict else 0)
    with Ledger.open(url) as ledger:
        evidence = ledger.decision("d1").evidence
        assert evidence["b"] == 1
        assert (evidence["a"] is None) == strict
