"""The door to the database: one engine, two kinds of transaction, and the migration at opening.

SQLite: write-ahead log, one writer at a time (a write takes the lock at its beginning, so that what it has read still
holds when it writes), readers never wait. PostgreSQL: the same statements. A commit is synced to the disk before it
returns, so that it survives the death of the process and a loss of power.
"""

from __future__ import annotations

import functools
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.orm import InstrumentedAttribute

from evaluation.ledger.errors import LedgerError, translated, without_password
from evaluation.ledger.schema import Base

VERSION_TABLE = "ratchet_alembic_version"
_CHECKPOINT_PAGES = 8000
"""Pages of 4 KiB in SQLite's log before they go to the file, which syncs twice more: an example touches a dozen."""
_CACHE_KIB = 16 * 1024
"""Of one connection to SQLite: the indexes' upper pages stay in it."""
_MIGRATION_KEY = 0x5261_7463
_ALEMBIC = threading.Lock()  # alembic's context is one per process


class Database:
    """An open, migrated database. Safe to use from several threads."""

    def __init__(self, engine: Engine, busy_s: float) -> None:
        self.engine = engine
        self.busy_s = busy_s
        self.sqlite = engine.dialect.name == "sqlite"
        self.name = str(engine.url.database) if self.sqlite else without_password(engine.url.render_as_string())

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the database throughout."""
        with translated(self.name, self.busy_s), self.engine.connect() as plain:
            options = {} if self.sqlite else {"isolation_level": "REPEATABLE READ"}
            connection = plain.execution_options(**options)
            with connection.begin():
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection whose changes are written together at the end, or not at all.

        Raises `LedgerError` where another writer holds a SQLite file for longer than `busy_s`.
        """
        with translated(self.name, self.busy_s), self.engine.connect() as plain:
            connection = plain.execution_options(ratchet_writes=True)
            with connection.begin():
                yield connection


def open_database(url: str, busy_s: float) -> Database:
    """Open the database at `url` (a SQLAlchemy URL) and bring its schema up to date."""
    database = Database(_engine(url, busy_s), busy_s)
    try:
        if database.sqlite:
            _enter_wal(database)
        else:
            _require_utf8(database)
        migrate(database)
    except BaseException:
        database.engine.dispose()
        raise
    return database


def insert_new(
    connection: Connection, row: type[Base], key: InstrumentedAttribute[str], rows: Sequence[Mapping[str, Any]]
) -> int:
    """Insert the rows whose `key` the table does not hold yet; return how many those were."""
    return len(new_keys(connection, row, key, rows))


def new_keys(
    connection: Connection, row: type[Base], key: InstrumentedAttribute[str], rows: Sequence[Mapping[str, Any]]
) -> set[str]:
    """Insert the rows whose `key` the table does not hold yet; return the keys of those."""
    if not rows:
        return set()
    statement = _insertion(connection.dialect.name, row, key)
    # One row by itself spares the driver's work for many.
    given = dict(rows[0]) if len(rows) == 1 else [dict(values) for values in rows]
    return set(connection.scalars(statement, given))


@functools.lru_cache(maxsize=64)
def _insertion(dialect: str, row: type[Base], key: InstrumentedAttribute[str]) -> Any:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    # The table, not the class: that would be taken through the object mapper, row by row.
    return insert(row.metadata.tables[row.__tablename__]).on_conflict_do_nothing(index_elements=[key]).returning(key)


def migrate(database: Database, revision: str = "head") -> None:
    """Bring the schema to `revision`, in one transaction; a no-op, without any lock, where it is there already.

    Raises `LedgerError` where the schema was written by a newer version of this code.
    """
    script = _script()
    target = script.get_current_head() if revision == "head" else revision
    with database.read() as connection:
        current = _revision(connection)
    if current == target:
        return
    with _ALEMBIC, database.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_KEY})
        current = _revision(connection)
        if current is not None and current not in {known.revision for known in script.walk_revisions()}:
            raise LedgerError(
                f"The ledger {database.name} has schema {current}, which is newer than this code (it knows "
                f"{script.get_current_head()}). Install the version of ratchet that wrote it, or a later one."
            )
        config = _config()
        config.attributes.update(connection=connection, version_table=VERSION_TABLE)
        (command.upgrade if revision == "head" else command.downgrade)(config, revision)


@cache
def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "evaluation.ledger:migrations")
    return config


def _revision(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    found: str | None = context.get_current_revision()
    return found


def _engine(url: str, busy_s: float) -> Engine:
    try:
        parsed = make_url(url)
        options = {} if parsed.drivername.startswith("sqlite") else _postgres_options(parsed, busy_s)
        engine = create_engine(parsed, **options)
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise LedgerError(
            "Expected a database URL such as sqlite:////home/me/ledger.db or postgresql://user@host/database, found"
            f" {without_password(url)!r}."
        ) from None if "***" in without_password(url) else error
    except ModuleNotFoundError as error:
        raise LedgerError(
            f"The driver for {parsed.drivername} is missing ({error}). Install it: pip install 'ratchet[postgres]'."
        ) from error
    if engine.dialect.name not in {"sqlite", "postgresql"}:
        raise LedgerError(f"Expected a SQLite or PostgreSQL URL, found one for {engine.dialect.name}.")
    if engine.dialect.name == "sqlite":
        if parsed.database in {None, "", ":memory:"}:
            raise LedgerError("Expected the URL of a file, found a SQLite database in memory, which nothing can share.")
        _prepare_sqlite(engine, busy_s)
    return engine


def _postgres_options(url: URL, busy_s: float) -> dict[str, Any]:
    """Return how PostgreSQL is connected to: what is broken is seen at once, and nothing is waited for without end."""
    wait = {
        "connect_timeout": max(2, round(min(busy_s, 30))),
        "options": f"-c lock_timeout={max(1, round(busy_s * 1000))} -c client_min_messages=warning",
    }
    told = {name: value for name, value in wait.items() if name not in url.query}
    return {"pool_pre_ping": True, "connect_args": told}


def _require_utf8(database: Database) -> None:
    with database.read() as connection:
        found = connection.scalar(text("SHOW server_encoding"))
    if found != "UTF8":
        raise LedgerError(
            f"Expected the ledger {database.name} to be encoded in UTF8, found {found}. Make another database:"
            " createdb --encoding UTF8 --template template0 NAME."
        )


def _prepare_sqlite(engine: Engine, busy_s: float) -> None:
    @event.listens_for(engine, "connect")
    def connected(dbapi: Any, _: object) -> None:
        dbapi.isolation_level = None  # the driver must not begin transactions of its own: `began` does
        dbapi.execute(f"PRAGMA busy_timeout = {round(busy_s * 1000)}")
        dbapi.execute("PRAGMA foreign_keys = ON")
        dbapi.execute("PRAGMA synchronous = FULL")
        dbapi.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        dbapi.execute(f"PRAGMA cache_size = {-_CACHE_KIB}")

    @event.listens_for(engine, "begin")
    def began(connection: Connection) -> None:
        writes = connection.get_execution_options().get("ratchet_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _enter_wal(database: Database) -> None:
    """Switch the file to its write-ahead log, for good. SQLite does not wait for a lock here, so this does."""
    deadline = time.monotonic() + database.busy_s
    with translated(database.name, database.busy_s):
        while True:
            try:
                with database.engine.connect() as connection:
                    dbapi = connection.connection.driver_connection
                    assert dbapi is not None
                    dbapi.execute("PRAGMA journal_mode = WAL").close()
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                    raise
                time.sleep(0.02)
