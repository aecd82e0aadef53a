"""A ledger that is read where nothing can be written: a folder that is read-only, or a disk that is full.

Decisions: nothing is made, migrated or locked. SQLite's write-ahead log needs a shared-memory file beside it even for
reading (sqlite.org/wal.html, "Read-Only Databases"); where the log is empty, the file is opened as immutable and needs
neither. Where the log holds rows, the file without it would be an old state, so that it is refused if SQLite cannot
make that shared memory.
Not covered: a file that another process writes through another mount while it is read as immutable.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from evaluation.ledger.database import Database, current_revision, known_head, make_engine
from evaluation.ledger.errors import LedgerAway, LedgerError


def open_for_reading(url: str, busy_s: float) -> Database:
    """Open the database at `url` without writing anything.

    Raises `LedgerError` where there is none, where its schema is not this code's, and where its log cannot be read.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        return _checked(Database(make_engine(url, busy_s), busy_s))  # says what a URL is
    if not parsed.drivername.startswith("sqlite") or parsed.database in {None, "", ":memory:"}:
        return _checked(Database(make_engine(url, busy_s), busy_s))
    file = Path(str(parsed.database))
    if not file.is_file():
        raise LedgerError(
            f"expected a ledger at {file}, found none, and none can be made where nothing can be written; set"
            " RATCHET_HOME or --home to the home that is meant, or make the folder writable"
        )
    log = Path(f"{file}-wal")
    waiting = log.is_file() and log.stat().st_size > 0
    query = {"mode": "ro", "uri": "true"} | ({} if waiting else {"immutable": "1"})
    database = Database(
        make_engine(URL.create(parsed.drivername, database=f"file:{quote(str(file))}", query=query), busy_s), busy_s
    )
    try:
        return _checked(database)
    except LedgerAway as error:
        if not waiting:
            raise
        raise LedgerError(
            f"expected a ledger that can be read where nothing can be written, found {log} with"
            f" {log.stat().st_size:,} bytes that are not in {file.name} yet: SQLite reads them only where it can make"
            f" {file.name}-shm beside them ({error}). Open the home once where it can be written, or copy it there"
        ) from error


def _checked(database: Database) -> Database:
    try:
        with database.read() as connection:
            found = current_revision(connection)
        if found != known_head():
            raise LedgerError(
                f"expected a ledger with schema {known_head()}, found {found or 'none'} in {database.name}, which"
                " cannot be migrated where nothing can be written; open it once where it can be"
            )
    except BaseException:
        database.engine.dispose()
        raise
    return database
