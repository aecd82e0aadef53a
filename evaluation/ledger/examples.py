"""Examples: what was collected, from tests and from real usage.

An example's body is written once and never changed; the labels in force stand in columns of their own, which a label
moves in its own transaction. The id is the row's key, so that what is delivered twice is written once. An example that
was forgotten is gone, and its id is never written again. What comes under a known id and says something else goes to
the dead letters in the same transaction (`sameness.py`). The errors inside a new example are written with it, as
candidates for error recovery.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, select

from evaluation.ledger.bodies import first_mistake, read, written
from evaluation.ledger.database import new_keys
from evaluation.ledger.dead_letters import forgotten, insert_letters, require_room
from evaluation.ledger.errors import LedgerError, RowRefused
from evaluation.ledger.feedback import AHEAD, take_over
from evaluation.ledger.filters import LABELS, batch_query, by_id, conditions, few_match
from evaluation.ledger.part import Part
from evaluation.ledger.ratings import ratings
from evaluation.ledger.records import ExampleFilter
from evaluation.ledger.recoveries import add_recoveries
from evaluation.ledger.sameness import differences, different_fields, differing_letter
from evaluation.ledger.schema import ExampleRow
from evaluation.ledger.signals import add_rewards
from evaluation.records import Example

_ANY = ExampleFilter()


class Written(NamedTuple):
    """What became of a batch of examples."""

    new: int
    known: int
    """The ledger had them already, or they came twice in the batch, and they say the same."""
    forgotten: int
    """Ids that may not be written again."""
    differing: tuple[str, ...]
    """Ids that came with other content than the ledger, or the batch before it, has: the first stays, and what came
    later is among the dead letters."""
    taken_over: int
    """Feedback that had come before its example and waited for it."""


class Examples(Part):
    """The ledger's verbs for examples and feedback."""

    def add_examples(self, examples: Sequence[Example]) -> int:
        """Write the examples whose id is new, all or none; return how many those were. On disk when this returns.

        Raises what `write_examples` raises.
        """
        return self.write_examples(examples).new

    def write_examples(self, examples: Sequence[Example], *, origin: str = "ledger") -> Written:
        """Write the examples whose id is new, all or none; on disk when this returns.

        Of several with one id the first is taken; one that says something else goes to the dead letters, with
        `origin`. Feedback that waits for one of them there is written with it. Raises `RowRefused` for an example that
        no ledger takes, `LedgerAway` where the database is, `DeadLettersFull`.
        """
        with self._database.write() as connection:
            return insert_examples(connection, examples, at=self._clock(), origin=origin, name=self._database.name)

    def differences(self, examples: Sequence[Example]) -> dict[str, tuple[str, ...]]:
        """Return by id, for those of the examples whose id is known here, which fields say something else here."""
        with self._database.read() as connection:
            return differences(connection, examples)

    def example(self, example_id: str) -> Example:
        """Return one example with its mean rating. Raises `LedgerError` where there is none."""
        with self._database.read() as connection:
            row = connection.execute(by_id(example_id)).one_or_none()
            if row is None:
                raise LedgerError(f"No example {example_id} in the ledger {self._database.name}.")
            return in_force(row, ratings(connection, [example_id]))

    def examples(self, wanted: ExampleFilter = _ANY, batch: int = 1000, *, newest: bool = False) -> Iterator[Example]:
        """Yield the examples that match, by time and then id, or the `newest` first, with their mean ratings.

        Reads `batch` rows at a time and holds nothing open in between, so that a slow reader blocks nobody. Examples
        that are written meanwhile appear if their time lies after what was already yielded.
        """
        left = wanted.limit
        with self._database.read() as connection:
            few = few_match(connection, wanted)
        last: tuple[datetime, str] | None = None
        while left is None or left > 0:
            size = batch if left is None else min(batch, left)
            found, last = self._batch(wanted, last, size, few=few, newest=newest)
            yield from found
            if len(found) < size:
                return
            left = None if left is None else left - size

    def count(self, wanted: ExampleFilter = _ANY) -> int:
        """Return how many examples match (never more than the filter's limit)."""
        with self._database.read() as connection:
            total = connection.scalar(select(func.count()).select_from(ExampleRow).where(*conditions(wanted))) or 0
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

    def _batch(
        self, wanted: ExampleFilter, after: tuple[datetime, str] | None, size: int, *, few: bool, newest: bool
    ) -> tuple[list[Example], tuple[datetime, str] | None]:
        with self._database.read() as connection:
            rows = connection.execute(batch_query(wanted, after, size, few=few, newest=newest)).all()
            rated = ratings(connection, [row.id for row in rows])
        return [in_force(row, rated) for row in rows], (rows[-1].timestamp, rows[-1].id) if rows else after


def insert_examples(
    connection: Connection, examples: Sequence[Example], *, at: datetime, origin: str, name: str
) -> Written:
    """Write examples within a transaction of the ledger `name`, as `write_examples` does."""
    rows, firsts = _distinct(examples, at + AHEAD)
    gone = set(forgotten(connection, list(rows)))
    for example_id in gone:
        del rows[example_id]
    new = new_keys(connection, ExampleRow, ExampleRow.id, list(rows.values()))
    held = differences(connection, [firsts[key] for key in rows.keys() - new]) if len(new) < len(rows) else {}
    apart = [(firsts[key], fields) for key, fields in held.items() if fields]
    for one in examples:
        if one is not firsts[one.id] and one.id in rows and (fields := different_fields(one, firsts[one.id])):
            apart.append((one, fields))
    if apart:
        require_room(connection, name)
        insert_letters(connection, [differing_letter(one, fields, origin=origin, at=at) for one, fields in apart])
    taken = take_over(connection, list(rows), at) if new else 0
    add_rewards(connection, [firsts[key] for key in rows if not held.get(key)], at)
    add_recoveries(connection, [firsts[key] for key in rows if key in new])
    known = sum(one.id in rows for one in examples) - len(new) - len(apart)
    return Written(len(new), known, len(gone), tuple(one.id for one, _ in apart), taken)


def _distinct(examples: Sequence[Example], latest: datetime) -> tuple[dict[str, dict[str, Any]], dict[str, Example]]:
    """Return the first row of each id, and the example that it is of."""
    rows: dict[str, dict[str, Any]] = {}
    firsts: dict[str, Example] = {}
    for example in examples:
        if example.timestamp.astimezone(UTC) > latest:
            raise RowRefused(
                f"expected example {example.id} to be of a time up to {latest:%Y-%m-%d %H:%M} UTC (a day from now),"
                f" found {example.timestamp.isoformat()}; mend its timestamp, or this machine's clock"
            )
        if firsts.setdefault(example.id, example) is example:
            rows[example.id] = _row(example)
    return rows, firsts


def _row(example: Example) -> dict[str, Any]:
    labels, origin, metrics, body = example.labels, example.provenance, example.metrics, written(example)
    if not (math.isfinite(metrics.latency_ms) and math.isfinite(metrics.cost)):
        raise RowRefused(
            f"expected finite metrics of example {example.id}, found a latency of {metrics.latency_ms} ms and a cost of"
            f" {metrics.cost}; JSON has no such number"
        )
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
        "bytes": len(body) if body.isascii() else len(body.encode()),
        "tools_used": json.dumps(example.tools_used),
        "error_kind": example.error.partition(":")[0] if example.error else None,
        "latency_ms": example.metrics.latency_ms,
        "tokens_in": example.metrics.tokens_in,
        "tokens_out": example.metrics.tokens_out,
        "cost": example.metrics.cost,
        "body": body,
    }


def in_force(row: Row[Any], rated: dict[str, float]) -> Example:
    """Return the example that a row holds, with the labels in force and its mean rating."""
    try:
        example = read(Example, row.body)
    except ValueError as error:
        raise LedgerError(
            f"Example {row.id} cannot be read as this version of ratchet writes them ({first_mistake(error)}). It was"
            " written by another version, or its row was changed by hand."
        ) from error
    update = {name: getattr(row, name) for name in LABELS}
    if row.id in rated:
        update["user_satisfaction"] = rated[row.id]
    return example.model_copy(update={"labels": example.labels.model_copy(update=update)})
