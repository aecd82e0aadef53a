"""From batches of rows to flat columns: what the steps need of a row, and nothing else of it.

Decisions: a row is its place in the order of preference (the one to keep first; ties by id), so that the best row of
any group is its smallest number, and nothing depends on the order or the number of the batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from training.dedup.config import DedupError, Keep
from training.dedup.shingles import whole

NEEDED = ("id", "text", "task_key", "quality", "timestamp")
BLOCK = 4096
"""Rows that are worked on at once."""


@dataclass(frozen=True)
class Order:
    """The rows in order of preference."""

    ids: pa.Array
    """Sorted by preference."""
    place: NDArray[np.int64]
    """By arrival: where the row stands in the order of preference."""
    by_id: NDArray[np.int64]
    """Places in order of id."""


def blocks(batches: Iterable[pa.RecordBatch | pa.Table], fields: Iterable[str]) -> Iterator[pa.RecordBatch]:
    """Yield blocks of at most `BLOCK` rows. Raises `DedupError` where a column is missing."""
    for batch in batches:
        missing = [name for name in (*NEEDED, *fields) if name not in batch.schema.names]
        if missing:
            found = ", ".join(batch.schema.names)
            raise DedupError(f"expected the columns {', '.join(missing)}, found {found}; add them, null where unknown")
        table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
        for start in range(0, table.num_rows, BLOCK):
            yield table.slice(start, BLOCK).combine_chunks().to_batches()[0]


def strings(column: pa.Array, name: str) -> pa.Array:
    """Return a column as large strings without nulls. Raises `DedupError` where it holds no strings."""
    if pa.types.is_null(column.type):
        column = column.cast(pa.string())
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise DedupError(f"expected strings in the column {name}, found {column.type}; cast it")
    return pc.fill_null(column.cast(pa.large_string()), "")


def preference(batch: pa.RecordBatch, keep: Keep) -> NDArray[np.float64]:
    """Return by row what is to be greatest in the one that is kept; rows without it come last."""
    if keep == "longest":
        return _numbers(pc.binary_length(strings(batch["text"], "text")))
    if keep == "newest":
        return _numbers(_instants(batch["timestamp"]))
    return _numbers(batch["quality"])


def _instants(column: pa.Array) -> pa.Array:
    """Return times as microseconds. Raises `DedupError` where a text is no time."""
    try:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = column.cast(pa.timestamp("us", "UTC"))
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise DedupError(
            f"expected times in the column timestamp, found {error}; give them as ISO 8601 with zone"
        ) from None
    return column


def _numbers(column: pa.Array) -> NDArray[np.float64]:
    try:
        found = pc.fill_null(column.cast(pa.float64(), safe=False), float("-inf"))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DedupError(f"expected numbers to choose the kept row by, found {error}; cast the column") from None
    values: NDArray[np.float64] = found.to_numpy(zero_copy_only=False)
    return np.where(np.isnan(values), -np.inf, values)


def scopes(batch: pa.RecordBatch, scope: Literal["task_key", "all"]) -> NDArray[np.uint64]:
    """Return a hash of each row's scope: of its task key, or 0."""
    if scope == "all":
        return np.zeros(batch.num_rows, np.uint64)
    return whole(strings(batch["task_key"], "task_key"))


def ordered(ids: pa.Array, preferred: NDArray[np.float64]) -> Order:
    """Return the rows in order of preference. Raises `DedupError` where two rows have the same id."""
    by_id = pc.sort_indices(ids).to_numpy().astype(np.int64)
    sorted_ids = ids.take(pa.array(by_id))
    if len(ids) > 1:
        same = pc.equal(sorted_ids[1:], sorted_ids[:-1])
        if pc.any(same).as_py():
            twice = sorted_ids[pc.index(same, True).as_py()].as_py()
            raise DedupError(f"expected every id once, found {twice!r} twice; give each row an id of its own")
    best = by_id[np.argsort(-preferred[by_id], kind="stable")]
    place = np.empty(len(best), np.int64)
    place[best] = np.arange(len(best))
    return Order(ids.take(pa.array(best)), place, place[by_id])


def as_text(column: pa.Array) -> pa.Array:
    """Return any column as large strings; what Arrow cannot cast is written by `repr`, nulls stay null."""
    try:
        return column.cast(pa.large_string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        values: list[Any] = column.to_pylist()
        return pa.array([None if value is None else repr(value) for value in values], pa.large_string())
