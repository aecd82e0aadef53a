"""Take what one person said out of spools: SQLite files that wait to be moved into the ledger.

Decisions: every table of the file is looked through, so that any spool or outbox of the home is covered; a row in which
the person's hash, or one of their examples' ids, stands is deleted. A conversation's line, on which the evidence of a
rollout rests, stays, under a name that says nothing. Deleted rows are overwritten and the write-ahead log is emptied.
Not covered: a file that another process keeps locked for longer than `busy_s`; it is told, and the next call does it.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from evaluation.records import stable_id

_STRING = re.compile(r'"([^"\\]{1,200})"')
_HEADER = b"SQLite format 3\0"
CONVERSATIONS = "conversations"
HOLDING = {"exchanges", "waiting", "aside"}
"""Tables with an `id` and a `body` that is an example or feedback: of the gateway's spool, and of outboxes."""


class Sought(NamedTuple):
    """What tells one person's rows."""

    user_hash: str
    example_ids: frozenset[str]
    user: str | None
    """The id itself, where it is known: what came in raw may hold it."""

    def in_text(self, text: str) -> bool:
        """Say whether a text, plain or JSON, is one of the ids or holds one of them or of the hashes as a string."""
        if self.user_hash in text or text in self.example_ids or (self.user is not None and text == self.user):
            return True
        strings = set(_STRING.findall(text))
        return not strings.isdisjoint(self.example_ids) or (self.user is not None and self.user in strings)


def spools_in(*roots: Path) -> Iterator[Path]:
    """Yield the SQLite files below the folders."""
    for root in roots:
        for place in sorted(root.rglob("*")) if root.is_dir() else []:
            if place.is_file() and _is_database(place):
                yield place


def _is_database(place: Path) -> bool:
    with place.open("rb") as file:
        return file.read(len(_HEADER)) == _HEADER


def ids_in_spool(path: Path, user_hash: str) -> set[str]:
    """Return the ids of a person's examples that a spool or outbox holds, in the ledger or not."""
    with closing(sqlite3.connect(path, timeout=30)) as spool:
        return {
            str(row[0])
            for table in sorted(HOLDING & _columns(spool).keys())
            for row in spool.execute(f'SELECT id, body FROM "{table}"')
            if _is_of(str(row[1]), user_hash)
        }


def _is_of(body: str, user_hash: str) -> bool:
    """Whether a body that was written for the ledger is an example of this person's."""
    if user_hash not in body:
        return False
    try:
        return bool(json.loads(body).get("user_hash") == user_hash)
    except (ValueError, AttributeError):
        return False


def forget_in_spool(path: Path, sought: Sought, *, dry_run: bool = False, busy_s: float = 30) -> dict[str, int]:
    """Delete a person's rows; return how many by table. Raises `sqlite3.OperationalError` where it stays locked."""
    counts: dict[str, int] = {}
    with closing(sqlite3.connect(path, timeout=busy_s, isolation_level=None)) as spool:
        spool.execute("PRAGMA secure_delete = ON")
        spool.execute("BEGIN IMMEDIATE" if not dry_run else "BEGIN")
        talked = _conversations(spool, sought)
        for table, columns in _columns(spool).items():
            if table != CONVERSATIONS:
                rows = _rows_of(spool, table, columns, sought)
                counts[table] = len(rows)
                if not dry_run:
                    spool.executemany(f'DELETE FROM "{table}" WHERE rowid = ?', [(row,) for row in rows])
        if talked:
            counts[CONVERSATIONS] = len(talked)
        if talked and not dry_run:
            names = [(f"forgotten-{stable_id(one, sought.user_hash)}", one) for one in talked]
            spool.executemany("UPDATE OR REPLACE conversations SET id = ? WHERE id = ?", names)
        spool.execute("COMMIT")
        if not dry_run and any(counts.values()):
            spool.execute("VACUUM")
        if not dry_run:
            spool.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return {table: count for table, count in counts.items() if count}


def _columns(spool: sqlite3.Connection) -> dict[str, list[str]]:
    """Return the columns of text by table."""
    tables = spool.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    return {
        name: [
            row[1] for row in spool.execute(f'PRAGMA table_info("{name}")') if str(row[2]).upper() in ("TEXT", "JSON")
        ]
        for (name,) in tables
    }


def _rows_of(spool: sqlite3.Connection, table: str, columns: list[str], sought: Sought) -> list[int]:
    if not columns:
        return []
    names = ", ".join(f'"{column}"' for column in columns)
    query = spool.execute(f'SELECT rowid, {names} FROM "{table}"')
    return [row[0] for row in query if any(text and sought.in_text(str(text)) for text in row[1:])]


def _conversations(spool: sqlite3.Connection, sought: Sought) -> list[str]:
    """Return the conversations of the person's exchanges."""
    columns = _columns(spool)
    if CONVERSATIONS not in columns or "conversation" not in columns.get("exchanges", []):
        return []
    rows = spool.execute("SELECT id, conversation, body FROM exchanges")
    return sorted({str(talk) for one, talk, body in rows if sought.in_text(str(one)) or sought.in_text(str(body))})
