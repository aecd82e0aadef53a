"""Requests that say the same, or nearly the same, as one before.

Decisions: the same are two that agree without case and punctuation; nearly the same are two whose sets of words have
a Jaccard likeness of at least `LIKENESS`. Two such sets share one of their first few words in any fixed order (prefix
filter, Bayardo et al. 2007), so that each request is compared with few others. Rare words stand first: those seen
least when the request came cannot be the order, which has to be fixed; long words are rare enough.
"""

from __future__ import annotations

import math
from collections import defaultdict

from evaluation.splits import normalised

LIKENESS = 0.9


class Seen:
    """The requests so far."""

    def __init__(self) -> None:
        self._texts: set[str] = set()
        self._sets: list[frozenset[str]] = []
        self._index: defaultdict[str, list[int]] = defaultdict(list)

    def like(self, text: str) -> str:
        """Return "exact duplicate", "near duplicate" or, for what is new, an empty text. Adds nothing."""
        plain = normalised(text)
        if plain in self._texts:
            return "exact duplicate"
        mine = frozenset(plain.split())
        candidates = {at for word in _prefix(mine) for at in self._index.get(word, ())}
        return "near duplicate" if any(_alike(mine, self._sets[at]) for at in candidates) else ""

    def add(self, text: str) -> None:
        """Take a request in."""
        plain = normalised(text)
        mine = frozenset(plain.split())
        self._texts.add(plain)
        for word in _prefix(mine):
            self._index[word].append(len(self._sets))
        self._sets.append(mine)


def _prefix(words: frozenset[str]) -> list[str]:
    """Return the words of which two nearly equal sets share at least one."""
    ordered = sorted(words, key=lambda word: (word.isalpha(), -len(word), word))
    return ordered[: len(words) - math.ceil(LIKENESS * len(words)) + 1]


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    both = len(one & other)
    return both >= LIKENESS * (len(one) + len(other) - both)
