"""Examples and what people said of them.

An example's body is written once and never changed; the labels in force stand in columns of their own, which a label
moves in its own transaction. An example that was forgotten is gone, and its id is never written again.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select, tuple_

from evaluation.ledger.database import insert_new
from evaluation.ledger.errors import LedgerError
from evaluation.ledger.part import Part
from evaluation.ledger.records import ExampleFilter
from evaluation.ledger.schema import ExampleRow, FeedbackRow, TombstoneRow
from evaluation.ledger.signals import add_rewards
from evaluation.records import Example, Feedback

_ANY = ExampleFilter()
_CHUNK = 500  # ids in one statement; drivers limit the number of parameters
_LABELS = ("success", "correct_tool_selection", "response_quality", "validation_confidence")
_READ = (ExampleRow.id, ExampleRow.timestamp, ExampleRow.body, *(getattr(ExampleRow, name) for name in _LABELS))


class Examples(Part):
    """The ledger's verbs for examples and feedback."""

    def add_examples(self, examples: Sequence[Example]) -> int:
        """Write the examples whose id is new, all or none; return how many those were. On disk when this returns."""
        rows = {example.id: _row(example) for example in reversed(examples)}
        with self._database.write() as connection:
            for example_id in _forgotten(connection, list(rows)):
                del rows[example_id]
            new = insert_new(connection, ExampleRow, ExampleRow.id, list(rows.values()))
            add_rewards(connection, [example for example in examples if example.id in rows], self._clock())
            return new

    def example(self, example_id: str) -> Example:
        """Return one example with its mean rating. Raises `LedgerError` where there is none."""
        with self._database.read() as connection:
            row = connection.execute(select(*_READ).where(ExampleRow.id == example_id)).one_or_none()
            if row is None:
                raise LedgerError(f"No example {example_id} in the ledger {self._database.name}.")
            return _in_force(row, _ratings(connection, [example_id]))

    def examples(self, wanted: ExampleFilter = _ANY, batch: int = 1000) -> Iterator[Example]:
        """Yield the examples that match, by time and then id, with their mean ratings.

        Reads `batch` rows at a time and holds nothing open in between, so that a slow reader blocks nobody. Examples
        that are written meanwhile appear if their time lies after what was already yielded.
        """
        left = wanted.limit
        last: tuple[datetime, str] | None = None
        while left is None or left > 0:
            size = batch if left is None else min(batch, left)
            found, last = self._batch(wanted, last, size)
            yield from found
            if len(found) < size:
                return
            left = None if left is None else left - size

    def count(self, wanted: ExampleFilter = _ANY) -> int:
        """Return how many examples match (never more than the filter's limit)."""
        with self._database.read() as connection:
            total = connection.scalar(select(func.count()).select_from(ExampleRow).where(*_conditions(wanted))) or 0
        return total if wanted.limit is None else min(total, wanted.limit)

    def example_ids(self, run_id: str) -> set[str]:
        """Return the ids of a run's examples: what a run that starts again need not do again."""
        with self._database.read() as connection:
            return set(connection.scalars(select(ExampleRow.id).where(ExampleRow.run_id == run_id)))

    def run_ids(self, beginning: str = "") -> tuple[str, ...]:
        """Return the ids, beginning so, of the runs that the ledger has examples of, in order."""
        query = select(ExampleRow.run_id).where(ExampleRow.run_id.startswith(beginning, autoescape=True)).distinct()
        with self._database.read() as connection:
            return tuple(sorted(run_id for run_id in connection.scalars(query) if run_id is not None))

    def model_versions(self) -> tuple[str, ...]:
        """Return the versions that examples are of, by name. Looks at every example."""
        query = select(ExampleRow.model_version).where(ExampleRow.model_version.is_not(None)).distinct()
        with self._database.read() as connection:
            return tuple(sorted(version for version in connection.scalars(query) if version is not None))

    def add_feedback(self, feedback: Feedback) -> bool:
        """Write the feedback; return False where its id is known already.

        Raises `LedgerError` where the ledger does not hold the example that it is about.
        """
        row = {
            "id": feedback.id,
            "example_id": feedback.example_id,
            "rater": feedback.rater,
            "rating": feedback.rating,
            "timestamp": feedback.timestamp,
            "body": feedback.model_dump(mode="json"),
        }
        with self._database.write() as connection:
            if connection.scalar(select(ExampleRow.id).where(ExampleRow.id == feedback.example_id)) is None:
                raise LedgerError(
                    f"Feedback {feedback.id} is about example {feedback.example_id}, which the ledger does not hold. "
                    "Give the id of a captured example."
                )
            return insert_new(connection, FeedbackRow, FeedbackRow.id, [row]) == 1

    def feedback_for(self, example_id: str) -> tuple[Feedback, ...]:
        """Return what was said of one example, the earliest first."""
        return self.feedback_by_example([example_id]).get(example_id, ())

    def feedback_by_example(self, example_ids: Sequence[str]) -> dict[str, tuple[Feedback, ...]]:
        """Return what was said of several examples, the earliest first; examples without feedback are left out."""
        found: dict[str, list[Feedback]] = defaultdict(list)
        with self._database.read() as connection:
            for ids in _chunks(example_ids):
                query = select(FeedbackRow.body).where(FeedbackRow.example_id.in_(ids))
                for body in connection.scalars(query.order_by(FeedbackRow.timestamp, FeedbackRow.id)):
                    feedback = Feedback.model_validate(body)
                    found[feedback.example_id].append(feedback)
        return {example_id: tuple(said) for example_id, said in found.items()}

    def _batch(
        self, wanted: ExampleFilter, after: tuple[datetime, str] | None, size: int
    ) -> tuple[list[Example], tuple[datetime, str] | None]:
        with self._database.read() as connection:
            rows = connection.execute(batch_query(wanted, after, size)).all()
            ratings = _ratings(connection, [row.id for row in rows])
        return [_in_force(row, ratings) for row in rows], (rows[-1].timestamp, rows[-1].id) if rows else after


def batch_query(wanted: ExampleFilter, after: tuple[datetime, str] | None, size: int) -> Select[Any]:
    """Return the query for the next `size` matching rows after that time and id."""
    query = select(*_READ).where(*_conditions(wanted))
    if after is not None:
        query = query.where(tuple_(ExampleRow.timestamp, ExampleRow.id) > after)
    return query.order_by(ExampleRow.timestamp, ExampleRow.id).limit(size)


def _conditions(wanted: ExampleFilter) -> Iterator[ColumnElement[bool]]:
    equal = {
        ExampleRow.task_key: wanted.task_key,
        ExampleRow.model_version: wanted.model_version,
        ExampleRow.variant: wanted.variant,
        ExampleRow.stage: wanted.stage,
    }
    yield from (column == value for column, value in equal.items() if value is not None)
    among = {ExampleRow.source: wanted.sources, ExampleRow.run_id: wanted.run_ids, ExampleRow.part: wanted.parts}
    yield from (column.in_(values) for column, values in among.items() if values is not None)
    least = {
        ExampleRow.timestamp: wanted.since,
        ExampleRow.validation_confidence: wanted.min_confidence,
        ExampleRow.response_quality: wanted.min_quality,
    }
    yield from (column >= value for column, value in least.items() if value is not None)
    if wanted.success is not None:
        yield ExampleRow.success.is_(wanted.success)


def _row(example: Example) -> dict[str, Any]:
    labels, origin, body = example.labels, example.provenance, example.model_dump(mode="json")
    return {
        "id": example.id,
        "task_key": example.task_key,
        "timestamp": example.timestamp,
        "source": origin.source.value,
        "run_id": origin.run_id,
        "scenario_id": origin.scenario_id,
        "scenario_group": origin.scenario_group,
        "part": origin.part,
        "model_version": origin.model_version,
        "variant": origin.variant,
        "stage": origin.stage,
        "user_hash": example.user_hash,
        "conversation": example.conversation,
        "success": labels.success,
        "correct_tool_selection": labels.correct_tool_selection,
        "response_quality": labels.response_quality,
        "validation_confidence": labels.validation_confidence,
        "reward": None if example.reward is None else example.reward.value,
        "bytes": bytes_of(body),
        "body": body,
    }


def bytes_of(body: Mapping[str, Any]) -> int:
    """Return the size of a body as JSON in UTF-8."""
    return len(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))


def _in_force(row: Row[Any], ratings: dict[str, float]) -> Example:
    """Return the example that a row holds, with the labels in force and its mean rating."""
    example = Example.model_validate(row.body)
    update = {name: getattr(row, name) for name in _LABELS}
    if row.id in ratings:
        update["user_satisfaction"] = ratings[row.id]
    return example.model_copy(update={"labels": example.labels.model_copy(update=update)})


def _ratings(connection: Connection, example_ids: Sequence[str]) -> dict[str, float]:
    """Return the mean rating of examples that have one; each rater's latest counts."""
    means: dict[str, float] = {}
    for ids in _chunks(example_ids):
        latest = (
            func.row_number()
            .over(
                partition_by=(FeedbackRow.example_id, FeedbackRow.rater),
                order_by=(FeedbackRow.timestamp.desc(), FeedbackRow.id.desc()),
            )
            .label("latest")
        )
        said = select(FeedbackRow.example_id, FeedbackRow.rating, latest).where(FeedbackRow.example_id.in_(ids))
        each = said.subquery()
        query = select(each.c.example_id, func.avg(each.c.rating)).where(each.c.latest == 1)
        means.update((key, float(mean)) for key, mean in connection.execute(query.group_by(each.c.example_id)))
    return means


def _forgotten(connection: Connection, example_ids: Sequence[str]) -> list[str]:
    """Return those of the ids that may not be written again."""
    return [
        found
        for ids in _chunks(example_ids)
        for found in connection.scalars(select(TombstoneRow.id).where(TombstoneRow.id.in_(ids)))
    ]


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))
