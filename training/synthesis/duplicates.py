"""Does a request say the same, or nearly the same, as one that is there? The one door to duplicates in a synthesis.

Decisions: of the ledger's examples of the same task key, of what was kept before, and of the held-out part, by the
words of the user's request.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from evaluation.generate.duplicates import Seen
from evaluation.scenarios import Part, Scenario
from evaluation.splits import normalised
from training.guard import HeldOut
from training.synthesis.items import Item
from training.synthesis.yields import Outcome


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
    return {(words[0], "")} if len(words) == 1 else set(pairwise(words))


class Standing:
    """All that an item must not be like: the held-out part, the ledger, what was kept before it."""

    def __init__(self, scenarios: Sequence[Scenario], texts: Iterable[str]) -> None:
        """`scenarios`: the held-out ones count; `texts`: requests that are there already."""
        self._guard = HeldOut.of(scenarios)
        self._held_out = Known(one.query for one in scenarios if one.part == Part.HELD_OUT)
        self._known = Known(texts)

    def alike(self, item: Item) -> tuple[Outcome, str] | None:
        """Return what an item is like, and how; None where it is new."""
        if how := self._guard.overlap(None, None, [text for text in (item.user, item.reply) if text]):
            return Outcome.HELD_OUT, how
        if self._held_out.like(item.user):
            return Outcome.HELD_OUT, "nearly a held-out request"
        like = self._known.like(item.user)
        return (_LIKE[like], "like an earlier request") if like else None

    def add(self, item: Item) -> float:
        """Take an item in, and return the share of its word pairs that was new."""
        novelty = self._known.novelty(item.user)
        self._known.add(item.user)
        return novelty


_LIKE = {"exact": Outcome.EXACT, "near": Outcome.NEAR}
