"""What the ledger holds of one person, and how it is forgotten.

Decisions: rows are deleted together with their tombstones, in one transaction, so that a delivery that comes late never
brings one back; whoever is killed in between starts again and finds what is left. An example that corrects, or was made
from, one that is forgotten goes with it. Deleted rows are overwritten (`secure_delete`) and their pages given back
(`VACUUM`), so that the file itself no longer holds them.
Not covered: PostgreSQL's own write-ahead log, replicas and backups; blocks that the file system has not reused yet.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection, Text, delete, or_, select, text, type_coerce

from evaluation.ledger.collected import LabelRecord, PrivacyEvent
from evaluation.ledger.database import insert_new
from evaluation.ledger.labels import settle
from evaluation.ledger.part import Part
from evaluation.ledger.schema import (
    DeadLetterRow,
    ExampleRow,
    FeedbackRow,
    LabelRow,
    PinRow,
    PrivacyEventRow,
    ProductionRow,
    RecoveryRow,
    ReviewRow,
    RewardRow,
    TombstoneRow,
)
from evaluation.records import Example, Feedback, Source

_CHUNK = 500
_OF_EXAMPLE: dict[str, type[RewardRow | RecoveryRow | ReviewRow | LabelRow | FeedbackRow]] = {
    "rewards": RewardRow,
    "recoveries": RecoveryRow,
    "reviews": ReviewRow,
    "labels": LabelRow,
    "feedback": FeedbackRow,
}
"""Tables whose rows are about an example, in the order in which they can be deleted."""
_PARENT = r'"parent_id": ?"((?:[^"\\]|\\.)+)"'
_NAMED_AS_PARENTS = text(
    "SELECT id, CAST(body AS text) AS body FROM examples WHERE EXISTS (SELECT 1 FROM"
    " regexp_matches(CAST(examples.body AS text), :pattern, 'g') AS found WHERE found[1] = ANY(:ids))"
)
"""PostgreSQL: examples that say `parent_id` of one of these anywhere, in the arguments of a call perhaps."""


class Privacy(Part):
    """The ledger's verbs for what it holds of one person."""

    def examples_of_user(self, user_hash: str) -> Iterator[Example]:
        """Yield a person's examples as they were written, by time; a thousand at a time."""
        last: tuple[datetime, str] | None = None
        while True:
            query = select(ExampleRow.timestamp, ExampleRow.id, ExampleRow.body).where(
                ExampleRow.user_hash == user_hash
            )
            if last is not None:
                later = (ExampleRow.timestamp > last[0]) | (
                    (ExampleRow.timestamp == last[0]) & (ExampleRow.id > last[1])
                )
                query = query.where(later)
            with self._database.read() as connection:
                rows = connection.execute(query.order_by(ExampleRow.timestamp, ExampleRow.id).limit(1000)).all()
            yield from (Example.model_validate(row.body) for row in rows)
            if len(rows) < 1000:
                return
            last = rows[-1].timestamp, rows[-1].id

    def words_of_examples(self, example_ids: Sequence[str]) -> Iterator[str]:
        """Yield what users said in these examples, and their questions and contexts; some hundred at a time."""
        for ids in _chunks(example_ids):
            with self._database.read() as connection:
                bodies = list(connection.scalars(select(ExampleRow.body).where(ExampleRow.id.in_(ids))))
            for example in map(Example.model_validate, bodies):
                yield from (message.content for message in example.messages if message.role == "user")
                yield from (text for text in (example.query, example.context) if text)

    def feedback_of_user(self, user_hash: str) -> tuple[Feedback, ...]:
        """Return what a person said of examples, anybody's."""
        query = select(FeedbackRow.body).where(FeedbackRow.rater == user_hash)
        with self._database.read() as connection:
            found = connection.scalars(query.order_by(FeedbackRow.timestamp, FeedbackRow.id))
            return tuple(Feedback.model_validate(body) for body in found)

    def labels_of_examples(self, example_ids: Sequence[str]) -> tuple[LabelRecord, ...]:
        """Return all labels of these examples, those that were taken back, too."""
        with self._database.read() as connection:
            return tuple(
                LabelRecord.model_validate({**row.body, "undone_at": row.undone_at})
                for ids in _chunks(example_ids)
                for row in connection.execute(
                    select(LabelRow.body, LabelRow.undone_at).where(LabelRow.example_id.in_(ids)).order_by(LabelRow.at)
                )
            )

    def ids_of_user(self, user_hash: str) -> set[str]:
        """Return the ids of a person's examples, and of those that were made from them."""
        with self._database.read() as connection:
            found = set(connection.scalars(select(ExampleRow.id).where(ExampleRow.user_hash == user_hash)))
        return found | self.ids_made_from(found)

    def ids_by_user(self, example_ids: Sequence[str]) -> dict[str, list[str]]:
        """Return which of these examples are whose; those of nobody known are left out."""
        whose: dict[str, list[str]] = {}
        with self._database.read() as connection:
            for ids in _chunks(example_ids):
                wanted = ExampleRow.id.in_(ids) & ExampleRow.user_hash.is_not(None)
                for row in connection.execute(select(ExampleRow.id, ExampleRow.user_hash).where(wanted)):
                    whose.setdefault(str(row.user_hash), []).append(row.id)
        return whose

    def ids_made_from(self, example_ids: set[str]) -> set[str]:
        """Return the ids of the examples that correct, or were made from, one of these, however far down."""
        known, fresh = set(example_ids), sorted(example_ids)
        while fresh:
            with self._database.read() as connection:
                found = {one for ids in _chunks(fresh) for one in _made_from(connection, ids)}
            fresh = sorted(found - known)
            known |= found
        return known - example_ids

    def ids_before(self, source: Source, before: datetime) -> list[str]:
        """Return the ids of a source's examples that are older than `before`."""
        query = select(ExampleRow.id).where(ExampleRow.source == source.value, ExampleRow.timestamp < before)
        with self._database.read() as connection:
            return list(connection.scalars(query.order_by(ExampleRow.timestamp, ExampleRow.id)))

    def pinned_example_ids(self) -> set[str]:
        """Return the ids of the examples that scenarios of the regression set were made from."""
        with self._database.read() as connection:
            origins = (str(body.get("origin", "")) for body in connection.scalars(select(PinRow.body)))
            return {origin.removeprefix("example:") for origin in origins if origin.startswith("example:")}

    def versions_in_production(self) -> set[str]:
        """Return the champions of all models."""
        with self._database.read() as connection:
            return set(connection.scalars(select(ProductionRow.version)))

    def rows_to_forget(
        self, example_ids: Sequence[str], user_hash: str | None, needles: Sequence[str]
    ) -> dict[str, int]:
        """Return how many rows of each table `forget_rows` would delete. Deletes nothing."""
        with self._database.read() as connection:
            counts = dict.fromkeys(("examples", *_OF_EXAMPLE, "pins", "dead_letters"), 0)
            for ids in _chunks(example_ids):
                counts["examples"] += _count(connection, select(ExampleRow.id).where(ExampleRow.id.in_(ids)))
                for name, row in _OF_EXAMPLE.items():
                    counts[name] += _count(connection, select(row.example_id).where(row.example_id.in_(ids)))
            counts["feedback"] += len(_said_elsewhere(connection, user_hash, set(example_ids)))
            counts["pins"] = len(_pins_of(connection, set(example_ids)))
            counts["dead_letters"] = len(_letters_of(connection, needles, example_ids))
        return counts

    def forget_rows(self, example_ids: Sequence[str], user_hash: str | None, needles: Sequence[str]) -> dict[str, int]:
        """Delete examples with all that is about them, what the user said of others, and dead letters with a needle.

        Returns the rows deleted by table. Leaves tombstones for examples and feedback, known ids or not, so that what
        is delivered late never comes back. In transactions of a few hundred examples, each whole.
        """
        counts = dict.fromkeys(("examples", *_OF_EXAMPLE, "pins", "dead_letters"), 0)
        for ids in _chunks(example_ids):
            with self._database.write() as connection:
                _overwrite(connection)
                said = connection.scalars(select(FeedbackRow.id).where(FeedbackRow.example_id.in_(ids))).all()
                for name, row in _OF_EXAMPLE.items():
                    counts[name] += connection.execute(delete(row).where(row.example_id.in_(ids))).rowcount
                counts["examples"] += connection.execute(delete(ExampleRow).where(ExampleRow.id.in_(ids))).rowcount
                self._bury(connection, [*ids, *said])
        with self._database.write() as connection:
            _overwrite(connection)
            told = _said_elsewhere(connection, user_hash, set())
            elsewhere = list(told)
            pins, letters = _pins_of(connection, set(example_ids)), _letters_of(connection, needles, example_ids)
            for name, key, ids in (
                ("feedback", FeedbackRow.id, elsewhere),
                ("pins", PinRow.id, pins),
                ("dead_letters", DeadLetterRow.id, letters),
            ):
                for some in _chunks(ids):
                    counts[name] += connection.execute(delete(key.class_).where(key.in_(some))).rowcount
            settle(connection, sorted(set(told.values())))
            self._bury(connection, elsewhere)
        return counts

    def _bury(self, connection: Connection, ids: Sequence[str]) -> None:
        now = self._clock()
        insert_new(connection, TombstoneRow, TombstoneRow.id, [{"id": one, "at": now} for one in sorted(set(ids))])

    def buried(self, ids: Sequence[str]) -> set[str]:
        """Return those of the ids that may never be written again."""
        with self._database.read() as connection:
            return {
                one
                for some in _chunks(ids)
                for one in connection.scalars(select(TombstoneRow.id).where(TombstoneRow.id.in_(some)))
            }

    def give_pages_back(self) -> bool:
        """Rewrite the database without its deleted rows; return False where other connections kept that from ending.

        SQLite: `VACUUM`, then a checkpoint that empties the write-ahead log, tried for as long as a write may wait.
        PostgreSQL: `VACUUM` of the tables.
        """
        if self._database.engine.dialect.name != "sqlite":
            with self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                for row in (ExampleRow, *_OF_EXAMPLE.values(), DeadLetterRow, PinRow):
                    connection.execute(text(f"VACUUM {row.__tablename__}"))
            return True
        self._database.engine.dispose()
        deadline = time.monotonic() + self._database.busy_s
        while True:
            if _vacuumed(str(self._database.engine.url.database)):
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.1)

    def add_privacy_event(self, event: PrivacyEvent) -> bool:
        """Add a line to the trail; return False where its id is known already."""
        with self._database.write() as connection:
            row = {**event.model_dump(exclude={"detail"}), "body": event.model_dump(mode="json")}
            return insert_new(connection, PrivacyEventRow, PrivacyEventRow.id, [row]) == 1

    def privacy_events(self, kind: str | None = None, subject: str | None = None) -> tuple[PrivacyEvent, ...]:
        """Return the trail, the earliest first."""
        asked = [
            column == value
            for column, value in ((PrivacyEventRow.kind, kind), (PrivacyEventRow.subject, subject))
            if value is not None
        ]
        query = select(PrivacyEventRow.body).where(*asked).order_by(PrivacyEventRow.at, PrivacyEventRow.id)
        with self._database.read() as connection:
            return tuple(PrivacyEvent.model_validate(body) for body in connection.scalars(query))


def _overwrite(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")


def _count(connection: Connection, query: object) -> int:
    return len(connection.execute(query).all())  # type: ignore[call-overload]


def _said_elsewhere(connection: Connection, user_hash: str | None, about: set[str]) -> dict[str, str]:
    """Return the ids of what a person said of examples other than these, each with its example's."""
    if user_hash is None:
        return {}
    rows = connection.execute(select(FeedbackRow.id, FeedbackRow.example_id).where(FeedbackRow.rater == user_hash))
    return {row.id: row.example_id for row in rows if row.example_id not in about}


def _made_from(connection: Connection, ids: Sequence[str]) -> Iterator[str]:
    """Yield the ids of the examples whose parent is one of these."""
    if connection.dialect.name == "sqlite":
        parent = ExampleRow.body["provenance"]["parent_id"].as_string()
        yield from connection.scalars(select(ExampleRow.id).where(parent.in_(ids)))
        return
    # Its own operators refuse a whole body for one NUL, or half of a surrogate pair, which models emit.
    asked = {"pattern": _PARENT, "ids": [json.dumps(one)[1:-1] for one in ids]}
    for row in connection.execute(_NAMED_AS_PARENTS, asked):
        if json.loads(row.body)["provenance"].get("parent_id") in ids:
            yield row.id


def _pins_of(connection: Connection, example_ids: set[str]) -> list[str]:
    rows = connection.execute(select(PinRow.id, PinRow.body))
    return [row.id for row in rows if str(row.body.get("origin", "")).removeprefix("example:") in example_ids]


def _letters_of(connection: Connection, needles: Sequence[str], example_ids: Sequence[str]) -> list[str]:
    """Return the ids of the dead letters that hold a needle or are about one of the examples."""
    found: set[str] = set()
    for ids in _chunks(example_ids):
        found.update(connection.scalars(select(DeadLetterRow.id).where(DeadLetterRow.subject.in_(ids))))
    for some in _chunks([needle for needle in needles if needle], 50):
        stored = type_coerce(DeadLetterRow.text, Text)  # as it is kept: a JSON string
        holds = or_(*(stored.contains(json.dumps(needle)[1:-1], autoescape=True) for needle in some))
        found.update(connection.scalars(select(DeadLetterRow.id).where(holds)))
    return sorted(found)


def _vacuumed(path: str) -> bool:
    connection = sqlite3.connect(path, timeout=1, isolation_level=None)
    try:
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("VACUUM")
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return False
        raise
    finally:
        connection.close()


def _chunks(ids: Sequence[str], size: int = _CHUNK) -> Iterator[Sequence[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))
