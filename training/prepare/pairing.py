"""Halves of preferences to pairs: the same or nearly the same input, one side better, one worse. Pure.

Decisions: inputs that are alike letter by letter or nearly (`training/dedup/`) are one; within one, the best is paired
with the worst, the next best with the next worst, and no half is used twice. Ties go by id. Two that go on alike are no
pair, whatever they were given for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

import pyarrow as pa

from training.dedup import DedupConfig, ExactConfig, NearConfig, SemanticConfig, dedup


class Side(NamedTuple):
    """Half a pair."""

    number: int
    id: str
    side: int
    score: float
    reply: int = 0
    """Digest of how it goes on."""


def same_inputs(batches: Iterable[pa.RecordBatch | pa.Table], near: float | None) -> dict[str, str]:
    """Return the cluster of each half whose input others have, too. Columns as `dedup` takes them, `text` the input."""
    config = DedupConfig(
        exact=ExactConfig(),
        near=NearConfig(enabled=near is not None, threshold=near or 1.0),
        semantic=SemanticConfig(enabled=False),
    )
    clusters = dedup(batches, config).clusters
    return dict(zip(clusters["id"].to_pylist(), clusters["cluster"].to_pylist(), strict=True))


def paired(halves: Iterable[Side], cluster: dict[str, str], most: int) -> list[tuple[int, int]]:
    """Return pairs of the numbers of a better and a worse half, at most `most` of each input."""
    inputs: dict[str, list[Side]] = defaultdict(list)
    for half in halves:
        if half.id in cluster:
            inputs[cluster[half.id]].append(half)
    pairs: list[tuple[int, int]] = []
    for _, sides in sorted(inputs.items()):
        better = sorted((s for s in sides if s.side > 0), key=lambda s: (-s.score, s.id))
        worse = sorted((s for s in sides if s.side < 0), key=lambda s: (s.score, s.id))
        differing = (
            (a.number, b.number) for a, b in zip(better, worse, strict=False) if a.reply != b.reply or not a.reply
        )
        pairs += islice(differing, most)
    return pairs
