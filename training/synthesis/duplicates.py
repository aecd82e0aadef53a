"""Does a request say the same, or nearly the same, as one that is there? The one door to duplicates in a synthesis.

Decisions: of the ledger's examples of the same task key, of what was kept before, and of the held-out part, by the
words of the user's request.
"""

from __future__ import annotations

from collections.abc import Iterable

from evaluation.generate.duplicates import Seen
from evaluation.splits import normalised


class Known:
    """The requests that are there already."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._seen = Seen()
        self._pairs: set[tuple[str, str]] = set()
        for text in texts:
            self.add(text)

    def like(self, text: str) -> str:
        """Return `exact`, `near`, or, for what is new, an empty text."""
        return self._seen.like(text).removesuffix(" duplicate")

    def add(self, text: str) -> None:
        """Take a request in."""
        self._seen.add(text)
        self._pairs.update(word_pairs(text))

    def novelty(self, text: str) -> float:
        """Return the share of the text's pairs of neighbouring words that no request has so far, 0…1.

        After distinct-n (Li et al. 2016, arXiv 1510.03055), counted against all that is there.
        """
        pairs = word_pairs(text)
        return sum(pair not in self._pairs for pair in pairs) / len(pairs) if pairs else 0.0


def word_pairs(text: str) -> set[tuple[str, str]]:
    """Return the pairs of neighbouring words of a text; a text of one word is a pair with nothing."""
    words = normalised(text).split()
    return set(zip(words, [*words[1:], ""], strict=True)) if len(words) == 1 else set(zip(words, words[1:], strict=False))
