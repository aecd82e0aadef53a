"""A figure over time: its slope, where it changed, whether its distribution drifted, and when it will meet a limit.

Decisions: slopes are Theil and Sen's (the median of all slopes between two observations), which one bad day does not
move; times are given, so that gaps and several observations at one time do no harm. A change point is where the means
of both sides differ most for their noise; it counts when that is rarer than alpha among random orders of the same
values, and both sides are searched again (binary segmentation); values of one time are averaged first. Distributions
are compared by the population stability index and by a two-sample test, because the index alone knows nothing of
sample sizes and the test alone nothing of importance. Whatever the data cannot tell is said to be so, with the reason;
nothing raises on short or constant series.
Limits: a change point's test supposes independent observations: a season or a steady trend can look like changes.
Forecasts go on in a straight line. Times are numbers of days.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from enum import StrEnum
from itertools import pairwise

import numpy as np
from scipy import stats
from scipy.special import ndtri

from evaluation.records import Record
from evaluation.stats.intervals import Array, Estimate, finite, mean_interval

LEAST = 5
"""Fewest observations that a slope or a forecast rests on."""

SIDE = 5
"""Fewest observations on each side of a change point."""

SHUFFLES = 999
"""Random orders of one change-point test."""

BINS = 10
"""Bins of the population stability index of numbers, of equal size in the reference."""


class Trend(Record):
    """How a figure moves."""

    slope: Estimate
    """Per day."""
    level: float | None
    """The line's value at the last time."""
    days: float
    """From the first to the last time."""
    reason: str = ""
    """Why there is no slope; empty where there is one."""


class ChangePoint(Record):
    """Where a figure's mean changed."""

    at: float
    """The first time after the change."""
    before: Estimate
    """Mean since the change before this one."""
    after: Estimate
    """Mean until the next one."""
    p_value: float


class DriftLevel(StrEnum):
    """How far a distribution moved, by the usual reading of the index."""

    NONE = "none"
    """Below 0.1, or as by chance."""
    SOME = "some"
    """From 0.1."""
    STRONG = "strong"
    """From 0.25."""
    UNKNOWN = "unknown"
    """Too little data."""


class Drift(Record):
    """Two samples of the same figure, an earlier and a later one."""

    level: DriftLevel
    index: float | None
    """Population stability index; 0: the same distribution."""
    p_value: float | None
    """Kolmogorov and Smirnov's for numbers, chi-squared for categories."""
    reference: int
    current: int
    """Observations of each."""


class Crossing(Record):
    """When a figure will meet a limit."""

    day: float | None
    """None: not foreseeable, for `reason`."""
    low: float | None
    high: float | None
    """95% interval; `high` is None where the limit may never be met."""
    reason: str = ""


def trend(times: Array, values: Array, alpha: float = 0.05) -> Trend:
    """Return the slope of `values` over `times` (days): both (n,), in any order."""
    x, y = _series(times, values)
    days = float(x[-1] - x[0]) if len(x) else 0.0
    lacking = _lacking(x)
    if lacking:
        return Trend(slope=Estimate(value=None, low=None, high=None, n=len(x)), level=None, days=days, reason=lacking)
    slope, middle, low, high = (float(part) for part in stats.theilslopes(y, x, 1 - alpha))
    known = math.isfinite(low) and math.isfinite(high)
    estimate = Estimate(value=slope, low=low if known else None, high=high if known else None, n=len(x))
    return Trend(slope=estimate, level=middle + slope * float(x[-1]), days=days)


def change_points(times: Array, values: Array, alpha: float = 0.01, seed: int = 0) -> list[ChangePoint]:
    """Return where the mean of `values` changed, in the order of time; empty where nothing did or too few are known."""
    x, y = _at_each_time(*_series(times, values))
    p_values: dict[int, float] = {}
    parts = [(0, len(x))]
    while parts:
        start, end = parts.pop()
        at = _split(y[start:end])
        if at is None:
            continue
        p_value = _chance(y[start:end], seed)
        if p_value < alpha:
            p_values[start + at] = p_value
            parts += [(start, start + at), (start + at, end)]
    edges = [0, *sorted(p_values), len(x)]
    levels = [mean_interval(y[start:end]) for start, end in pairwise(edges)]
    return [
        ChangePoint(at=float(x[place]), before=before, after=after, p_value=p_values[place])
        for place, (before, after) in zip(edges[1:-1], pairwise(levels), strict=True)
    ]


def drift(reference: Array, current: Array, alpha: float = 0.05) -> Drift:
    """Compare the distribution of numbers, later against earlier. Both: (n,)."""
    earlier, later = finite(reference), finite(current)
    if min(len(earlier), len(later)) < BINS:
        return _unknown(len(earlier), len(later))
    counts = _binned(earlier, later)
    p_value = float(stats.ks_2samp(earlier, later).pvalue)
    return _drift(*counts, p_value, alpha)


def category_drift(reference: Sequence[Hashable], current: Sequence[Hashable], alpha: float = 0.05) -> Drift:
    """Compare how often each of some categories (tools, task keys, failures) occurs, later against earlier."""
    if min(len(reference), len(current)) < BINS:
        return _unknown(len(reference), len(current))
    names = sorted({*reference, *current}, key=repr)
    counted = [Counter(side) for side in (reference, current)]
    earlier, later = (np.array([float(count[name]) for name in names]) for count in counted)
    if len(names) == 1:
        return _drift(earlier, later, 1.0, alpha)
    return _drift(earlier, later, float(stats.chi2_contingency(np.stack([earlier, later])).pvalue), alpha)


def crossing(times: Array, values: Array, limit: float, *, falling: bool, alpha: float = 0.05) -> Crossing:
    """Foresee when a straight line through the figure meets `limit` from above (`falling`) or from below."""
    x, y = _series(times, values)
    found = trend(x, y, alpha)
    if found.level is None or found.slope.value is None:
        return Crossing(day=None, low=None, high=None, reason=f"too little data: {found.reason}")
    away = (found.level - limit) if falling else (limit - found.level)
    now = float(x[-1])
    if away <= 0:
        return Crossing(day=now, low=now, high=now, reason="the limit is met already")
    if (-found.slope.value if falling else found.slope.value) <= 0:
        return Crossing(day=None, low=None, high=None, reason="the figure does not move towards the limit")
    band = _band(x, y, found.slope, limit, alpha=alpha)
    unsure = "" if band.high is not None else "the slope is not clear: it may never be met"
    return band.model_copy(update={"reason": unsure})


def _band(x: Array, y: Array, slope: Estimate, limit: float, *, alpha: float) -> Crossing:
    """Return the day on which a line meets a limit, and where the line's own band meets it (Fieller 1954).

    (d + b u)² = z² (v + s² u²) in u, the days since the middle of the times: d the line's distance to the limit there,
    b its slope, v and s² their variances. The slope's interval alone holds the day in half of the cases only. The line
    goes through the median of what the slope leaves, which varies less than scipy's median of all values.
    """
    b, z = slope.value or 0.0, float(ndtri(1 - alpha / 2))
    middle, last = float(np.median(x)), float(x[-1])
    rest = y - b * (x - middle)
    level = float(np.median(rest))
    day = max(middle + (limit - level) / b, last)
    if slope.low is None or slope.high is None:
        return Crossing(day=day, low=None, high=None)
    # The variance of a median, by the median absolute deviation.
    spread = (1.4826 * float(np.median(np.abs(rest - level)))) ** 2 * math.pi / 2 / len(y)
    away, wide = level - limit, (slope.high - slope.low) / 2
    a2, a1, a0 = b * b - wide * wide, 2 * away * b, away * away - z * z * spread
    root = math.sqrt(max(a1 * a1 - 4 * a2 * a0, 0.0))
    ends = sorted(middle + (-a1 + sign * root) / (2 * a2) for sign in (-1, 1)) if a2 else []
    if a2 > 0:
        return Crossing(day=day, low=max(ends[0], last), high=max(ends[1], last))
    # The slope's interval holds zero: from its one root on, the line may meet the limit at any time, or never.
    ahead = [end for end in ends if end > last]
    return Crossing(day=day, low=ahead[0] if ahead and a0 > 0 else last, high=None)


def _series(times: Array, values: Array) -> tuple[Array, Array]:
    """Return times and values in the order of time. Raises `ValueError` on NaN, infinity or different lengths."""
    x, y = finite(times), finite(values)
    if len(x) != len(y):
        raise ValueError(f"expected a time for each value, found {len(x)} times and {len(y)} values")
    order = np.lexsort((y, x))
    return x[order], y[order]


def _at_each_time(x: Array, y: Array) -> tuple[Array, Array]:
    """Return each time once, with the mean of its values: they have no order among themselves."""
    unique, places, counts = np.unique(x, return_inverse=True, return_counts=True)
    return unique, np.bincount(places, weights=y, minlength=len(unique)) / counts


def _lacking(x: Array) -> str:
    if len(x) < LEAST:
        return f"{len(x)} observations, {LEAST} are needed"
    if len(np.unique(x)) < LEAST:
        return f"observations at {len(np.unique(x))} times, {LEAST} are needed"
    return ""


def _statistics(y: Array) -> Array:
    """Return how far the means of both sides of each split differ, over the values' spread: (…, n) to (…, splits)."""
    n = y.shape[-1]
    sizes = np.arange(1, n)
    sums = np.cumsum(y, axis=-1)[..., :-1]
    total = y.sum(axis=-1, keepdims=True)
    away: Array = np.abs(sums - sizes * total / n) / np.sqrt(sizes * (n - sizes) / n)
    return away[..., SIDE - 1 : n - SIDE]


def _split(y: Array) -> int | None:
    """Return the likeliest place of a change; None where there are too few values or all are the same."""
    if len(y) < 2 * SIDE or np.ptp(y) <= 1e-12 * max(1.0, float(np.abs(y).max())):
        return None
    return int(np.argmax(_statistics(y))) + SIDE


def _chance(y: Array, seed: int) -> float:
    """Return how often a random order of the values has as large a change: a p value, never zero."""
    rng = np.random.default_rng(seed)
    observed = float(_statistics(y).max()) * (1 - 1e-12)
    chunk = max(1, 2_000_000 // len(y))
    larger = 0
    for start in range(0, SHUFFLES, chunk):
        orders = rng.permuted(np.broadcast_to(y, (min(chunk, SHUFFLES - start), len(y))), axis=1)
        larger += int((_statistics(orders).max(axis=1) >= observed).sum())
    return (1 + larger) / (1 + SHUFFLES)


def _binned(earlier: Array, later: Array) -> tuple[Array, Array]:
    """Return how many of each side fall into each bin."""
    edges = np.unique(earlier)
    few = len(edges) <= BINS
    if not few:
        edges = np.unique(np.quantile(earlier, np.arange(1, BINS) / BINS))

    def counted(side: Array) -> Array:
        places = np.searchsorted(edges, side, side="right")
        # Of few values, each is a bin, and so is what lies between them.
        places = places + np.searchsorted(edges, side, side="left") if few else places
        return np.bincount(places, minlength=2 * len(edges) + 1 if few else len(edges) + 1).astype(float)

    return counted(earlier), counted(later)


def _unknown(reference: int, current: int) -> Drift:
    return Drift(level=DriftLevel.UNKNOWN, index=None, p_value=None, reference=reference, current=current)


def _drift(earlier: Array, later: Array, p_value: float, alpha: float) -> Drift:
    # Half an observation in each bin keeps an empty one from making the index infinite.
    shares = [(side + 0.5) / (side.sum() + 0.5 * len(side)) for side in (earlier, later)]
    index = float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
    level = DriftLevel.NONE
    if p_value < alpha:
        level = DriftLevel.STRONG if index >= 0.25 else DriftLevel.SOME if index >= 0.1 else DriftLevel.NONE
    return Drift(
        level=level, index=index, p_value=p_value, reference=int(earlier.sum()), current=int(later.sum())
    )  # fmt: skip
