"""Which of what was expected goes with which of what was found, where the order does not count or more was found."""

from __future__ import annotations

from collections.abc import Sequence

Fits = Sequence[Sequence[bool]]
"""A row for each thing expected, a column for each found: whether the two fit."""


def in_any_order(fits: Fits) -> dict[int, int]:
    """Return, for as many of the expected as possible, which of the found goes with it.

    Maximum bipartite matching by augmenting paths (Kuhn 1955).
    """
    partner: dict[int, int] = {}

    def augment(want: int, seen: set[int]) -> bool:
        for got in (g for g, fit in enumerate(fits[want]) if fit and g not in seen):
            seen.add(got)
            if got not in partner or augment(partner[got], seen):
                partner[got] = want
                return True
        return False

    for want in range(len(fits)):
        augment(want, set())
    return {want: got for got, want in partner.items()}


def in_order(fits: Fits) -> dict[int, int]:
    """Return the same where what was found stands in the order of what was expected, with others in between.

    The first that fits is taken each time, which leaves most for those that follow; one that nothing fits is passed
    over, so that it alone is missing.
    """
    paired: dict[int, int] = {}
    after = 0
    for want, row in enumerate(fits):
        got = next((g for g in range(after, len(row)) if row[g]), None)
        if got is not None:
            paired[want], after = got, got + 1
    return paired
