"""The ledger as Arrow batches, read by one reader in order, on this machine or as a Ray Data source.

Decisions: a batch holds bodies as JSON texts; who parses them is up to the stage behind. The Ray source is one read
task: a SQLite file has one reader, and so batches come in the ledger's order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from evaluation.ledger import ExampleFilter, Ledger
from evaluation.ledger.bodies import read
from evaluation.ledger.collected import LabelRecord, RecoveryRecord
from evaluation.ledger.reading import WholeRow
from evaluation.records import Example, Feedback
from training.prepare.kinds.base import Item

ROWS = 256
"""Rows of one batch."""
LEDGER = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("body", pa.large_string()),
        pa.field("success", pa.bool_()),
        pa.field("correct_tool_selection", pa.bool_()),
        pa.field("response_quality", pa.float64()),
        pa.field("validation_confidence", pa.float64()),
        pa.field("reward", pa.float64()),
        pa.field("rating", pa.float64()),
        pa.field("feedback", pa.large_string()),
        pa.field("labels", pa.large_string()),
        pa.field("recoveries", pa.large_string()),
    ]
)
"""Columns of a batch: the fields of `WholeRow`."""


def ledger_tables(ledger: Ledger, wanted: ExampleFilter, beside: frozenset[str]) -> Iterator[pa.Table]:
    """Yield what the ledger holds, in batches of at most `ROWS`."""
    for rows in ledger.whole_rows(wanted, beside, ROWS):
        columns = zip(*rows, strict=True)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, LEDGER, strict=True)]
        yield pa.Table.from_arrays(arrays, schema=LEDGER)


def items(table: pa.Table) -> Iterator[Item]:
    """Yield the items of a batch."""
    for row in table.to_pylist():
        yield item(WholeRow(**row))


def item(row: WholeRow) -> Item:
    """Return one item, its example with the labels in force."""
    example = read(Example, row.body)
    labels = example.labels.model_copy(
        update={
            "success": row.success,
            "correct_tool_selection": row.correct_tool_selection,
            "response_quality": row.response_quality,
            "validation_confidence": row.validation_confidence,
        }
        | ({} if row.rating is None else {"user_satisfaction": row.rating})
    )
    return Item(
        example.model_copy(update={"labels": labels}),
        row.reward,
        tuple(Feedback.model_validate(said) for said in _listed(row.feedback)),
        tuple(LabelRecord.model_validate(said) for said in _listed(row.labels)),
        tuple(RecoveryRecord.model_validate(_known(said)) for said in _listed(row.recoveries)),
    )


def _listed(text: str | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text) if text else []
    return found


def _known(said: dict[str, Any]) -> dict[str, Any]:
    # A body may hold what was found before reviewers changed it.
    return {name: value for name, value in said.items() if name in RecoveryRecord.model_fields}
