"""Do two figures of the same things rank them alike, as a score of quality and people's ratings should?

Decisions: ranks, because ratings are ordered but not evenly spaced; ties get their mean rank. The interval is Fisher's
on the scale of atanh with the variance of Bonett and Wright (2000), (1 + r²/2) / (n − 3), which holds for Spearman's
coefficient where Fisher's own is too narrow. What cannot be told is None, with the reason. Not covered: things that
depend on each other, such as several ratings of one episode (average them first).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri
from scipy.stats import kendalltau, rankdata

from evaluation.records import Record
from evaluation.stats.intervals import Array, Estimate, finite

LEAST = 4
"""Fewest things that have an interval."""


class RankCorrelation(Record):
    """How far two figures rank things alike: 1 the same order, 0 none in common, −1 the reverse."""

    spearman: Estimate
    """Spearman's coefficient (1904)."""
    kendall: float | None
    """Kendall's tau-b (1945): share of pairs in the same order less share in the reverse, ties aside."""
    n: int
    reason: str = ""
    """Why there is no coefficient; empty where there is one."""


def rank_correlation(x: Array, y: Array, alpha: float = 0.05) -> RankCorrelation:
    """Return how far `x` and `y` agree in rank. Both: (n,). Raises `ValueError` on other lengths, NaN or infinity."""
    one, other = finite(x), finite(y)
    n = len(one)
    if n != len(other):
        raise ValueError(f"expected pairs, found {n} and {len(other)} values")
    reason = _lacking(one, other)
    if reason:
        nothing = Estimate(value=None, low=None, high=None, n=n)
        return RankCorrelation(spearman=nothing, kendall=None, n=n, reason=reason)
    r = float(np.clip(np.corrcoef(rankdata(one), rankdata(other))[0, 1], -1.0, 1.0))
    low, high = _limits(r, n, alpha)
    spearman = Estimate(value=r, low=low, high=high, n=n)
    return RankCorrelation(spearman=spearman, kendall=float(kendalltau(one, other).statistic), n=n)


def _lacking(one: Array, other: Array) -> str:
    if len(one) < LEAST:
        return f"{len(one)} pairs, {LEAST} are needed"
    constant = [name for name, side in (("first", one), ("second", other)) if (side == side[0]).all()]
    return f"the {' and the '.join(constant)} figure is the same everywhere" if constant else ""


def _limits(r: float, n: int, alpha: float) -> tuple[float, float]:
    if abs(r) > 1 - 1e-12:
        # The scale has no end: the coefficient that (n − 1)/n of a perfect order would have stands for it.
        bounded = _limits(1 - 1 / n, n, alpha)[0]
        return (bounded, 1.0) if r > 0 else (-1.0, -bounded)
    half = float(ndtri(1 - alpha / 2)) * math.sqrt((1 + r * r / 2) / (n - 3))
    return math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)
