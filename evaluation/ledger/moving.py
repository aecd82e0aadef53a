"""A whole ledger from one database to another: SQLite to PostgreSQL, and back.

Decisions: rows stream in batches, in one transaction of the target, so that a move that is killed or fails leaves it
as it was, and is begun again; the source is read as it stood at one moment. Bodies are carried over as text, byte by
byte. A target that holds rows is refused. Before the end, the rows of each table are counted on both sides.

Not covered: what is written to the source meanwhile, which stays there: end its writers first. PostgreSQL has no NaN
in JSON: such a number, which only SQLite could take, becomes null and is counted (`mended`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import JSON, Column, Connection, Table, Text, bindparam, cast, func, insert, select, text

from evaluation.ledger.columns import Base, Body
from evaluation.ledger.database import Database, open_database
from evaluation.ledger.errors import LedgerError, RowRefused

BATCH = 1000


class Moved(NamedTuple):
    """What was moved."""

    rows: dict[str, int]
    """By table."""
    mended: int
    """Bodies with a number that JSON does not have, which is null now."""


def move(
    source_url: str, target_url: str, *, busy_s: float = 30, on_table: Callable[[str, int], None] | None = None
) -> Moved:
    """Copy all rows of the ledger at `source_url` to the empty or new one at `target_url`.

    `on_table` is told each table and its rows as it is done. Raises `LedgerError` where the target holds rows, is the
    source itself, or cannot take a row; then it stays as it was.
    """
    source = open_database(source_url, busy_s)
    try:
        target = open_database(target_url, busy_s)
        try:
            return _moved(source, target, on_table)
        finally:
            target.engine.dispose()
    finally:
        source.engine.dispose()


def _moved(source: Database, target: Database, on_table: Callable[[str, int], None] | None) -> Moved:
    if source.name == target.name:
        raise LedgerError(f"expected another ledger to move to, found the same one twice: {source.name}")
    rows, mended = {}, 0
    with source.read() as taken, target.write() as given:
        _require_empty(given, target.name)
        for table in Base.metadata.sorted_tables:
            count, bad = _table(table, taken, given)
            found = given.scalar(select(func.count()).select_from(table))
            if found != count:
                raise LedgerError(f"expected {count} rows of {table.name} in {target.name}, found {found}")
            rows[table.name], mended = count, mended + bad
            if on_table is not None:
                on_table(table.name, count)
    return Moved(rows, mended)


def _require_empty(connection: Connection, name: str) -> None:
    held = [
        table.name
        for table in Base.metadata.sorted_tables
        if connection.execute(select(text("1")).select_from(table).limit(1)).first() is not None
    ]
    if held:
        raise LedgerError(
            f"expected an empty ledger to move to, found rows in {name} ({', '.join(held)}); name another database"
        )


def _table(table: Table, source: Connection, target: Connection) -> tuple[int, int]:
    """Copy a table; return its rows and how many of them had to be mended."""
    strict, count, mended = target.dialect.name == "postgresql", 0, 0
    texts = {column.name for column in table.c if isinstance(column.type, JSON | Body)}
    query = select(*(cast(c, Text).label(c.name) if c.name in texts else c for c in table.c))
    statement = insert(table).values({c.name: _taken(c, c.name in texts) for c in table.c})
    result = source.execution_options(stream_results=True).execute(query)
    for part in result.partitions(BATCH):
        batch = [dict(row._mapping) for row in part]
        if strict:
            mended += sum(_mend(row, texts) for row in batch)
        try:
            target.execute(statement, [{f"new_{name}": value for name, value in row.items()} for row in batch])
        except RowRefused as error:
            raise LedgerError(f"a row of {table.name} cannot be moved: {error}") from error
        count += len(batch)
    if strict:
        _set_sequences(table, target)
    return count, mended


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
