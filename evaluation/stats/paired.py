"""Two arms on the same scenarios: differences, ratios and p values of pairs.

Binary outcomes use score intervals (Tango 1998 for the difference, Tang, Tang and Chan 2003 for the ratio), which keep
their coverage with few or no discordant pairs; p values are mid-p, conditional on the discordant pairs. Continuous
outcomes use the bootstrap of `intervals.py` and sign flips. Swapping the arms flips the sign of every difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import bdtr, ndtri

from evaluation.stats.intervals import Array, Estimate, finite

FLIPS = 9_999
"""Random sign flips of one permutation test."""

EXACT_FLIPS = 13
"""Up to this many differences that are not zero, all sign flips are enumerated."""

NO_SUCCESS = 1e-12
"""Fewer of the base's successes, of fractions added up, are none: a ratio to them is beyond any number."""


class PairCounts(NamedTuple):
    """How pairs of binary outcomes fell: counts, or fractions of such (`bounded.py`)."""

    both: float
    only_candidate: float
    only_base: float
    neither: float

    @property
    def n(self) -> float:
        """Pairs."""
        return sum(self)

    @property
    def candidate(self) -> float:
        """Successes of the candidate."""
        return self.both + self.only_candidate

    @property
    def base(self) -> float:
        """Successes of the base."""
        return self.both + self.only_base


def count_pairs(base: Array, candidate: Array) -> PairCounts:
    """Count pairs of outcomes that are 0 or 1. Both: (n,). Raises `ValueError` on other values or lengths."""
    b, c = finite(base), finite(candidate)
    if len(b) != len(c) or not np.isin(b, (0, 1)).all() or not np.isin(c, (0, 1)).all():
        raise ValueError(f"expected pairs of outcomes that are 0 or 1, found {len(b)} and {len(c)} values")
    both = int((b * c).sum())
    return PairCounts(both, int(c.sum()) - both, int(b.sum()) - both, int(((1 - b) * (1 - c)).sum()))


def difference_of_proportions(counts: PairCounts, alpha: float = 0.05) -> Estimate:
    """Return candidate − base with Tango's score interval."""
    n = counts.n
    if n == 0:
        return Estimate(value=None, low=None, high=None, n=0)
    value = (counts.only_candidate - counts.only_base) / n
    z = float(ndtri(1 - alpha / 2))
    edge = 1 - 1e-12
    low = _root(lambda d: _tango(counts, d) - z, -edge, value)
    high = _root(lambda d: _tango(counts, d) + z, value, edge)
    return Estimate(value=value, low=-1.0 if low is None else low, high=1.0 if high is None else high, n=round(n))


def _tango(counts: PairCounts, delta: float) -> float:
    """Score statistic of difference = `delta`; falls as `delta` grows."""
    n, b, c = counts.n, counts.only_candidate, counts.only_base
    linear = -b - c + (2 * n - b + c) * delta
    root = math.sqrt(max(linear**2 + 8 * n * c * delta * (1 - delta), 0.0))
    q = max((root - linear) / (4 * n), 0.0)
    return _standard(b - c - n * delta, n * (2 * q + delta * (1 - delta)))


def ratio_of_proportions(counts: PairCounts, alpha: float = 0.05) -> Estimate:
    """Return candidate / base with the interval of Tang, Tang and Chan; undefined below `NO_SUCCESS` of the base's."""
    if counts.base < NO_SUCCESS:
        return Estimate(value=None, low=None, high=None, n=round(counts.n))
    value = counts.candidate / counts.base
    z = float(ndtri(1 - alpha / 2))
    middle = math.log(value) if value > 0 else -30.0
    low = _root(lambda t: ratio_score(counts, math.exp(t)) - z, -30.0, middle) if value > 0 else None
    high = _root(lambda t: ratio_score(counts, math.exp(t)) + z, middle, 30.0)
    return Estimate(
        value=value,
        low=0.0 if low is None else math.exp(low),
        high=None if high is None else math.exp(high),
        n=round(counts.n),
    )


def ratio_score(counts: PairCounts, ratio: float) -> float:
    """Return the score statistic of candidate / base = `ratio` (Tang, Tang and Chan 2003); falls as `ratio` grows."""
    n, c = counts.n, counts.only_base
    some = n - counts.neither
    square = n * (1 + ratio)
    linear = counts.base * ratio**2 - (counts.candidate + 2 * c)
    constant = c * (1 - ratio) * some / n
    q = max((math.sqrt(max(linear**2 - 4 * square * constant, 0.0)) - linear) / (2 * square), 0.0)
    other = max(some / n - (some / n - q) / ratio, 0.0)
    return _standard(counts.candidate - ratio * counts.base, n * ratio * (q + other))


def _standard(excess: float, variance: float) -> float:
    if variance > 1e-12:
        return excess / math.sqrt(variance)
    return 0.0 if abs(excess) < 1e-9 else math.copysign(math.inf, excess)


def _root(function: Callable[[float], float], low: float, high: float) -> float | None:
    """Return the zero of a falling function, or None where it does not change its sign."""

    def bounded(x: float) -> float:
        return max(min(function(x), 1e6), -1e6)

    if high <= low or bounded(low) * bounded(high) > 0:
        return None
    return float(brentq(bounded, low, high, xtol=1e-10))


def mcnemar(counts: PairCounts) -> float:
    """Return the two-sided mid-p value of equal proportions, conditional on the discordant pairs (McNemar 1947).

    The observed table counts half (Fagerland, Lydersen and Laake 2013): for 30 to 400 pairs of which 2 to 60% are
    discordant, at most 4.96% of equal arms have p < 0.05, where the exact test, with at most 4.3%, overlooks more.
    """
    discordant = counts.only_candidate + counts.only_base
    if discordant == 0:
        return 1.0
    fewer = min(counts.only_candidate, counts.only_base)
    below = float(bdtr(fewer - 1, discordant, 0.5)) if fewer else 0.0
    return min(1.0, float(bdtr(fewer, discordant, 0.5)) + below)


def permutation(differences: Array, seed: int = 0) -> float:
    """Return the two-sided p value of a mean difference of zero under sign flips. `differences`: (n,).

    Exact up to 13 differences that are not zero, otherwise 9,999 random flips (the observed one counted, so that the
    p value is never zero); above 2,000 the normal limit.
    """
    moved = finite(differences)
    moved = moved[moved != 0]
    n = len(moved)
    if n == 0:
        return 1.0
    observed = abs(float(moved.sum())) * (1 - 1e-12)
    if n <= EXACT_FLIPS:
        signs = 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return float((np.abs(signs @ moved) >= observed).mean())
    if n > 2000:
        return math.erfc(observed / math.sqrt(2 * float((moved**2).sum())))
    rng = np.random.default_rng(seed)
    chunk = max(1, 2_000_000 // n)
    extreme = 0
    for start in range(0, FLIPS, chunk):
        signs = 1.0 - 2.0 * rng.integers(0, 2, size=(min(chunk, FLIPS - start), n), dtype=np.int8)
        extreme += int((np.abs(signs @ moved) >= observed).sum())
    return (1 + extreme) / (1 + FLIPS)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return p values adjusted for their number (Holm 1979), by name."""
    adjusted: dict[str, float] = {}
    largest = 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda key: (p_values[key], key))):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[name]))
        adjusted[name] = largest
    return adjusted


def needed_pairs(estimate: Estimate, limit: float, alpha: float = 0.05, power: float = 0.8) -> int | None:
    """Return how many further pairs would settle on which side of `limit` the figure lies.

    Scales the observed interval as 1/√n, for the observed value and the given power. None where it cannot be told: no
    interval, or a value at the limit itself.
    """
    value = estimate.value
    bound = None if value is None else (estimate.low if value > limit else estimate.high)
    if value is None or bound is None or math.isclose(value, limit, rel_tol=1e-9, abs_tol=1e-12):
        return None
    z = float(ndtri(1 - alpha / 2))
    inflation = (z + float(ndtri(power))) / z
    total = estimate.n * (inflation * (value - bound) / (value - limit)) ** 2
    return max(1, math.ceil(total) - estimate.n) if total < 1e9 else None
