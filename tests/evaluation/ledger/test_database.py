"""The database: migrations back and forth, many that open it at once, and the death of a writer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from evaluation.ledger import Ledger, LedgerError
from evaluation.ledger.database import VERSION_TABLE, migrate, open_database
from evaluation.ledger.schema import Base
from tests.evaluation.ledger.making import example, feedback, rollout

_WRITER = """
import sys
from evaluation.ledger import Ledger
from tests.evaluation.ledger.making import example
ledger = Ledger.open(sys.argv[1])
for number in range(0, 100000, 3):
    examples = [example(number + step) for step in range(3)]
    ledger.add_examples(examples)
    print(*(e.id for e in examples), flush=True)
"""


@pytest.mark.parametrize("bad", ["ledger.db", "sqlite://", "sqlite:///:memory:", "nosuch://x/y"])
def test_a_url_that_cannot_be_is_refused(bad: str) -> None:
    with pytest.raises(LedgerError, match="Expected"):
        Ledger.open(bad)


def test_a_newer_schema_is_refused_and_left_alone(ledger: Ledger, url: str) -> None:
    ledger.set_once("a", "1")
    database = open_database(url, 1)
    with database.write() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    database.engine.dispose()
    with pytest.raises(LedgerError, match=r"schema 9999, which is newer than this code \(it knows 0005\)"):
        Ledger.open(url)
    assert ledger.setting("a") == "1"


def test_the_migrations_make_the_schema(url: str) -> None:
    database = open_database(url, 1)
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, Base.metadata) == []
        tables = inspect(connection).get_table_names()
        assert set(tables) == {*Base.metadata.tables, VERSION_TABLE}
        if database.sqlite:
            told = [
                connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "foreign_keys", "synchronous")
            ]
            assert told == ["wal", 1, 2]  # FULL: a commit survives a loss of power
        else:
            told = [connection.scalar(text(f"SHOW {name}")) for name in ("transaction_isolation", "lock_timeout")]
            assert told == ["repeatable read", "1s"]
    database.engine.dispose()


def test_a_filled_ledger_can_be_taken_down_and_up_again(ledger: Ledger, url: str) -> None:
    ledger.add_examples([example(1)])
    ledger.add_feedback(feedback("f1", "e0001", 5))
    ledger.set_champion("m", "2", ledger.create_rollout(rollout()))
    database = open_database(url, 1)
    migrate(database, "base")
    with database.read() as connection:
        assert inspect(connection).get_table_names() == [VERSION_TABLE]
    database.engine.dispose()
    with Ledger.open(url) as again:
        assert again.count() == 0
        assert again.add_examples([example(1)]) == 1


def test_many_open_a_new_ledger_at_once(url: str) -> None:
    def opened(number: int) -> str:
        with Ledger.open(url, busy_s=20) as ledger:
            return ledger.set_once("seed", str(number))

    with ThreadPoolExecutor(6) as threads:
        assert len(set(threads.map(opened, range(6)))) == 1


def test_a_killed_writer_loses_nothing_that_it_said_and_doubles_nothing(url: str) -> None:
    with subprocess.Popen([sys.executable, "-c", _WRITER, url], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(20)]
        os.kill(writer.pid, signal.SIGKILL)
        said += writer.stdout.readlines()
    told = [name for line in said if line.endswith("\n") for name in line.split()]
    with Ledger.open(url) as ledger:
        kept = [e.id for e in ledger.examples()]
        assert len(told) >= 60
        assert kept[: len(told)] == told
        assert len(kept) % 3 == 0  # a transaction is there whole or not at all
        assert len(set(kept)) == len(kept)
        again = [example(number) for number in range(len(kept) + 3)]
        assert ledger.add_examples(again) == 3


def test_a_filled_ledger_goes_back_and_forward_again(url: str) -> None:
    with Ledger.open(url) as ledger:
        ledger.add_examples([example(n) for n in range(1, 1203)])
        ledger.add_feedback(feedback("f1", "e0001", 5))
    database = open_database(url, 1)
    size = text("SELECT id, bytes FROM examples ORDER BY id")
    rater = text("SELECT rater FROM feedback")
    with database.read() as connection:
        before = connection.execute(size).all(), connection.execute(rater).all()
    migrate(database, "0001")
    with database.read() as connection:
        assert not {"pins", "labels"} & set(inspect(connection).get_table_names())
    migrate(database)
    with database.read() as connection:
        assert (connection.execute(size).all(), connection.execute(rater).all()) == before
    database.engine.dispose()
    with Ledger.open(url) as again:
        assert again.count() == 1202
        assert again.pins() == ()
