"""The gateway's write-ahead spool: what was answered is on disk before the caller has it.

One SQLite file per rollout or gateway. The gateway's replica writes what it was asked. The process that owns the
ledger (the rollout controller) reads that, moves finished exchanges into the ledger, and keeps what its users saw; ids
make the move idempotent, so a kill on either side loses and doubles nothing. Every commit is synced to the disk, which
costs milliseconds. Bounded: a spool that is full refuses (`SpoolFull`, answered with 429).
"""

from __future__ import annotations

import itertools
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from evaluation.records import Example, Feedback

PINNED = -1
"""The stage of requests that name a version themselves: no evidence for a rollout."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS conversations (
    id TEXT PRIMARY KEY, variant TEXT NOT NULL, stage INTEGER NOT NULL, success INTEGER, rating REAL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS exchanges (
    id TEXT PRIMARY KEY, conversation TEXT NOT NULL, body TEXT NOT NULL, messages INTEGER NOT NULL, at REAL NOT NULL,
    revision INTEGER NOT NULL DEFAULT 0, flushed INTEGER NOT NULL DEFAULT -1);
CREATE TABLE IF NOT EXISTS requests (
    number INTEGER PRIMARY KEY AUTOINCREMENT, variant TEXT NOT NULL, stage INTEGER NOT NULL, failed INTEGER NOT NULL,
    latency_ms REAL NOT NULL);
CREATE TABLE IF NOT EXISTS feedback (id TEXT PRIMARY KEY, body TEXT NOT NULL, flushed INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS talks (
    number INTEGER PRIMARY KEY AUTOINCREMENT, requests INTEGER NOT NULL, failed INTEGER NOT NULL,
    rated INTEGER NOT NULL, error TEXT);
CREATE TABLE IF NOT EXISTS refusals (id INTEGER PRIMARY KEY CHECK (id = 1), requests INTEGER NOT NULL);
INSERT INTO refusals VALUES (1, 0) ON CONFLICT DO NOTHING;
CREATE INDEX IF NOT EXISTS exchanges_waiting ON exchanges (at) WHERE flushed < revision;
CREATE INDEX IF NOT EXISTS requests_variant ON requests (variant, stage);
"""


class SpoolFull(Exception):
    """As many exchanges wait for the ledger as the spool may hold."""


@dataclass(frozen=True)
class Figures:
    """What one variant did, over all stages."""

    conversations: int
    successes: int
    requests: int
    """Tries, of which a request that is repeated has two."""
    errors: int
    latency_n: int
    latency_mean: float
    latency_sd: float


@dataclass(frozen=True)
class Tally:
    """What simulated users saw: of one conversation, or of all."""

    requests: int
    failed: int
    """Requests that were not answered."""
    rated: int
    errors: tuple[str, ...]
    """The first few."""


class Spool:
    """An open spool. Safe to use from several threads."""

    def __init__(self, path: Path, limit: int = 100_000) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._limit = limit
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Write together what is written inside, or nothing: a transaction left open would refuse every later one."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite ends it itself after some errors
                    self._db.execute("ROLLBACK")
                raise

    # What the gateway writes -----------------------------------------------------------------------------------------

    def pin(self, conversation: str, variant: str, stage: int, at: float) -> str:
        """Record which variant a conversation has; return the one in force, which an earlier request may have set."""
        with self._lock:
            self._db.execute(
                "INSERT INTO conversations VALUES (?, ?, ?, NULL, NULL, ?) ON CONFLICT (id) DO NOTHING",
                (conversation, variant, stage, at),
            )
            row = self._db.execute("SELECT variant FROM conversations WHERE id = ?", (conversation,)).fetchone()
        return str(row[0])

    def pinned(self, conversation: str) -> str | None:
        """Return the variant of a conversation that has begun."""
        with self._lock:
            row = self._db.execute("SELECT variant FROM conversations WHERE id = ?", (conversation,)).fetchone()
        return None if row is None else str(row[0])

    def exchange_id(self, first: str, length: int) -> str:
        """Return the id for a request of `length` messages: that of the exchange that it goes on with, or a new one.

        A repeated query, and one that goes on after its exchange is in the ledger, is an exchange of its own.
        """
        with self._lock:
            for number in itertools.count():
                name = f"{first}-{number}" if number else first
                row = self._db.execute("SELECT messages, flushed FROM exchanges WHERE id = ?", (name,)).fetchone()
                if row is None:
                    return name
                if row[0] <= length and row[1] < 0:
                    self._db.execute("UPDATE exchanges SET at = ? WHERE id = ?", (time.time(), name))
                    return name
        raise AssertionError("unreachable: the numbers do not end")

    def move(self, conversation: str, variant: str) -> None:
        """Give a conversation another variant, because its own is gone."""
        with self._lock:
            self._db.execute("UPDATE conversations SET variant = ? WHERE id = ?", (variant, conversation))

    def room(self) -> None:
        """Raise `SpoolFull`, and count it, where no further exchange may wait."""
        with self._lock:
            full = self._db.execute(
                "SELECT 1 FROM exchanges WHERE flushed < revision LIMIT 1 OFFSET ?", (self._limit - 1,)
            ).fetchone()
            if full is not None:
                self._db.execute("UPDATE refusals SET requests = requests + 1")
        if full is not None:
            raise SpoolFull(f"{self._limit} exchanges wait for the ledger, which is as many as may; try again later")

    def waiting(self) -> int:
        """Return how many exchanges wait for the ledger."""
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM exchanges WHERE flushed < revision").fetchone()[0])

    def refused(self) -> int:
        """Return how many requests were refused because it was full, since the file was made."""
        with self._lock:
            return int(self._db.execute("SELECT requests FROM refusals").fetchone()[0])

    def answered(self, example: Example, variant: str, stage: int, latency_ms: float) -> None:
        """Keep an answered request: its exchange so far (replacing the shorter one) and its figures."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO exchanges (id, conversation, body, messages, at) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET body = excluded.body, messages = excluded.messages, at = excluded.at,"
                " revision = revision + 1",
                (example.id, example.conversation, example.model_dump_json(), len(example.messages), time.time()),
            )
            self._request(variant, stage, False, latency_ms)

    def failed(self, variant: str, stage: int, latency_ms: float) -> None:
        """Count a try that a variant did not answer."""
        with self._lock:
            self._request(variant, stage, True, latency_ms)

    def _request(self, variant: str, stage: int, failed: bool, latency_ms: float) -> None:
        self._db.execute(
            "INSERT INTO requests (variant, stage, failed, latency_ms) VALUES (?, ?, ?, ?)",
            (variant, stage, int(failed), latency_ms),
        )

    def outcome(self, conversation: str, success: bool) -> bool:
        """Keep how a conversation ended; return False for one that is not known. The first outcome stands."""
        with self._lock:
            self._db.execute(
                "UPDATE conversations SET success = ? WHERE id = ? AND success IS NULL", (int(success), conversation)
            )
            known = self._db.execute("SELECT 1 FROM conversations WHERE id = ?", (conversation,)).fetchone()
        return known is not None

    def feedback(self, feedback: Feedback) -> bool:
        """Keep feedback; return False where its example is not known."""
        with self._lock:
            if not self._db.execute("SELECT 1 FROM exchanges WHERE id = ?", (feedback.example_id,)).fetchone():
                return False
            self._db.execute(
                "INSERT INTO feedback (id, body) VALUES (?, ?) ON CONFLICT (id) DO NOTHING",
                (feedback.id, feedback.model_dump_json()),
            )
        return True

    # What the controller reads ---------------------------------------------------------------------------------------

    def figures(self, variant: str) -> Figures:
        """Return what `variant` did so far."""
        with self._lock:
            ended, right = self._db.execute(
                "SELECT count(success), coalesce(sum(success), 0) FROM conversations WHERE variant = ? AND stage >= 0",
                (variant,),
            ).fetchone()
            n, errors, answered, mean, square = self._db.execute(
                "SELECT count(*), coalesce(sum(failed), 0), coalesce(sum(1 - failed), 0),"
                " coalesce(avg(CASE WHEN failed THEN NULL ELSE latency_ms END), 0),"
                " coalesce(avg(CASE WHEN failed THEN NULL ELSE latency_ms * latency_ms END), 0)"
                " FROM requests WHERE variant = ? AND stage >= 0",
                (variant,),
            ).fetchone()
        variance = max(square - mean * mean, 0.0) * answered / max(answered - 1, 1)
        return Figures(ended, right, n, errors, answered, mean, variance**0.5)

    def assigned(self, variant: str, stage: int) -> int:
        """Return how many conversations `variant` was given during `stage` and that have ended."""
        with self._lock:
            row = self._db.execute(
                "SELECT count(*) FROM conversations WHERE variant = ? AND stage = ? AND success IS NOT NULL",
                (variant, stage),
            ).fetchone()
        return int(row[0])

    def ended(self) -> list[str]:
        """Return the conversations whose outcome is known."""
        with self._lock:
            rows = self._db.execute("SELECT id FROM conversations WHERE success IS NOT NULL").fetchall()
        return [str(row[0]) for row in rows]

    def talked(self, seen: Tally) -> None:
        """Keep what a user saw of one conversation."""
        with self._lock:
            self._db.execute(
                "INSERT INTO talks (requests, failed, rated, error) VALUES (?, ?, ?, ?)",
                (seen.requests, seen.failed, seen.rated, seen.errors[0] if seen.errors else None),
            )

    def tally(self) -> Tally:
        """Return what users saw so far, whichever process they were in."""
        with self._lock:
            requests, failed, rated = self._db.execute(
                "SELECT coalesce(sum(requests), 0), coalesce(sum(failed), 0), coalesce(sum(rated), 0) FROM talks"
            ).fetchone()
            errors = self._db.execute("SELECT error FROM talks WHERE error IS NOT NULL ORDER BY number LIMIT 5")
            return Tally(requests, failed, rated, tuple(row[0] for row in errors))

    def finished_exchanges(self, batch: int, quiet_s: float) -> list[tuple[str, int, bool | None, Example]]:
        """Return exchanges that wait for the ledger: id, revision, the conversation's outcome, example.

        Only those of conversations that have ended or where nothing was asked for `quiet_s` seconds.
        """
        with self._lock:
            rows = self._db.execute(
                "SELECT e.id, e.revision, c.success, e.body FROM exchanges e"
                " JOIN conversations c ON c.id = e.conversation"
                " WHERE e.flushed < e.revision AND (e.at <= ? OR c.success IS NOT NULL) LIMIT ?",
                (time.time() - quiet_s, batch),
            ).fetchall()
        return [
            (i, revision, None if success is None else bool(success), Example.model_validate_json(body))
            for i, revision, success, body in rows
        ]

    def captured(self) -> int:
        """Return how many exchanges are in the ledger."""
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM exchanges WHERE flushed >= 0").fetchone()[0])

    def mark_flushed(self, done: list[tuple[str, int]]) -> None:
        """Say that these revisions are in the ledger."""
        with self._transaction():
            self._db.executemany("UPDATE exchanges SET flushed = ? WHERE id = ?", [(rev, i) for i, rev in done])

    def waiting_feedback(self, batch: int) -> Iterator[Feedback]:
        """Yield feedback whose example is in the ledger and that is not there itself yet."""
        with self._lock:
            rows = self._db.execute(
                "SELECT f.body FROM feedback f WHERE f.flushed = 0 AND EXISTS (SELECT 1 FROM exchanges e"
                " WHERE e.id = json_extract(f.body, '$.example_id') AND e.flushed >= 0) LIMIT ?",
                (batch,),
            ).fetchall()
        yield from (Feedback.model_validate_json(row[0]) for row in rows)

    def mark_feedback(self, ids: list[str]) -> None:
        """Say that this feedback is in the ledger."""
        with self._transaction():
            self._db.executemany("UPDATE feedback SET flushed = 1 WHERE id = ?", [(i,) for i in ids])
