"""Whole examples in batches, as they stand in the table, for those who read all of a ledger and parse elsewhere.

Decisions: bodies stay JSON texts, so that one reader keeps many parsers busy; feedback, labels and recoveries are read
beside them where they are asked for. Between batches nothing is held open.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import Connection, Select, Text, cast, select

from evaluation.ledger.filters import batch_query, few_match
from evaluation.ledger.part import Part
from evaluation.ledger.ratings import ratings
from evaluation.ledger.records import ExampleFilter
from evaluation.ledger.schema import ExampleRow, FeedbackRow, LabelRow, RecoveryRow

_CHUNK = 500  # ids in one statement; drivers limit the number of parameters

Beside = Literal["feedback", "labels", "recoveries"]


class WholeRow(NamedTuple):
    """One example with the labels in force and what was said of it."""

    id: str
    body: str
    """The example as JSON."""
    success: bool | None
    correct_tool_selection: bool | None
    response_quality: float | None
    validation_confidence: float
    reward: float | None
    """The newest one."""
    rating: float | None
    """People's mean rating; each rater's latest counts."""
    feedback: str | None
    """JSON list, the earliest first; None where there is none or it is not asked for."""
    labels: str | None
    """Likewise, without those that were taken back."""
    recoveries: str | None


class Reading(Part):
    """The ledger's verb for reading all of it."""

    def whole_rows(
        self, wanted: ExampleFilter, beside: frozenset[str] = frozenset(), batch: int = 500
    ) -> Iterator[list[WholeRow]]:
        """Yield the examples that match, by time and then id, in lists of at most `batch`, and what is `beside`."""
        left = wanted.limit
        last: tuple[datetime, str] | None = None
        few: bool | None = None
        while left is None or left > 0:
            size = batch if left is None else min(batch, left)
            with self._database.read() as connection:
                few = few_match(connection, wanted) if few is None else few
                query = batch_query(wanted, last, size, few=few).add_columns(ExampleRow.reward)
                rows = connection.execute(query).all()
                ids = [row.id for row in rows]
                rated = ratings(connection, ids)
                said = {name: _beside(connection, name, ids) for name in sorted(beside)}
            if rows:
                yield [
                    WholeRow(
                        row.id,
                        row.body,
                        row.success,
                        row.correct_tool_selection,
                        row.response_quality,
                        row.validation_confidence,
                        row.reward,
                        rated.get(row.id),
                        *(said.get(name, {}).get(row.id) for name in ("feedback", "labels", "recoveries")),
                    )
                    for row in rows
                ]
                last = (rows[-1].timestamp, rows[-1].id)
            if len(rows) < size:
                return
            left = None if left is None else left - size


def _beside(connection: Connection, what: str, ids: Sequence[str]) -> dict[str, str]:
    """Return what was said of the examples, each as a JSON list."""
    found: dict[str, list[str]] = defaultdict(list)
    for chunk in _chunks(ids):
        for example_id, body in connection.execute(_said(what, chunk)):
            found[example_id].append(body)
    return {example_id: f"[{','.join(bodies)}]" for example_id, bodies in found.items()}


def _said(what: str, ids: Sequence[str]) -> Select[str, str]:
    if what == "feedback":
        query = select(FeedbackRow.example_id, cast(FeedbackRow.body, Text)).where(FeedbackRow.example_id.in_(ids))
        return query.order_by(FeedbackRow.timestamp, FeedbackRow.id)
    if what == "labels":
        query = select(LabelRow.example_id, cast(LabelRow.body, Text)).where(LabelRow.example_id.in_(ids))
        return query.where(LabelRow.undone_at.is_(None)).order_by(LabelRow.at, LabelRow.id)
    query = select(RecoveryRow.example_id, cast(RecoveryRow.body, Text)).where(RecoveryRow.example_id.in_(ids))
    return query.order_by(RecoveryRow.at, RecoveryRow.id)


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))
