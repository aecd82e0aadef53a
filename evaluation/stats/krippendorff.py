"""Krippendorff's alpha: do those who judged the same things agree, however many judged each, with gaps? Pure.

Decisions: the coincidence matrix of Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", with his
nominal, ordinal and interval differences; the interval resamples the things judged, with replacement, and is the middle
of the resampled alphas. A thing that only one judged pairs nothing and counts for nothing. Alpha is None where nothing
could have differed: no pair, or one value alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from evaluation.records import Record
from evaluation.stats.intervals import Estimate

Array = NDArray[np.float64]
Value = str | float | bool
RESAMPLES = 1000


class Scale(StrEnum):
    """How far apart two values are."""

    NOMINAL = "nominal"
    """Equal or not."""
    ORDINAL = "ordinal"
    """By how many judgements lie between them."""
    INTERVAL = "interval"
    """By their difference."""


class Reliability(Record):
    """How far those who judged the same things agree."""

    alpha: Estimate
    """1 always, 0 as by chance, below 0 less than by chance; its `n` counts the things that at least two judged."""
    percent: float | None
    """Share of the pairs of judgements of one thing that are equal."""
    judges: int
    judgements: int
    """Of things that at least two judged."""


def reliability(
    things: Sequence[Mapping[str, Value]],
    scale: Scale,
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Reliability:
    """Return the agreement over `things`, each with what its judges said by name; missing judges are left out.

    Raises `ValueError` where the scale needs numbers and a value is none.
    """
    paired = [said for said in things if len(said) > 1]
    values = _values(paired, scale)
    parts = _coincidences(paired, values)
    sizes = np.array([float(value) for value in values]) if scale is Scale.INTERVAL else np.arange(float(len(values)))
    whole = parts.sum(axis=0)
    alpha = _alpha(whole, sizes, scale)
    low, high = _resampled(parts, sizes, scale, (confidence, resamples, seed)) if alpha is not None else (None, None)
    n = float(whole.sum())
    return Reliability(
        alpha=Estimate(value=alpha, low=low, high=high, n=len(paired)),
        percent=float(np.trace(whole)) / n if n else None,
        judges=len({judge for said in paired for judge in said}),
        judgements=sum(map(len, paired)),
    )


def _values(paired: Sequence[Mapping[str, Value]], scale: Scale) -> list[Value]:
    found = {value for said in paired for value in said.values()}
    if scale is Scale.NOMINAL:
        return sorted(found, key=lambda value: (str(type(value)), str(value)))
    numbers = [value for value in found if isinstance(value, int | float)]
    if len(numbers) < len(found):
        odd = next(value for value in found if not isinstance(value, int | float))
        raise ValueError(f"expected numbers on an {scale.value} scale, found {odd!r}")
    return sorted(numbers)


def _coincidences(paired: Sequence[Mapping[str, Value]], values: Sequence[Value]) -> Array:
    """Return each thing's share of the coincidence matrix, things × values × values."""
    place = {value: number for number, value in enumerate(values)}
    out = np.zeros((len(paired), len(values), len(values)))
    for number, said in enumerate(paired):
        counts = np.zeros(len(values))
        for value in said.values():
            counts[place[value]] += 1
        out[number] = (np.outer(counts, counts) - np.diag(counts)) / (len(said) - 1)
    return out


def _alpha(matrix: Array, sizes: Array, scale: Scale) -> float | None:
    totals = matrix.sum(axis=1)
    n = totals.sum()
    differences = _differences(totals, sizes, scale)
    expected = float((np.outer(totals, totals) * differences).sum())
    if n < 2 or expected == 0:
        return None
    return 1 - float((n - 1) * (matrix * differences).sum()) / expected


def _differences(totals: Array, sizes: Array, scale: Scale) -> Array:
    """Return the squared differences of all pairs of values."""
    if scale is Scale.NOMINAL:
        return 1.0 - np.eye(len(totals))
    at = np.cumsum(totals) - totals / 2 if scale is Scale.ORDINAL else sizes
    squared: Array = (at[:, None] - at[None, :]) ** 2
    return squared


def _resampled(
    parts: Array, sizes: Array, scale: Scale, how: tuple[float, int, int]
) -> tuple[float | None, float | None]:
    confidence, resamples, seed = how
    rng = np.random.default_rng(seed)
    flat = parts.reshape(len(parts), -1)
    drawn = (rng.multinomial(len(parts), np.full(len(parts), 1 / len(parts))) for _ in range(resamples))
    alphas = [_alpha((counts @ flat).reshape(parts.shape[1:]), sizes, scale) for counts in drawn]
    known = [alpha for alpha in alphas if alpha is not None]
    if len(known) < 2:
        return None, None
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
