"""Tables of rows, and results in a form that tests compare."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from training.dedup import DedupConfig, DedupResult, ExactConfig, NearConfig, SemanticConfig

NONE = DedupConfig(exact=ExactConfig(enabled=False), near=NearConfig(enabled=False))
NEAR = DedupConfig(exact=ExactConfig(enabled=False))
SEMANTIC = DedupConfig(
    exact=ExactConfig(enabled=False),
    near=NearConfig(enabled=False),
    semantic=SemanticConfig(enabled=True, fit_rows=100, dims=32, features=1024),
)
ALL = DedupConfig(semantic=SEMANTIC.semantic)


def table(texts: Sequence[str | None], **columns: Sequence[Any]) -> pa.Table:
    """Return rows r00000, r00001, … of one task key without quality or time, unless `columns` says otherwise."""
    given: Mapping[str, Any] = {
        "id": pa.array([f"r{number:05}" for number in range(len(texts))], pa.string()),
        "text": pa.array(texts, pa.string()),
        "task_key": pa.array(["tools"] * len(texts), pa.string()),
        "quality": pa.nulls(len(texts), pa.float64()),
        "timestamp": pa.nulls(len(texts), pa.timestamp("us", "UTC")),
        **columns,
    }
    return pa.table(given)


def fell(found: DedupResult) -> dict[str, tuple[str, str]]:
    """Return who fell, to whom and at which step."""
    return {row["id"]: (row["cluster"], row["step"]) for row in found.clusters.to_pylist() if not row["kept"]}


def passage(words: int, seed: int) -> list[str]:
    """Return words that make no sense."""
    drawn = random.Random(seed)
    return [f"{drawn.choice('bcdfgk')}{drawn.randrange(10_000)}" for _ in range(words)]


def edited(words: Sequence[str], count: int, seed: int) -> list[str]:
    """Return the words with `count` of them replaced, far from each other."""
    out = list(words)
    for number in range(count):
        out[number * len(out) // count] = f"edit{seed}x{number}"
    return out
