"""What people said of examples.

Several raters per example; of several by one rater the latest counts, and the others are kept. Feedback about an
example that is not there (yet) is kept among the dead letters (`take_feedback`) or refused (`add_feedback`); about one
that was forgotten it is not kept at all. The quality that is in force with a rating (`labelling.py`) is written in the
rating's own transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Text, cast, select

from evaluation.ledger.bodies import read, written
from evaluation.ledger.collected import DeadLetter
from evaluation.ledger.database import insert_new
from evaluation.ledger.dead_letters import (
    LetterKind,
    forgotten,
    insert_letters,
    mark_replayed,
    require_room,
    waiting_feedback,
)
from evaluation.ledger.errors import LedgerError, RowRefused
from evaluation.ledger.labels import lock_examples, settle
from evaluation.ledger.part import Part, chunks
from evaluation.ledger.schema import ExampleRow, FeedbackRow
from evaluation.records import Feedback

AHEAD = timedelta(days=1)
"""How far ahead of this machine's clock a row may lie: clocks and zones differ, but not by more."""


class FeedbackWritten(NamedTuple):
    """What became of a batch of feedback."""

    new: int
    known: int
    """Ids that the ledger had already."""
    aside: int
    """About examples that the ledger does not hold: kept among the dead letters."""
    forgotten: int
    """About examples that were forgotten: not kept."""


class Feedbacks(Part):
    """The ledger's verbs for feedback."""

    def add_feedback(self, feedback: Feedback) -> bool:
        """Write the feedback; return False where its id is known already, or it or its example was forgotten.

        Raises `LedgerError` where the ledger does not hold the example that it is about, `RowRefused` for feedback that
        no ledger takes.
        """
        row = feedback_row(feedback, self._clock() + AHEAD)
        with self._database.write() as connection:
            if forgotten(connection, [feedback.id, feedback.example_id]):
                return False
            if not known_examples(connection, [feedback.example_id]):
                raise LedgerError(
                    f"Feedback {feedback.id} is about example {feedback.example_id}, which the ledger does not hold. "
                    "Give the id of a captured example."
                )
            return insert_feedback(connection, [row]) == 1

    def take_feedback(self, given: Sequence[Feedback], *, origin: str) -> FeedbackWritten:
        """Write the feedback, all or none; what is about an unknown example goes to the dead letters, with `origin`.

        Raises `RowRefused` for feedback that no ledger takes, `LedgerAway` where the database is.
        """
        latest = self._clock() + AHEAD
        rows = {one.id: (one, feedback_row(one, latest)) for one in reversed(given)}
        about = list({one.example_id for one, _ in rows.values()})
        with self._database.write() as connection:
            gone = set(forgotten(connection, [*rows, *about]))
            kept = {name: pair for name, pair in rows.items() if not gone & {name, pair[0].example_id}}
            there = known_examples(connection, about)
            orphans = [one for one, _ in kept.values() if one.example_id not in there]
            if orphans:
                require_room(connection, self._database.name)
            insert_letters(connection, [orphan(one, origin, self._clock()) for one in orphans])
            found = [row for one, row in kept.values() if one.example_id in there]
            new = insert_feedback(connection, found)
        return FeedbackWritten(new, len(found) - new + len(given) - len(rows), len(orphans), len(rows) - len(kept))

    def feedback_for(self, example_id: str) -> tuple[Feedback, ...]:
        """Return what was said of one example, the earliest first."""
        return self.feedback_by_example([example_id]).get(example_id, ())

    def feedback_by_example(self, example_ids: Sequence[str]) -> dict[str, tuple[Feedback, ...]]:
        """Return what was said of several examples, the earliest first; examples without feedback are left out."""
        found: dict[str, list[Feedback]] = defaultdict(list)
        with self._database.read() as connection:
            for ids in chunks(example_ids):
                query = select(cast(FeedbackRow.body, Text)).where(FeedbackRow.example_id.in_(ids))
                for body in connection.scalars(query.order_by(FeedbackRow.timestamp, FeedbackRow.id)):
                    feedback = read(Feedback, body)
                    found[feedback.example_id].append(feedback)
        return {example_id: tuple(said) for example_id, said in found.items()}


def orphan(feedback: Feedback, origin: str, at: datetime) -> DeadLetter:
    """Return feedback without an example as a dead letter."""
    return DeadLetter(
        id=f"{LetterKind.FEEDBACK}:{feedback.id}",
        kind=LetterKind.FEEDBACK,
        origin=origin,
        subject=feedback.example_id,
        reason=f"example {feedback.example_id} is not in the ledger (yet)",
        text=written(feedback),
        at=at,
    )


def take_over(connection: Connection, example_ids: Sequence[str], at: datetime) -> int:
    """Write feedback that waits among the dead letters for one of these examples, which are there now; return how
    many that was. For the transaction that wrote them.
    """
    latest = at + AHEAD
    waiting = waiting_feedback(connection, example_ids)
    rows = [feedback_row(read(Feedback, letter.text), latest) for letter in waiting]
    mark_replayed(connection, [letter.id for letter in waiting], at)
    return insert_feedback(connection, rows)


def insert_feedback(connection: Connection, rows: Sequence[dict[str, Any]]) -> int:
    """Write feedback that is new about examples that are there, and the labels in force with it; return how many."""
    if not rows:
        return 0
    ids = sorted({row["example_id"] for row in rows})
    lock_examples(connection, ids)
    new = insert_new(connection, FeedbackRow, FeedbackRow.id, rows)
    if new:
        settle(connection, ids)
    return new


def feedback_row(feedback: Feedback, latest: datetime) -> dict[str, Any]:
    """Return the row of some feedback. Raises `RowRefused` where it is of a time after `latest`."""
    if feedback.timestamp.astimezone(UTC) > latest:
        raise RowRefused(
            f"expected feedback {feedback.id} to be of a time up to {latest:%Y-%m-%d %H:%M} UTC (a day from now), found"
            f" {feedback.timestamp.isoformat()}; mend its timestamp, or this machine's clock"
        )
    return {
        "id": feedback.id,
        "example_id": feedback.example_id,
        "rater": feedback.rater,
        "rating": feedback.rating,
        "timestamp": feedback.timestamp,
        "body": written(feedback),
    }


def known_examples(connection: Connection, example_ids: Sequence[str]) -> set[str]:
    """Return those of the ids that the ledger has examples of."""
    return {
        found
        for ids in chunks(example_ids)
        for found in connection.scalars(select(ExampleRow.id).where(ExampleRow.id.in_(ids)))
    }
