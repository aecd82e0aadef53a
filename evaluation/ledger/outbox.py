"""A write-ahead outbox: rows on the local disk while the place where they belong is away.

One SQLite file. Decisions: what `put` has returned from is synced to the disk (write-ahead log, synchronous=FULL: a
loss of power loses nothing that was confirmed); puts that come while another one syncs share the next sync, each whole
or refused by itself. A row's id is its key, so that what is put twice waits once; a row that comes under the id of a
waiting one with other content waits beside it, for its place to decide. Rows leave (`done`) only after their place has
confirmed them, so that a kill loses and doubles nothing. Bounded by rows and by bytes, which the file itself counts,
whoever deletes from it: an outbox that is full refuses and counts what it refused (`OutboxFull`); it never drops. What
its place refuses for good is moved aside with the reason, and waits no longer.

Not covered: two machines on one file (SQLite's locks do not hold over network file systems).
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from evaluation.ledger.bodies import timeless

LIMIT = 100_000
LIMIT_BYTES = 1024**3
_CHUNK = 500
_SCHEMA = """
CREATE TABLE IF NOT EXISTS waiting (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (kind, id));
CREATE TABLE IF NOT EXISTS aside (
    kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (kind, id));
CREATE TABLE IF NOT EXISTS counts (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
INSERT INTO counts VALUES ('rows', 0), ('bytes', 0), ('refused', 0) ON CONFLICT DO NOTHING;
CREATE TRIGGER IF NOT EXISTS came AFTER INSERT ON waiting BEGIN
    UPDATE counts SET value = value + 1 WHERE name = 'rows';
    UPDATE counts SET value = value + length(CAST(new.body AS BLOB)) WHERE name = 'bytes'; END;
CREATE TRIGGER IF NOT EXISTS went AFTER DELETE ON waiting BEGIN
    UPDATE counts SET value = value - 1 WHERE name = 'rows';
    UPDATE counts SET value = value - length(CAST(old.body AS BLOB)) WHERE name = 'bytes'; END;
"""


class OutboxError(Exception):
    """The outbox cannot be used. The message says what was found and what to change."""


class OutboxFull(OutboxError):
    """As many rows or bytes wait as the outbox may hold: nothing of the batch was kept, and it was counted."""


class Waiting(NamedTuple):
    """A row that waits."""

    number: int
    kind: str
    id: str
    body: str


class Put(NamedTuple):
    """What became of rows that were put."""

    new: int
    known: tuple[str, ...] = ()
    """Ids that wait already, with the same content."""
    differing: tuple[str, ...] = ()
    """Ids that wait already with other content (the time does not count); the row waits beside the first."""


NOTHING = Put(0)


class OutboxCounts(NamedTuple):
    """How full an outbox is."""

    waiting: int
    bytes: int
    """Of the bodies that wait."""
    refused: int
    """Rows that were not taken because it was full, since the file was made."""
    aside: int
    """Rows that their place refused for good."""


@dataclass
class _Asked:
    """A put that waits for its commit."""

    kind: str
    rows: Sequence[tuple[str, str]]
    done: Put = NOTHING
    error: Exception | None = None
    settled: bool = False


class Outbox:
    """An open outbox. Safe to use from several threads and processes."""

    def __init__(self, path: Path, limit: int = LIMIT, limit_bytes: int = LIMIT_BYTES) -> None:
        self.path, self._limit, self._limit_bytes = path, limit, limit_bytes
        self._lock = threading.Lock()
        self._queue: list[_Asked] = []
        self._queue_lock = threading.Lock()
        with self._said():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}COMMIT;")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def put(self, kind: str, rows: Sequence[tuple[str, str]]) -> Put:
        """Keep rows (id and body), all or none; say which waited already. On disk when this returns.

        Raises `OutboxFull`, which is counted, and `OutboxError` where the disk does not take them.
        """
        mine = _Asked(kind, rows)
        with self._queue_lock:
            self._queue.append(mine)
        with self._lock:
            if not mine.settled:
                with self._queue_lock:
                    group, self._queue = self._queue, []
                self._commit(group)
        if mine.error is not None:
            raise mine.error
        return mine.done

    def _commit(self, group: Sequence[_Asked]) -> None:
        """Write what several threads put, with one sync; what goes wrong with one of them is its own."""
        try:
            with self._said():
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    for asked in group:
                        self._insert(asked)
                    self._db.execute("COMMIT")
                except BaseException:
                    if self._db.in_transaction:  # SQLite ends it itself after some errors
                        self._db.execute("ROLLBACK")
                    raise
        except BaseException as error:
            for asked in group:
                asked.error = error if isinstance(error, Exception) else OutboxError("it was ended: nothing was kept")
            if not isinstance(error, Exception):
                raise
        finally:
            for asked in group:
                asked.settled = True

    def _insert(self, asked: _Asked) -> None:
        """Insert one put's rows, or note why not and leave the transaction as it was."""
        db = self._db
        before = self._counts(db)
        db.execute("SAVEPOINT one")
        try:
            asked.done, rows = self._sorted(asked)
            db.executemany("INSERT INTO waiting (kind, id, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", rows)
        except Exception as error:
            if not db.in_transaction:  # the disk is full, say: everything was taken back
                raise
            db.execute("ROLLBACK TO one")
            db.execute("RELEASE one")
            asked.error = OutboxError(f"the outbox {self.path} does not take these rows ({error}): none was kept")
            return
        after = self._counts(db)
        if after["rows"] > self._limit or after["bytes"] > self._limit_bytes:
            db.execute("ROLLBACK TO one")
            db.execute("UPDATE counts SET value = value + ? WHERE name = 'refused'", (len(asked.rows),))
            asked.error = OutboxFull(
                f"the outbox {self.path} is full: {before['rows']} rows ({before['bytes']} bytes) wait, at"
                f" most {self._limit} rows ({self._limit_bytes} bytes) may; {len(asked.rows)} were refused. Bring back"
                " what they wait for, and send these again later"
            )
        db.execute("RELEASE one")

    def _sorted(self, asked: _Asked) -> tuple[Put, list[tuple[str, str, str]]]:
        """Return what will become of a put, and the rows to be inserted for it."""
        held = self._held(asked.kind, [_plain(name) for name, _ in asked.rows])
        rows: list[tuple[str, str, str]] = []
        known, differing = [], []
        for name, body in asked.rows:
            key = _plain(name)
            first = held.get(key)
            if first is not None and (first == body or timeless(first) == timeless(body)):
                known.append(name)
                continue
            if first is not None:
                differing.append(name)
                key = f"{key}#{hashlib.sha256(timeless(body).encode('utf-8', 'backslashreplace')).hexdigest()[:16]}"
            held.setdefault(key, body)
            rows.append((asked.kind, key, body))
        return Put(len(rows) - len(differing), tuple(known), tuple(differing)), rows

    def _held(self, kind: str, keys: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for start in range(0, len(keys), _CHUNK):
            some = keys[start : start + _CHUNK]
            marks = ", ".join("?" * len(some))
            query = f"SELECT id, body FROM waiting WHERE kind = ? AND id IN ({marks})"
            found.update(self._db.execute(query, (kind, *some)))
        return found

    def take(self, kind: str, batch: int = 500, after: int = 0) -> list[Waiting]:
        """Return rows of a kind that wait, in the order in which they came; they go on waiting."""
        with self._said(), self._lock:
            query = "SELECT number, kind, id, body FROM waiting WHERE kind = ? AND number > ? ORDER BY number LIMIT ?"
            return [Waiting(*row) for row in self._db.execute(query, (kind, after, batch))]

    def done(self, numbers: Sequence[int]) -> None:
        """Forget rows that their place has confirmed."""
        with self._transaction() as db:
            db.executemany("DELETE FROM waiting WHERE number = ?", [(number,) for number in numbers])

    def set_aside(self, number: int, reason: str) -> None:
        """Move a row aside that its place refuses for good."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO aside SELECT kind, id, body, ? FROM waiting WHERE number = ?"
                " ON CONFLICT DO UPDATE SET body = excluded.body, reason = excluded.reason",
                (reason, number),
            )
            db.execute("DELETE FROM waiting WHERE number = ?", (number,))

    def aside(self) -> list[tuple[str, str, str]]:
        """Return kind, id and reason of the rows that were refused for good."""
        with self._said(), self._lock:
            return list(self._db.execute("SELECT kind, id, reason FROM aside ORDER BY kind, id"))

    def counts(self) -> OutboxCounts:
        """Return how full it is."""
        with self._said(), self._lock:
            found = self._counts(self._db)
            (aside,) = self._db.execute("SELECT count(*) FROM aside").fetchone()
        return OutboxCounts(found["rows"], found["bytes"], found["refused"], aside)

    def _counts(self, db: sqlite3.Connection) -> dict[str, int]:
        return dict(db.execute("SELECT name, value FROM counts"))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Write together what is written inside, or nothing."""
        with self._said(), self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite ends it itself after some errors
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise OutboxError(
                f"the outbox {self.path} cannot be used ({error}): nothing was kept. Expected a folder that this user"
                " may write, on a disk with space left, and a file that no other program holds"
            ) from error


def _plain(name: str) -> str:
    """Return an id as SQLite can hold it: the row's own id stands in its body, whatever it holds."""
    return name.encode("utf-8", "backslashreplace").decode()
