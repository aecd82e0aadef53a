"""Deduplication, step by step: exact, then near among what is left, then semantic among what is left of that.

    batches ─► keys, signatures, texts (spilled) ─► exact ─► near ─► semantic ─► kept ids, clusters, counts

Decisions: one pass over the batches. The same rows give the same result in whatever order and number of batches they
come: every row is its place in the order of preference (`intake.py`). The exact step alone is taken part by part
(`parts.py`), so that memory does not grow with the rows but by what fell.
Not covered: deduplication over several machines; for the near and the semantic step the columns of all rows stand in
one process (at most 1 KB a row).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from training.dedup import exact, near, semantic
from training.dedup.columns import Block, Columns, gather, read
from training.dedup.config import DedupConfig
from training.dedup.encoders import Encode
from training.dedup.intake import Order
from training.dedup.near import Similarity
from training.dedup.parts import in_parts
from training.dedup.result import CLUSTERS, DedupResult, StepCount
from training.dedup.texts import Texts


@dataclass(frozen=True)
class Fall:
    """What one step came to, by row: who it fell to (itself where it stays), and how similar the two are."""

    step: str
    keeper: NDArray[np.int64]
    similarity: NDArray[np.float32]
    count: StepCount


def dedup(
    batches: Iterable[pa.RecordBatch | pa.Table],
    config: DedupConfig,
    *,
    encode: Encode | None = None,
    list_kept: bool = True,
) -> DedupResult:
    """Return which rows stay, and the clusters of those that do not.

    `encode`: texts to vectors for the semantic step, in place of `config.semantic.vectors`. Without `list_kept` the ids
    of what stays, by which memory would grow, are left out: `kept` is empty, counts and clusters are whole.

    Columns: `id`, `text` and `task_key` (strings), `quality` (number or null), `timestamp` (or null), and those of
    `config.exact.fields`. Raises `DedupError` where one is missing or of another type, or an id comes twice.
    """
    begun = time.perf_counter()
    found = read(batches, config)
    if config.exact.enabled and not (config.near.enabled or config.semantic.enabled):
        return _merged([_steps(part, config, list_kept=list_kept) for part in in_parts(found)], begun)
    return _steps(found, config, encode=encode, begun=begun, list_kept=list_kept)


def _steps(
    found: Iterable[Block],
    config: DedupConfig,
    *,
    list_kept: bool,
    encode: Encode | None = None,
    begun: float | None = None,
) -> DedupResult:
    begun = time.perf_counter() if begun is None else begun
    with Texts() as texts:
        columns = gather(found, config, texts)
        falls: list[Fall] = []
        if config.exact.enabled:
            falls.append(_fall("exact", exact.keepers(columns.keys), rows_in=len(columns.keys), begun=begun))
            columns.keys = columns.keys[:0].copy()
            begun = time.perf_counter()
        if config.near.enabled:
            falls.append(_near(columns, config, _standing(falls, columns), begun))
            begun = time.perf_counter()
        if config.semantic.enabled:
            rows = _standing(falls, columns)
            found_at = semantic.directions(columns, rows, config.semantic, encode)
            keeper = semantic.keepers(found_at, columns.scopes, config.semantic)
            falls.append(_fall("semantic", keeper, rows_in=len(rows), begun=begun, compare=semantic.cosine(found_at)))
        return _result(columns.order, falls, list_kept=list_kept)


def _merged(parts: list[DedupResult], begun: float) -> DedupResult:
    """Return the results of the exact step on several parts as one."""
    clusters = pa.concat_tables(part.clusters for part in parts)
    counts = [part.counts[0] for part in parts]
    rows_in, rows_out, several = (
        sum(getattr(count, name) for count in counts) for name in ("rows_in", "rows_out", "clusters")
    )
    kept = pa.chunked_array([part.kept for part in parts], pa.string()).combine_chunks()
    return DedupResult(
        kept.take(pc.sort_indices(kept)),
        clusters.sort_by([("cluster", "ascending"), ("kept", "descending"), ("id", "ascending")]),
        (StepCount("exact", rows_in, rows_out, several, time.perf_counter() - begun),),
    )


def _standing(falls: list[Fall], columns: Columns) -> NDArray[np.int64]:
    """Return the rows that none of the steps so far let fall, ascending."""
    rows = np.arange(len(columns.order.place))
    stands = np.ones(len(rows), np.bool_)
    for each in falls:
        stands &= each.keeper == rows
    return rows[stands]


def _near(columns: Columns, config: DedupConfig, rows: NDArray[np.int64], begun: float) -> Fall:
    assert columns.signed is not None
    found = columns.signed
    columns.signed = None
    compare = near.true(columns.sets(found)) if config.near.verify == "exact" else near.estimated(found.signatures)
    keeper = near.keepers(
        found.signatures, rows[found.filled[rows]], columns.scopes, config=config.near, similarity=compare
    )
    return _fall("near", keeper, rows_in=len(rows), begun=begun, compare=compare)


def _fall(
    step: str, keeper: NDArray[np.int64], *, rows_in: int, begun: float, compare: Similarity | None = None
) -> Fall:
    """Return a step over all rows."""
    fell = np.flatnonzero(keeper != np.arange(len(keeper)))
    similarity = np.ones(len(keeper), np.float32)
    if compare is not None:
        similarity[fell] = compare(keeper[fell], fell)
    clusters = len(np.unique(keeper[fell]))
    count = StepCount(step, rows_in, rows_in - len(fell), clusters, time.perf_counter() - begun)
    return Fall(step, keeper, similarity, count)


def _result(order: Order, falls: list[Fall], *, list_kept: bool) -> DedupResult:
    """Put the steps together: the cluster of a row is who stays in the end of those that it fell to."""
    rows = np.arange(len(order.place))
    last, step, similarity = rows.copy(), np.full(len(rows), -1), np.ones(len(rows), np.float32)
    for number, each in enumerate(falls):
        fell = (each.keeper != rows) & (step < 0)
        step[fell], similarity[fell] = number, each.similarity[fell]
        last = each.keeper[last]
    stays = last == rows
    listed = order.by_id[stays[order.by_id]] if list_kept else rows[:0]
    kept = order.ids.take(pa.array(listed)).cast(pa.string())
    return DedupResult(
        kept, _clusters(order, last, step, similarity=similarity, falls=falls), tuple(each.count for each in falls)
    )


def _clusters(
    order: Order,
    last: NDArray[np.int64],
    step: NDArray[np.int64],
    *,
    similarity: NDArray[np.float32],
    falls: list[Fall],
) -> pa.Table:
    rows = np.arange(len(last))
    several = np.bincount(last, minlength=len(last))[last] > 1 if len(last) else np.empty(0, bool)
    id_rank = np.empty(len(last), np.int64)
    id_rank[order.by_id] = rows
    members = rows[several]
    members = members[np.lexsort((id_rank[members], last[members] != members, id_rank[last[members]]))]
    names = pa.array([each.step for each in falls], pa.string())
    found = step[members]
    columns = [
        order.ids.take(pa.array(members)).cast(pa.string()),
        order.ids.take(pa.array(last[members])).cast(pa.string()),
        names.take(pa.array(found, mask=found < 0)),
        pa.array(last[members] == members),
        pa.array(similarity[members]),
    ]
    return pa.table(columns, schema=CLUSTERS)
