"""What a threshold decides: how many rows stay, and pairs just above and just below it, to look at before it is set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

from training.dedup.config import DedupConfig
from training.dedup.result import DedupResult
from training.dedup.run import dedup

BELOW = 0.15
"""How far below a threshold pairs are looked for."""


class Pair(NamedTuple):
    """A row and who it falls to, or would with a lower threshold."""

    step: str
    id: str
    other: str
    """The one that stays."""
    similarity: float
    falls: bool
    """At the threshold that is set."""


class Tried(NamedTuple):
    """What a config comes to."""

    result: DedupResult
    pairs: tuple[Pair, ...]
    """Of the near and the semantic step, those next to the threshold, the least similar last."""


def attempt(batches: Sequence[pa.RecordBatch], config: DedupConfig, count: int) -> Tried:
    """Deduplicate and find up to `count` pairs above and below the threshold of each step. Raises `DedupError`.

    Reads the batches up to three times. A pair below a threshold is one that falls where it is `BELOW` less.
    """
    found = dedup(batches, config)
    pairs: list[Pair] = []
    for step in ("near", "semantic"):
        own = getattr(config, step)
        if own.enabled and count:
            lower = {"threshold": max(own.threshold - BELOW, 0.01), "linkage": "kept"}
            loose = dedup(batches, config.model_copy(update={step: own.model_copy(update=lower)}))
            every = [pair for pair in _pairs(loose, own.threshold) if pair.step == step]
            above = sorted((pair for pair in every if pair.falls), key=_closeness)[:count]
            below = sorted((pair for pair in every if not pair.falls), key=_closeness)[-count:]
            pairs.extend(sorted([*above, *below], key=_closeness, reverse=True))
    return Tried(found, tuple(pairs))


def _pairs(found: DedupResult, threshold: float) -> list[Pair]:
    rows = found.clusters.to_pylist()
    return [
        Pair(row["step"], row["id"], row["cluster"], row["similarity"], row["similarity"] >= threshold)
        for row in rows
        if not row["kept"]
    ]


def _closeness(pair: Pair) -> tuple[float, str]:
    return pair.similarity, pair.id
