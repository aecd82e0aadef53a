"""Error recoveries: errors inside examples and how each should have been met.

Decisions: a recovery is found once (`evaluation/recoveries.py`) and written once, in the transaction that writes its
example. One whose way nothing shows is put into the queue `recoveries` when somebody next looks at queues, since how
many have to agree is the reviewers' setting and not the collector's. What reviewers say of a recovery stands in its row
with what was found, so that a review which is taken back leaves what the rule had said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, func, select, tuple_, update

from evaluation.ledger.collected import (
    LabelRecord,
    LabelSource,
    RecoveryRecord,
    RecoveryStatus,
    ReviewItem,
    ReviewKind,
    ReviewStatus,
)
from evaluation.ledger.database import insert_new
from evaluation.ledger.errors import LedgerError
from evaluation.ledger.labelling import agreeing, latest_of_each, settled
from evaluation.ledger.part import Part
from evaluation.ledger.schema import ExampleRow, RecoveryRow, ReviewRow
from evaluation.records import Example, FailureKind

RECOVERIES = "recoveries"
"""Name of the queue in which errors wait whose recovery nothing shows."""
_URGENCY = {FailureKind.INVALID_ARGUMENTS: 0.0, FailureKind.MALFORMED_OUTPUT: 1.0, FailureKind.UNKNOWN_TOOL: 2.0}
"""The model's own errors are asked about before those of tools: more can be learned from them."""
_CHUNK = 500
_FOUND = "found"
"""Key in a body: the recovery as it was found, where reviewers have changed it."""


class Recoveries(Part):
    """The ledger's verbs for error recoveries."""

    def put_recoveries(self, recoveries: Sequence[RecoveryRecord]) -> int:
        """Write the recoveries whose id is new; return how many. Those of examples that are not there are left out."""
        with self._database.write() as connection:
            rows = [_row(recovery) for recovery in _held(connection, recoveries)]
            return insert_new(connection, RecoveryRow, RecoveryRow.id, rows)

    def queue_recoveries(self, needed: int = 1) -> int:
        """Queue for review the recoveries whose way is not known, each once; return how many were new.

        `needed`: reviewers that have to agree.
        """
        asked = exists().where(ReviewRow.id == RecoveryRow.id)
        query = select(RecoveryRow.body).where(RecoveryRow.status == RecoveryStatus.QUEUED.value, ~asked)
        with self._database.read() as connection:
            waiting = [_recovery(body) for body in connection.scalars(query)]
        if not waiting:
            return 0
        now = self._clock()
        with self._database.write() as connection:  # a write of nothing would still wait for other writers
            rows = [_item(one, needed, now) for one in _held(connection, waiting)]
            return insert_new(connection, ReviewRow, ReviewRow.id, rows)

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


def add_recoveries(connection: Connection, examples: Sequence[Example]) -> None:
    """Write the errors inside examples that are new, in their own transaction."""
    from evaluation.recoveries import recoveries_of  # here, since it is made of this package's nouns

    rows = [_row(recovery) for example in examples for recovery in recoveries_of(example)]
    insert_new(connection, RecoveryRow, RecoveryRow.id, rows)


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


def _held(connection: Connection, recoveries: Sequence[RecoveryRecord]) -> list[RecoveryRecord]:
    """Return those whose example the ledger holds."""
    ids = sorted({recovery.example_id for recovery in recoveries})
    held: set[str] = set()
    for start in range(0, len(ids), _CHUNK):
        held.update(connection.scalars(select(ExampleRow.id).where(ExampleRow.id.in_(ids[start : start + _CHUNK]))))
    return [recovery for recovery in recoveries if recovery.example_id in held]


def _item(recovery: RecoveryRecord, needed: int, at: datetime) -> dict[str, Any]:
    item = ReviewItem(
        id=recovery.id,
        queue=RECOVERIES,
        example_id=recovery.example_id,
        kind=ReviewKind.RECOVERY,
        priority=_URGENCY.get(FailureKind(recovery.error_type), 3.0),
        reason=f"{recovery.error_type}: nothing in the example shows how it should have been met",
        needed=needed,
        enqueued_at=at,
    )
    return item.model_dump() | {"kind": item.kind.value, "status": item.status.value}


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
