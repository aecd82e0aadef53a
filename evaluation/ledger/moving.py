"""A whole ledger from one database to another: SQLite to PostgreSQL, and back.

Decisions: rows are copied in batches, each in a transaction of its own, so that a move that was killed goes on where it
stopped when it is begun again. A line in the target's settings says that a move is under way, and from where; a target
that holds rows and no such line is refused. A row that is there already is compared, never written twice. At the end
the rows of every table are counted and digested on both sides, and only then the line is taken away. One move at a
time: a lock of the target, which ends with the process, keeps a second one out. The source is read as it stood at one
moment. Bodies are carried over as text, byte by byte.

Not covered: what is written to the source meanwhile, which stays there: end its writers first. A source that was
changed between two starts of one move is told, and the move is begun afresh on request. PostgreSQL has no NaN in
JSON: such a number, which only SQLite could take, becomes null and is counted (`mended`).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Table,
    Text,
    bindparam,
    cast,
    delete,
    func,
    insert,
    select,
    text,
    tuple_,
)

from evaluation.ledger.columns import Base, Body
from evaluation.ledger.database import Database, open_database
from evaluation.ledger.errors import LedgerError, RowRefused
from evaluation.ledger.schema import SettingRow

BATCH = 1000
UNDER_WAY = "ratchet:move-from"
"""Key of the setting that says so."""
_STREAMED = {"stream_results": True}
_LOCK = 0x5261_7464
_SETTINGS = SettingRow.metadata.tables[SettingRow.__tablename__]


class Moved(NamedTuple):
    """What was moved."""

    rows: dict[str, int]
    """By table."""
    mended: int
    """Bodies with a number that JSON does not have, which is null now."""
    before: int = 0
    """Rows that an earlier start of the same move had copied."""


class Sum(NamedTuple):
    """Rows of a table, whatever their order: how many, and a digest."""

    rows: int = 0
    digest: int = 0

    def plus(self, rows: Sequence[Sequence[Any]]) -> Sum:
        """Return it with these rows."""
        digests = (hashlib.blake2b(repr(tuple(row)).encode("utf-8", "surrogatepass"), digest_size=16) for row in rows)
        total = self.digest + sum(int.from_bytes(one.digest()) for one in digests)
        return Sum(self.rows + len(rows), total % 2**128)


def move(
    source_url: str,
    target_url: str,
    *,
    busy_s: float = 30,
    afresh: bool = False,
    on_table: Callable[[str, int], None] | None = None,
) -> Moved:
    """Copy all rows of the ledger at `source_url` to the one at `target_url`, which is empty, new, or half copied.

    `on_table` is told each table and its rows as it is done. `afresh` throws away what an earlier start has copied.
    Raises `LedgerError` where the target holds rows of its own, is the source itself, is moved to by another process,
    or cannot take a row; what was copied by then stays for the next start.
    """
    source = open_database(source_url, busy_s)
    try:
        target = open_database(target_url, busy_s)
        try:
            if source.name == target.name:
                raise LedgerError(f"expected another ledger to move to, found the same one twice: {source.name}")
            with _alone(target):
                return _Move(source, target, afresh).run(on_table or (lambda name, rows: None))
        finally:
            target.engine.dispose()
    finally:
        source.engine.dispose()


class _Move:
    """One move, in a process that is alone with the target."""

    def __init__(self, source: Database, target: Database, afresh: bool) -> None:
        self._source, self._target, self._afresh = source, target, afresh
        self._strict = not target.sqlite
        self._mended = self._before = 0

    def run(self, on_table: Callable[[str, int], None]) -> Moved:
        self._begin()
        sums: dict[str, Sum] = {}
        with self._source.read() as taken:
            if _under_way(taken) is not None:
                raise LedgerError(
                    f"expected a whole ledger to move, found one that a move has not finished: {self._source.name};"
                    " finish that one first"
                )
            for table in Base.metadata.sorted_tables:
                sums[table.name] = self._copy(table, taken)
                on_table(table.name, sums[table.name].rows)
        self._finish(sums)
        return Moved({name: one.rows for name, one in sums.items()}, self._mended, self._before)

    def _begin(self) -> None:
        """Say in the target that it is moved to. Raises `LedgerError` where it holds rows of its own."""
        with self._target.write() as given:
            origin, held = _under_way(given), _held(given)
            if origin is None and held:
                raise LedgerError(
                    f"expected an empty ledger to move to, found rows in {self._target.name} ({', '.join(held)}); name"
                    " another database"
                )
            if origin not in (None, self._source.name) and not self._afresh:
                raise LedgerError(
                    f"expected an empty ledger to move to, found {self._target.name} half moved from {origin}; finish"
                    " that move first, name another database, or delete what is there with --afresh"
                )
            if self._afresh and origin is not None:
                for table in reversed(Base.metadata.sorted_tables):
                    given.execute(delete(table))
            if self._afresh or origin is None:
                given.execute(insert(_SETTINGS), {"key": UNDER_WAY, "value": self._source.name})

    def _copy(self, table: Table, source: Connection) -> Sum:
        """Copy what of a table is not there yet; return all its rows."""
        with self._target.read() as given:
            begun = given.execute(_plain(table).limit(1)).first() is not None
        found = Sum()
        for batch in self._batches(table, source):
            try:
                missing = self._missing(table, batch) if begun else batch
                if missing:
                    self._write(table, missing)
            except RowRefused as error:
                raise LedgerError(f"a row of {table.name} cannot be moved: {error}") from error
            self._before += len(batch) - len(missing)
            found = found.plus([list(row.values()) for row in batch])
        return found

    def _batches(self, table: Table, source: Connection) -> Iterator[list[dict[str, Any]]]:
        """Yield a table's rows as the target can take them, in the order of its key, so that batches stay the same."""
        query = _plain(table).order_by(*table.primary_key)
        with source.execute(query, execution_options=_STREAMED) as result:
            for part in result.partitions(BATCH):
                rows = [dict(row._mapping) for row in part]
                if self._strict:
                    self._mended += sum(_mend(row, _texts(table)) for row in rows)
                yield rows

    def _missing(self, table: Table, batch: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return those of the rows that the target does not have. Raises `LedgerError` where it has another one."""
        key = tuple(table.primary_key)
        rows = {tuple(row[column.name] for column in key): row for row in batch}
        among = key[0].in_([one for (one,) in rows]) if len(key) == 1 else tuple_(*key).in_(list(rows))
        with self._target.read() as given:
            there = [dict(row._mapping) for row in given.execute(_plain(table).where(among))]
        for row in there:
            if row != rows.pop(tuple(row[column.name] for column in key)):
                raise self._changed(table)
        return list(rows.values())

    def _write(self, table: Table, batch: Sequence[Mapping[str, Any]]) -> None:
        texts = _texts(table)
        statement = insert(table).values({c.name: _taken(c, c.name in texts) for c in table.c})
        with self._target.write() as given:
            given.execute(statement, [{f"new_{name}": value for name, value in row.items()} for row in batch])

    def _finish(self, sums: Mapping[str, Sum]) -> None:
        """Compare all tables with the target's, then take the line away, all in one transaction."""
        with self._target.write() as given:
            given.execute(delete(_SETTINGS).where(_SETTINGS.c.key == UNDER_WAY))
            for table in Base.metadata.sorted_tables:
                found = Sum()
                with given.execute(_plain(table), execution_options=_STREAMED) as result:
                    for part in result.partitions(BATCH):
                        found = found.plus(part)
                if found != sums[table.name]:
                    raise self._changed(table)
                if self._strict:
                    _set_sequences(table, given)

    def _changed(self, table: Table) -> LedgerError:
        return LedgerError(
            f"expected the same rows of {table.name} in {self._target.name} as in {self._source.name}, found others:"
            " one of them was written to since the move was begun. End what writes to them, and begin again with"
            f" --afresh, which deletes what is in {self._target.name}"
        )


def require_whole(database: Database) -> None:
    """Raise `LedgerError` for a ledger that is the target of a move that has not been finished."""
    with database.read() as connection:
        origin = _under_way(connection)
    if origin is not None:
        raise LedgerError(
            f"expected a whole ledger, found {database.name} half moved from {origin}; run `ratchet data migrate --to`"
            " again with the same two, which goes on where it stopped"
        )


@contextmanager
def _alone(target: Database) -> Iterator[None]:
    """Keep other moves to the target out. Raises `LedgerError` where one is under way."""
    busy = LedgerError(
        f"expected to be the only move to {target.name}, found another one under way; wait until it is done, or end it"
    )
    if target.sqlite:
        # Beside the file, not the file: closing a descriptor of that would give up SQLite's own locks.
        path = f"{target.name}.move-lock"
        with open(path, "ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise busy from None
            if os.fstat(lock.fileno()).st_nlink == 0:  # the move that has just ended took it away
                raise busy
            try:
                yield
            finally:
                os.unlink(path)
        return
    with target.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}):
            raise busy
        yield


def _under_way(connection: Connection) -> str | None:
    """Return the source of the move that a ledger is the half moved target of."""
    found: str | None = connection.scalar(select(_SETTINGS.c.value).where(_SETTINGS.c.key == UNDER_WAY))
    return found


def _held(connection: Connection) -> list[str]:
    """Return the tables that hold rows."""
    return [
        table.name
        for table in Base.metadata.sorted_tables
        if connection.execute(select(text("1")).select_from(table).limit(1)).first() is not None
    ]


def _texts(table: Table) -> set[str]:
    return {column.name for column in table.c if isinstance(column.type, JSON | Body)}


def _plain(table: Table) -> Any:
    """Return the query for a table's rows, bodies as text; without the line that says that a move is under way."""
    texts = _texts(table)
    query = select(*(cast(c, Text).label(c.name) if c.name in texts else c for c in table.c))
    return query.where(_SETTINGS.c.key != UNDER_WAY) if table is _SETTINGS else query


def _taken(column: Column[Any], is_json: bool) -> Any:
    return bindparam(f"new_{column.name}", type_=Body() if is_json else column.type)


def _mend(row: dict[str, Any], texts: set[str]) -> bool:
    """Replace numbers that JSON does not have in a row's bodies; return whether there were any."""
    found = False

    def nothing(_: str) -> None:
        nonlocal found
        found = True

    for name in texts:
        if row[name] is not None and ("NaN" in row[name] or "Infinity" in row[name]):
            value = json.loads(row[name], parse_constant=nothing)
            row[name] = json.dumps(value) if found else row[name]
    return found


def _set_sequences(table: Table, connection: Connection) -> None:
    """Let ids that the database gives go on after those that came along."""
    for column in table.primary_key:
        if column.autoincrement is True:
            last = connection.scalar(select(func.max(column)))
            if last is not None:
                sequence: Mapping[str, Any] = {"table": table.name, "column": column.name, "last": last}
                connection.execute(text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)"), sequence)
