"""How alike two questions are: the cosine of their hashed character n-grams. Deterministic, and needs no model.

Every run of three characters of the text (case folded, blanks made one, one blank at either end) is counted in one of
4,096 buckets by its CRC-32. Limits: it sees letters, not meaning; a paraphrase in other words is not alike.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Callable

Similarity = Callable[[str, str], float]
"""Returns 0…1 for two texts; 1 where they are the same."""

RUN, BUCKETS = 3, 4096


def same_words(text: str) -> str:
    """Return what makes two questions the same: their words and signs, whatever the case and blanks."""
    return " ".join(text.casefold().split())


def similarity(one: str, other: str) -> float:
    """Return the cosine of the two texts' n-gram counts; 1 for texts that are the same, 0 where nothing is shared."""
    if same_words(one) == same_words(other):
        return 1.0
    a, b = _counts(one), _counts(other)
    shared = sum(count * b[bucket] for bucket, count in a.items())
    return min(shared / math.sqrt(_square(a) * _square(b)), 1.0)


def _counts(text: str) -> Counter[int]:
    padded = f" {same_words(text)} ".encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    runs = (padded[at : at + RUN] for at in range(max(len(padded) - RUN + 1, 1)))
    return Counter(zlib.crc32(run.encode()) % BUCKETS for run in runs)


def _square(counts: Counter[int]) -> int:
    return sum(count * count for count in counts.values())
