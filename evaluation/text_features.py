"""Texts as vectors, without a model: TF-IDF over words and pairs of words (Salton and Buckley 1988).

Weights: 1 + ln(count) times ln((1 + n) / (1 + documents with the term)) + 1, rows of length 1, so that a product of two
rows is their cosine. Limits: it sees words, not meaning; terms that no text of the fit had are passed over.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class TfIdf:
    """A vocabulary with its weights."""

    columns: Mapping[str, int]
    weights: NDArray[np.float64]
    """Inverse document frequency of each column."""

    @classmethod
    def fit(cls, texts: Sequence[str]) -> TfIdf:
        """Return the vocabulary of these texts."""
        seen: Counter[str] = Counter()
        for text in texts:
            seen.update(set(terms(text)))
        columns = {term: number for number, term in enumerate(sorted(seen))}
        counts = np.array([seen[term] for term in columns], dtype=np.float64)
        return cls(columns, np.log((1 + len(texts)) / (1 + counts)) + 1)

    def transform(self, texts: Sequence[str]) -> csr_matrix:
        """Return a row of length 1 for each text (0 for one without a known term), texts × terms."""
        indices: list[int] = []
        values: list[float] = []
        ends = [0]
        for text in texts:
            known = Counter(column for term in terms(text) if (column := self.columns.get(term)) is not None)
            weights = {c: (1 + np.log(count)) * self.weights[c] for c, count in sorted(known.items())}
            norm = float(np.sqrt(sum(weight**2 for weight in weights.values()))) or 1.0
            indices.extend(weights)
            values.extend(weight / norm for weight in weights.values())
            ends.append(len(indices))
        return csr_matrix((values, indices, ends), shape=(len(texts), len(self.columns)))


def terms(text: str) -> list[str]:
    """Return the words of a text, case folded, and its pairs of neighbours."""
    words = _WORD.findall(text.casefold())
    return words + [f"{one} {other}" for one, other in pairwise(words)]
