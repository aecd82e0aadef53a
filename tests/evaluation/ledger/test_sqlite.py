"""The SQLite file itself: locks, damage, a full disk, a folder that is read-only."""

from __future__ import annotations

import resource
import sqlite3
import time
from pathlib import Path

import pytest

from evaluation.ledger import Ledger, LedgerAway, LedgerError
from evaluation.ledger.collector import Collector
from evaluation.ledger.database import open_database
from evaluation.ledger.outbox import Outbox, OutboxError
from tests.evaluation.ledger.making import example


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ledger.db"


def test_a_locked_ledger_says_so_in_time(ledger: Ledger, url: str, tmp_path: Path) -> None:
    ledger.add_examples([example(1)])
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with Ledger.open(url, busy_s=0.1) as impatient:
        begun = time.monotonic()
        with pytest.raises(LedgerAway, match=r"is locked: another writer held it for longer than 0.1 s\. Wait"):
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

    with pytest.raises(LedgerAway, match="is full: nothing was written"):
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


def _fill(collector: Collector, kept: list[str]) -> None:
    for n in range(1000):
        collector.keep_examples([example(n)])
        kept.append(f"e{n:04d}")


def test_on_a_disk_that_is_full_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    box = Outbox(tmp_path / "outbox.db")
    kept: list[str] = []
    with Ledger.open(f"sqlite:///{tmp_path}/full.db") as ledger:
        collector = Collector(ledger, box, origin="test")
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, hard))
            with pytest.raises(OutboxError, match=r"cannot be used .*: nothing was kept\. Expected .* with space left"):
                _fill(collector, kept)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert collector.trouble is not None
        assert "cannot be opened or written" in collector.trouble
        collector._retry_at = 0.0
        assert collector.drain().waiting == 0
        assert [one.id for one in ledger.examples()] == kept
    box.close()
