"""Pairs of figures that have a largest one, where few of them differ: resampling sees too little of what may happen.

Thirty pairs that are all alike have a bootstrap interval of width zero, though one in ten of all pairs may differ.
Shares of a largest figure are read as fractions of yes-or-no pairs, whose score intervals (Tango 1998; Tang, Tang and
Chan 2003) stay wide where nothing was seen. Their variance is the largest that such shares can have, so that the outer
of both intervals errs on the safe side. Limits: only where fewer than `FEW` independent units differ; with more, the
usual interval holds by itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evaluation.stats.intervals import Array, Estimate
from evaluation.stats.paired import PairCounts, difference_of_proportions, ratio_of_proportions

FEW = 30
"""Units that differ, from which on their interval holds by itself."""


def few_differ(moved: Array, groups: NDArray[np.int64]) -> bool:
    """Whether fewer than `FEW` groups have a difference that is not zero. Both: (n,)."""
    return len(np.unique(groups[moved != 0])) < FEW


def fractions(base: Array, candidate: Array, most: float, units: int) -> PairCounts:
    """Return figures of 0…`most` as fractions of `units` yes-or-no pairs. Both: (n,), not empty."""
    b, c = base / most, candidate / most
    both, gained, lost = np.minimum(b, c).mean(), np.maximum(c - b, 0).mean(), np.maximum(b - c, 0).mean()
    cells = [float(cell) * units for cell in (both, gained, lost, max(0.0, 1 - both - gained - lost))]
    return PairCounts(*cells)


def outer_difference(estimate: Estimate, counts: PairCounts, most: float, alpha: float) -> Estimate:
    """Return a difference with the outer of its interval and the score interval of the fractions."""
    score = difference_of_proportions(counts, alpha)
    low, high = (None if end is None else end * most for end in (score.low, score.high))
    return _outer(estimate, low, high)


def outer_ratio(estimate: Estimate, counts: PairCounts, alpha: float) -> Estimate:
    """Return a ratio with the outer of its interval and the score interval of the fractions."""
    score = ratio_of_proportions(counts, alpha)
    return _outer(estimate, score.low, score.high)


def _outer(estimate: Estimate, low: float | None, high: float | None) -> Estimate:
    """Return the estimate with limits that hold both intervals; a side that either does not know has none."""
    known_low = None if low is None or estimate.low is None else min(low, estimate.low)
    known_high = None if high is None or estimate.high is None else max(high, estimate.high)
    if estimate.low is None and estimate.high is None:
        known_low, known_high = low, high
    return estimate.model_copy(update={"low": known_low, "high": known_high})
