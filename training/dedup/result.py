"""What came of a deduplication: which rows stay, which fell to which, and how many at each step."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

CLUSTERS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("cluster", pa.string(), nullable=False),
        pa.field("step", pa.string()),
        pa.field("kept", pa.bool_(), nullable=False),
        pa.field("similarity", pa.float32(), nullable=False),
    ]
)
"""Columns of the clusters: rows of clusters with more than one row, the kept one of each first.

`cluster`: id of the row that stays. `step`: where this row fell (`exact`, `near`, `semantic`), null for the kept one.
`similarity`: to the row that it fell to at that step, Jaccard for near and cosine for semantic; 1 for exact and kept.
"""


@dataclass(frozen=True)
class StepCount:
    """One step: rows in and out."""

    step: str
    rows_in: int
    rows_out: int
    clusters: int
    """With more than one row, at this step."""
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class DedupResult:
    """What stays and why the rest does not."""

    kept: pa.Array
    """Ids of the rows that stay, in order of id; none where they were not asked for."""
    clusters: pa.Table
    """As `CLUSTERS`."""
    counts: tuple[StepCount, ...]
    """Of the steps that were on, in their order."""

    def kept_ids(self) -> frozenset[str]:
        """Return the ids of the rows that stay, to ask `in` of."""
        return frozenset(self.kept.to_pylist())
