"""Deduplication, step by step: exact, then near among what is left, then semantic among what is left of that.

    batches ─► keys, signatures, texts (spilled) ─► exact ─► near ─► semantic ─► kept ids, clusters, counts

Decisions: one pass over the batches. The same rows give the same result in whatever order and number of batches they
come: every row is its place in the order of preference (`intake.py`).
Not covered: deduplication over several machines; the columns of all rows stand in one process (at most 1 KB a row).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from training.dedup import exact
from training.dedup.config import DedupConfig
from training.dedup.intake import Order, blocks, ordered, preference, scopes, strings
from training.dedup.result import CLUSTERS, DedupResult, StepCount


@dataclass(frozen=True)
class Fall:
    """What one step came to, by row: who it fell to (itself where it stays), and how similar the two are."""

    step: str
    keeper: NDArray[np.int64]
    similarity: NDArray[np.float32]
    count: StepCount


def dedup(batches: Iterable[pa.RecordBatch | pa.Table], config: DedupConfig) -> DedupResult:
    """Return which rows stay, and the clusters of those that do not.

    Columns: `id`, `text` and `task_key` (strings), `quality` (number or null), `timestamp` (or null), and those of
    `config.exact.fields`. Raises `DedupError` where one is missing or of another type, or an id comes twice.
    """
    begun = time.perf_counter()
    ids, preferred, keys = [], [], []
    for block in blocks(batches, config.exact.fields):
        ids.append(strings(block["id"], "id"))
        preferred.append(preference(block, config.keep))
        if config.exact.on:
            keys.append(exact.keys(block, scopes(block) if config.scope == "task_key" else None, config.exact))
    order = ordered(
        pa.chunked_array(ids, pa.large_string()).combine_chunks(), np.concatenate([np.empty(0), *preferred])
    )
    falls = []
    if config.exact.on:
        found = np.empty(len(order.place), exact.KEY)
        found[order.place] = np.concatenate([np.empty(0, exact.KEY), *keys])
        falls.append(fall("exact", exact.keepers(found), begun))
    return result(order, falls)


def fall(step: str, keeper: NDArray[np.int64], begun: float, similarity: NDArray[np.float32] | None = None) -> Fall:
    """Return a step over all rows."""
    fell = keeper != np.arange(len(keeper))
    count = StepCount(
        step, len(keeper), int(len(keeper) - fell.sum()), len(np.unique(keeper[fell])), time.perf_counter() - begun
    )
    similarity = np.ones(len(keeper), np.float32) if similarity is None else similarity
    return Fall(step, keeper, similarity, count)


def result(order: Order, falls: list[Fall]) -> DedupResult:
    """Put the steps together: the cluster of a row is who stays in the end of those that it fell to."""
    rows = np.arange(len(order.place))
    last, step, similarity = rows.copy(), np.full(len(rows), -1), np.ones(len(rows), np.float32)
    for number, each in enumerate(falls):
        fell = (each.keeper != rows) & (step < 0)
        step[fell], similarity[fell] = number, each.similarity[fell]
        last = each.keeper[last]
    stays = last == rows
    kept = order.ids.take(pa.array(order.by_id[stays[order.by_id]])).cast(pa.string())
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
