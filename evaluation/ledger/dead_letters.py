"""What could not be written where it belongs: kept with its reason and origin, until it is replayed or dropped.

Decisions: a letter is open until `replayed_at` says when it was written after all; it is kept then, as its own trace.
One that comes again while it is open counts its tries. Bounded: a ledger that holds `LIMIT` open letters takes no
further ones (`DeadLettersFull`), which callers meet as they meet a ledger that is away.

Not covered: on PostgreSQL, feedback that arrives in the very moment in which its example does may stay here beside it;
`ratchet data replay` writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, select, update

from evaluation.ledger.collected import DeadLetter
from evaluation.ledger.database import insert_new
from evaluation.ledger.errors import LedgerAway, LedgerError
from evaluation.ledger.part import Part, chunks, read_record
from evaluation.ledger.schema import DeadLetterRow, TombstoneRow

LIMIT = 100_000
"""Most open letters of a ledger."""

# Made once: every write of examples asks both; of one example without the work that a list of ids takes.
_FORGOTTEN = select(TombstoneRow.id)
_FORGOTTEN_ONE = _FORGOTTEN.where(TombstoneRow.id == bindparam("one"))
_FORGOTTEN = _FORGOTTEN.where(TombstoneRow.id.in_(bindparam("ids", expanding=True)))
_WAITING = (
    select(*DeadLetterRow.__table__.c)
    .where(DeadLetterRow.kind == "feedback", DeadLetterRow.replayed_at.is_(None))
    .order_by(DeadLetterRow.id)
)
_WAITING_ONE = _WAITING.where(DeadLetterRow.subject == bindparam("one"))
_WAITING = _WAITING.where(DeadLetterRow.subject.in_(bindparam("ids", expanding=True)))


class LetterKind(StrEnum):
    """What a dead letter was to become."""

    EXAMPLE = "example"
    FEEDBACK = "feedback"


class DeadLettersFull(LedgerAway):
    """As many letters are open as a ledger may hold."""


class DeadLetters(Part):
    """The ledger's verbs for what could not be written."""

    def keep_aside(self, letters: Sequence[DeadLetter]) -> int:
        """Keep letters; return how many were new. One that is open already counts one more try, with the new reason.

        Raises `DeadLettersFull`.
        """
        with self._database.write() as connection:
            if letters:
                require_room(connection, self._database.name)
            return insert_letters(connection, letters)

    def dead_letters(
        self, *, kind: str | None = None, open_only: bool = True, after: DeadLetter | None = None, limit: int = 1000
    ) -> tuple[DeadLetter, ...]:
        """Return letters, the oldest first, at most `limit` of those that come `after` one."""
        query = select(*DeadLetterRow.__table__.c)
        if open_only:
            query = query.where(DeadLetterRow.replayed_at.is_(None))
        if kind is not None:
            query = query.where(DeadLetterRow.kind == kind)
        if after is not None:
            later = (DeadLetterRow.at > after.at) | ((DeadLetterRow.at == after.at) & (DeadLetterRow.id > after.id))
            query = query.where(DeadLetterRow.at >= after.at, later)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(DeadLetterRow.at, DeadLetterRow.id).limit(limit))
            return tuple(read_record(DeadLetter, row) for row in rows)

    def dead_letter(self, letter_id: str) -> DeadLetter:
        """Return one letter by its id, or the beginning of it. Raises `LedgerError` where that names none, or many."""
        query = select(*DeadLetterRow.__table__.c).where(DeadLetterRow.id.startswith(letter_id, autoescape=True))
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(DeadLetterRow.id).limit(2)).all()
        exact = [row for row in rows if row.id == letter_id] or rows
        if len(exact) != 1 or not letter_id:
            raise LedgerError(
                f"expected the id of one dead letter, or the beginning of it, found {letter_id!r}, which names"
                f" {'several' if exact else 'none'}; `ratchet data dead-letters` has them"
            )
        return read_record(DeadLetter, exact[0])

    def dead_letter_counts(self) -> dict[str, int]:
        """Return how many letters are open, by kind."""
        query = select(DeadLetterRow.kind, func.count()).where(DeadLetterRow.replayed_at.is_(None))
        with self._database.read() as connection:
            return dict(connection.execute(query.group_by(DeadLetterRow.kind)).all())

    def close_dead_letters(self, letter_ids: Sequence[str]) -> None:
        """Say that these letters were written after all."""
        with self._database.write() as connection:
            mark_replayed(connection, letter_ids, self._clock())

    def drop_dead_letters(self, letter_ids: Sequence[str]) -> int:
        """Delete letters for good; return how many those were."""
        with self._database.write() as connection:
            return sum(
                connection.execute(delete(DeadLetterRow).where(DeadLetterRow.id.in_(ids))).rowcount
                for ids in chunks(letter_ids)
            )


def insert_letters(connection: Connection, letters: Sequence[DeadLetter]) -> int:
    """Keep letters within a transaction; return how many were new."""
    rows: dict[str, dict[str, Any]] = {letter.id: letter.model_dump() for letter in letters}
    known = [
        found
        for ids in chunks(list(rows))
        for found in connection.scalars(select(DeadLetterRow.id).where(DeadLetterRow.id.in_(ids)))
    ]
    for name in known:
        again = rows.pop(name)
        connection.execute(
            update(DeadLetterRow)
            .where(DeadLetterRow.id == name, DeadLetterRow.replayed_at.is_(None))
            .values(tries=DeadLetterRow.tries + 1, reason=again["reason"])
        )
    return insert_new(connection, DeadLetterRow, DeadLetterRow.id, list(rows.values()))


def require_room(connection: Connection, name: str) -> None:
    """Raise `DeadLettersFull` where no further letter may be kept."""
    query = select(DeadLetterRow.id).where(DeadLetterRow.replayed_at.is_(None)).limit(1).offset(LIMIT - 1)
    if connection.scalar(query) is not None:
        raise DeadLettersFull(
            f"The ledger {name} holds {LIMIT} open dead letters, which is as many as it may: look at them with"
            " `ratchet data dead-letters`, then replay or drop them."
        )


def waiting_feedback(connection: Connection, example_ids: Sequence[str]) -> list[DeadLetter]:
    """Return open letters of feedback about these examples, as far as they can be read."""
    return [
        read_record(DeadLetter, row)
        for ids in chunks(example_ids)
        for row in _asked(connection, _WAITING_ONE, _WAITING, ids)
    ]


def mark_replayed(connection: Connection, letter_ids: Sequence[str], at: datetime) -> None:
    """Say within a transaction that these letters were written."""
    for ids in chunks(letter_ids):
        connection.execute(update(DeadLetterRow).where(DeadLetterRow.id.in_(ids)).values(replayed_at=at))


def forgotten(connection: Connection, row_ids: Sequence[str]) -> list[str]:
    """Return those of the ids that may not be written again."""
    asked = (_asked(connection, _FORGOTTEN_ONE, _FORGOTTEN, ids) for ids in chunks(row_ids))
    return [row.id for rows in asked for row in rows]


def _asked(connection: Connection, one: Select[Any], several: Select[Any], ids: Sequence[str]) -> Iterable[Row[Any]]:
    return (
        connection.execute(one, {"one": ids[0]}) if len(ids) == 1 else connection.execute(several, {"ids": list(ids)})
    )
