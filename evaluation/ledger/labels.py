"""Labels: what reviewers and rules say of examples, beside the bodies that never change.

A label and the columns of its example that are in force with it (`labelling.py`) are written in one transaction, and so
is a rating with the quality that follows from it; taking a label back moves the columns back to what the other labels
and the body say. Two writers of one example wait for each other, so that neither leaves columns that know only its own
label.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from evaluation.ledger.collected import LabelRecord, ReviewKind
from evaluation.ledger.database import insert_new
from evaluation.ledger.errors import LedgerError
from evaluation.ledger.labelling import in_force, taken_over
from evaluation.ledger.part import Part
from evaluation.ledger.ratings import ratings
from evaluation.ledger.schema import ExampleRow, LabelRow, ReviewRow
from evaluation.records import Labels

_CHUNK = 500
_READ = (LabelRow.body, LabelRow.undone_at)


class Labelling(Part):
    """The ledger's verbs for labels."""

    def add_label(self, label: LabelRecord) -> bool:
        """Write a label, and the columns that are in force with it; return False where its id is known already.

        Raises `LedgerError` where the ledger does not hold the example that it is about.
        """
        return self.add_labels([label]) == 1

    def add_labels(self, labels: Sequence[LabelRecord]) -> int:
        """Write labels, all or none; return how many were new. Raises `LedgerError` as `add_label` does."""
        with self._database.write() as connection:
            return write_labels(connection, labels)

    def undo_label(self, label_id: str) -> LabelRecord:
        """Take a label back; return it. It is kept, and counts for nothing. Raises `LedgerError` where there is none.

        A label that answers a review is taken back by `undo_review`, which opens the review again.
        """
        with self._database.write() as connection:
            found = read_labels(connection, LabelRow.id == label_id)
            if not found:
                raise LedgerError(f"No label {label_id} in the ledger {self._database.name}.")
            if found[0].review_id is not None:
                raise LedgerError(f"Label {label_id} answers review {found[0].review_id}; take back the answer there.")
            return undo(connection, found[0], self._clock())

    def labels(self, example_id: str) -> tuple[LabelRecord, ...]:
        """Return all that was ever said of one example, the earliest first; what was undone is among it."""
        return self.labels_by_example([example_id]).get(example_id, ())

    def labels_by_example(self, example_ids: Sequence[str]) -> dict[str, tuple[LabelRecord, ...]]:
        """Return what was said of several examples, the earliest first; those without labels are left out."""
        with self._database.read() as connection:
            return by_example(connection, example_ids)


def write_labels(connection: Connection, labels: Sequence[LabelRecord]) -> int:
    """Insert the labels that are new and bring their examples' columns up to date; return how many those were."""
    ids = sorted({label.example_id for label in labels})
    lock_examples(connection, ids)
    new = insert_new(connection, LabelRow, LabelRow.id, [label_row(label) for label in labels])
    settle(connection, ids)
    return new


def lock_examples(connection: Connection, example_ids: Sequence[str]) -> None:
    """Hold other writers of these examples' labels and ratings off until the end.

    Raises `LedgerError` where one is missing.
    """
    for start in range(0, len(example_ids), _CHUNK):
        ids = example_ids[start : start + _CHUNK]
        query = (
            select(ExampleRow.id).where(ExampleRow.id.in_(ids)).order_by(ExampleRow.id).with_for_update(key_share=True)
        )
        if missing := set(ids) - set(connection.scalars(query)):
            raise LedgerError(
                f"Labels are about example {min(missing)}, which the ledger does not hold. Give the id of an example."
            )


def undo(connection: Connection, label: LabelRecord, at: datetime) -> LabelRecord:
    """Mark a label, and what was taken over from it, as undone; bring the examples' columns up to date; return it."""
    weak = read_labels(connection, LabelRow.by == taken_over(label.id), LabelRow.undone_at.is_(None))
    ids = sorted({label.example_id, *(one.example_id for one in weak)})
    lock_examples(connection, ids)
    for one in (label, *weak):
        row = update(LabelRow).where(LabelRow.id == one.id, LabelRow.undone_at.is_(None))
        connection.execute(row.values(undone_at=at))
    settle(connection, ids)
    return label if label.undone_at is not None else label.model_copy(update={"undone_at": at})


def settle(connection: Connection, example_ids: Sequence[str]) -> None:
    """Write the labels in force of these examples into their columns."""
    said = by_example(connection, example_ids)
    for start in range(0, len(example_ids), _CHUNK):
        ids = example_ids[start : start + _CHUNK]
        needed, rated = _needed(connection, ids), ratings(connection, ids)
        # The whole body: PostgreSQL cannot look inside JSON that holds a NUL, which a model may emit.
        bodies = connection.execute(select(ExampleRow.id, ExampleRow.body).where(ExampleRow.id.in_(ids)))
        for example_id, body in bodies.all():
            found = in_force(
                Labels.model_validate(body["labels"]),
                said.get(example_id, ()),
                needed.get(example_id, 1),
                rated.get(example_id),
            )
            columns = found.model_dump(exclude={"user_satisfaction"})
            connection.execute(update(ExampleRow).where(ExampleRow.id == example_id).values(columns))


def read_labels(connection: Connection, *conditions: Any) -> list[LabelRecord]:
    """Return the labels that match, the earliest first."""
    query = select(*_READ).where(*conditions).order_by(LabelRow.at, LabelRow.id)
    return [_label(row) for row in connection.execute(query)]


def _needed(connection: Connection, example_ids: Iterable[str]) -> dict[str, int]:
    """Return how many people have to agree on each example that was ever in a queue."""
    asked = (ReviewRow.example_id.in_(list(example_ids)), ReviewRow.kind == ReviewKind.EXAMPLE.value)
    query = select(ReviewRow.example_id, func.max(ReviewRow.needed)).where(*asked).group_by(ReviewRow.example_id)
    return {example_id: int(needed) for example_id, needed in connection.execute(query)}


def by_example(connection: Connection, example_ids: Sequence[str]) -> dict[str, tuple[LabelRecord, ...]]:
    """Return what was said of several examples, the earliest first; those without labels are left out."""
    found: dict[str, list[LabelRecord]] = defaultdict(list)
    for start in range(0, len(example_ids), _CHUNK):
        for label in read_labels(connection, LabelRow.example_id.in_(example_ids[start : start + _CHUNK])):
            found[label.example_id].append(label)
    return {example_id: tuple(labels) for example_id, labels in found.items()}


def _label(row: Row[Any]) -> LabelRecord:
    return LabelRecord.model_validate(row.body | {"undone_at": row.undone_at})


def label_row(label: LabelRecord) -> dict[str, Any]:
    """Return the row of a label."""
    plain = {"source": label.source.value, "verdict": label.verdict.value}
    columns = label.model_dump(include={"id", "example_id", "by", "confidence", "at", "undone_at", "review_id"})
    return columns | plain | {"body": label.model_dump(mode="json", exclude={"undone_at"})}
