"""Error recoveries: errors inside examples and how each should have been met.

A recovery is found once (`evaluation/recoveries.py`) and written once. What reviewers say of it stands in its row with
what was found, so that a review which is taken back leaves what the rule had said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select, tuple_, update

from evaluation.ledger.collected import LabelRecord, LabelSource, RecoveryRecord, RecoveryStatus, ReviewStatus
from evaluation.ledger.database import insert_new
from evaluation.ledger.errors import LedgerError
from evaluation.ledger.labelling import agreeing, latest_of_each, settled
from evaluation.ledger.part import Part
from evaluation.ledger.schema import ExampleRow, RecoveryRow

_CHUNK = 500
_FOUND = "found"
"""Key in a body: the recovery as it was found, where reviewers have changed it."""


class Recoveries(Part):
    """The ledger's verbs for error recoveries."""

    def put_recoveries(self, recoveries: Sequence[RecoveryRecord]) -> int:
        """Write the recoveries whose id is new; return how many. Those of examples that are not there are left out."""
        ids = sorted({recovery.example_id for recovery in recoveries})
        with self._database.write() as connection:
            held: set[str] = set()
            for start in range(0, len(ids), _CHUNK):
                part = ids[start : start + _CHUNK]
                held.update(connection.scalars(select(ExampleRow.id).where(ExampleRow.id.in_(part))))
            rows = [_row(recovery) for recovery in recoveries if recovery.example_id in held]
            return insert_new(connection, RecoveryRow, RecoveryRow.id, rows)

    def recovery(self, recovery_id: str) -> RecoveryRecord:
        """Return one recovery. Raises `LedgerError` where there is none."""
        with self._database.read() as connection:
            body = connection.scalar(select(RecoveryRow.body).where(RecoveryRow.id == recovery_id))
        if body is None:
            raise LedgerError(f"No error recovery {recovery_id} in the ledger {self._database.name}.")
        return _recovery(body)

    def recoveries(
        self,
        *,
        status: RecoveryStatus | None = None,
        example_id: str | None = None,
        task_key: str | None = None,
        batch: int = 1000,
    ) -> Iterator[RecoveryRecord]:
        """Yield the recoveries that match, by time and then id. Holds nothing open between batches."""
        last: tuple[datetime, str] | None = None
        while True:
            query = select(RecoveryRow.at, RecoveryRow.id, RecoveryRow.body).where(
                *_conditions(status, example_id, task_key)
            )
            if last is not None:
                query = query.where(tuple_(RecoveryRow.at, RecoveryRow.id) > last)
            with self._database.read() as connection:
                rows = connection.execute(query.order_by(RecoveryRow.at, RecoveryRow.id).limit(batch)).all()
            yield from (_recovery(row.body) for row in rows)
            if len(rows) < batch:
                return
            last = (rows[-1].at, rows[-1].id)

    def recovery_counts(self) -> dict[tuple[RecoveryStatus, str], int]:
        """Return how many recoveries there are, by status and kind of error."""
        query = select(RecoveryRow.status, RecoveryRow.error_type, func.count())
        with self._database.read() as connection:
            rows = connection.execute(query.group_by(RecoveryRow.status, RecoveryRow.error_type)).all()
        return {(RecoveryStatus(row[0]), row[1]): int(row[2]) for row in rows}


def settle_recovery(connection: Connection, recovery_id: str, labels: Sequence[LabelRecord], needed: int) -> None:
    """Write what reviewers agree on about a recovery into its row; what was found, where they do not (yet)."""
    body = connection.scalar(select(RecoveryRow.body).where(RecoveryRow.id == recovery_id))
    if body is None:
        raise LedgerError(f"No error recovery {recovery_id} in the ledger.")
    found = RecoveryRecord.model_validate(body.get(_FOUND, body))
    now = recovery_in_force(found, labels, needed)
    row = carried_row(now, None if now == found else found)
    connection.execute(update(RecoveryRow).where(RecoveryRow.id == recovery_id).values(row))


def recovery_in_force(found: RecoveryRecord, labels: Sequence[LabelRecord], needed: int) -> RecoveryRecord:
    """Return a recovery as the reviewers who agree see it; as it was found, where they do not. Pure."""
    if settled(labels, needed) is not ReviewStatus.DONE:
        return found
    agreed = agreeing(latest_of_each(label for label in labels if label.undone_at is None), needed)
    answer = agreed[-1].recovery
    if answer is None:
        return found
    said = {"source": LabelSource.REVIEW, "confidence": min(label.confidence for label in agreed)}
    if answer.strategy is None:
        return found.model_copy(update=said | {"status": RecoveryStatus.REJECTED})
    told = {"strategy": answer.strategy, "correct_response": answer.correct_response or found.correct_response}
    return found.model_copy(update=said | told | {"status": RecoveryStatus.LABELLED})


def _conditions(
    status: RecoveryStatus | None, example_id: str | None, task_key: str | None
) -> Iterator[ColumnElement[bool]]:
    if status is not None:
        yield RecoveryRow.status == status.value
    if example_id is not None:
        yield RecoveryRow.example_id == example_id
    if task_key is not None:
        yield RecoveryRow.example_id.in_(select(ExampleRow.id).where(ExampleRow.task_key == task_key))


def found_body(body: dict[str, Any]) -> tuple[RecoveryRecord, RecoveryRecord | None]:
    """Return a row's recovery, and how it was found, where reviewers have changed it."""
    return _recovery(body), RecoveryRecord.model_validate(body[_FOUND]) if _FOUND in body else None


def carried_row(now: RecoveryRecord, found: RecoveryRecord | None) -> dict[str, Any]:
    """Return the row of a recovery, with how it was found, where reviewers have changed it."""
    return _row(now) if found is None else _row(now) | {"body": _body(now) | {_FOUND: _body(found)}}


def _recovery(body: dict[str, Any]) -> RecoveryRecord:
    return RecoveryRecord.model_validate({name: value for name, value in body.items() if name != _FOUND})


def _body(recovery: RecoveryRecord) -> dict[str, Any]:
    return recovery.model_dump(mode="json")


def _row(recovery: RecoveryRecord) -> dict[str, Any]:
    columns = recovery.model_dump(include={"id", "example_id", "error_type", "confidence", "at"})
    plain = {
        "strategy": None if recovery.strategy is None else recovery.strategy.value,
        "status": recovery.status.value,
        "source": recovery.source.value,
    }
    return columns | plain | {"body": _body(recovery)}
