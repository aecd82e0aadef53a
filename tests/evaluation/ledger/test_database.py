"""The file itself: locks, damage, migrations, indexes, and the death of a writer."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Select, inspect, text
from sqlalchemy.dialects import sqlite

from evaluation.ledger import ExampleFilter, Ledger, LedgerError
from evaluation.ledger.database import VERSION_TABLE, migrate, open_database
from evaluation.ledger.filters import batch_query
from evaluation.ledger.schema import Base
from tests.evaluation.ledger.making import START, example, feedback, rollout

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


def test_a_locked_ledger_says_so_in_time(ledger: Ledger, url: str, tmp_path: Path) -> None:
    ledger.add_examples([example(1)])
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with Ledger.open(url, busy_s=0.1) as impatient:
        begun = time.monotonic()
        with pytest.raises(LedgerError, match=r"is locked: another writer held it for longer than 0.1 s\. Wait"):
            impatient.add_examples([example(2)])
        assert time.monotonic() - begun < 3
        assert [e.id for e in impatient.examples()] == ["e0001"]  # readers do not wait
        other.close()
        assert impatient.add_examples([example(2)]) == 1


def test_a_locked_new_file_cannot_be_opened(url: str, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(LedgerError, match="is locked"):
        Ledger.open(url, busy_s=0.1)
    other.close()


def test_a_full_disk_writes_nothing(ledger: Ledger, url: str) -> None:
    database = open_database(url, 1)

    def fill() -> None:
        with database.write() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")
            connection.exec_driver_sql("INSERT INTO settings VALUES ('small', '1')")
            connection.exec_driver_sql("INSERT INTO settings VALUES ('big', hex(zeroblob(1000000)))")

    with pytest.raises(LedgerError, match="is full: nothing was written"):
        fill()
    database.engine.dispose()
    assert ledger.setting("small") is None
    assert ledger.setting("big") is None


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"none/ledger.db cannot be opened or written .*Expected an existing folder"):
        Ledger.open(f"sqlite:///{tmp_path}/none/ledger.db")


def test_a_file_that_is_no_ledger_is_refused(url: str, tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"no database at all" * 400)
    with pytest.raises(LedgerError, match="damaged or no SQLite database"):
        Ledger.open(url)


@pytest.mark.parametrize("bad", ["ledger.db", "sqlite://", "sqlite:///:memory:", "nosuch://x/y"])
def test_a_url_that_cannot_be_is_refused(bad: str) -> None:
    with pytest.raises(LedgerError, match="Expected"):
        Ledger.open(bad)


def test_a_newer_schema_is_refused_and_left_alone(ledger: Ledger, url: str, tmp_path: Path) -> None:
    ledger.set_once("a", "1")
    with sqlite3.connect(tmp_path / "ledger.db") as other:
        other.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    other.close()
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
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1
        assert connection.scalar(text("PRAGMA synchronous")) == 2  # FULL: a commit survives a loss of power
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


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (batch_query(ExampleFilter(), None, 10), "ix_examples_time"),
        (batch_query(ExampleFilter(), (START, "e1"), 10), "ix_examples_time"),
        (batch_query(ExampleFilter(task_key="a", since=START), (START, "e1"), 10), "ix_examples_task"),
        (batch_query(ExampleFilter(run_ids=("r1",)), None, 10), "ix_examples_run"),
        (batch_query(ExampleFilter(model_version="m:1"), None, 10), "ix_examples_version"),
        (batch_query(ExampleFilter(variant="a", stage=1), None, 10), "ix_examples_variant"),
    ],
    ids=str,
)
def test_the_usual_queries_use_an_index(
    ledger: Ledger, tmp_path: Path, query: Select[tuple[object]], index: str
) -> None:
    sql = str(query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
    other = sqlite3.connect(tmp_path / "ledger.db")
    plan = " ".join(row[3] for row in other.execute(f"EXPLAIN QUERY PLAN {sql}"))
    other.close()
    assert index in plan
    assert "TEMP B-TREE" not in plan


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
