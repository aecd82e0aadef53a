"""Do two who judge the same things agree, and is one who is sure as often right? Pure functions of labelled verdicts.

Decisions: raw agreement with its exact interval beside Cohen's kappa, which takes out what two would agree on by
chance, and is None where chance alone explains everything (both always say the same one thing). Confidences of wrong
and right verdicts are binned by width; a bin nobody fell into is left out, and every other says how many it rests on.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import groupby

from evaluation.records import Record
from evaluation.stats.intervals import Estimate, proportion


class Agreement(Record):
    """How far two judges agree."""

    raw: Estimate
    """Share of the things on which both say the same."""
    kappa: float | None
    """Cohen's kappa (1960): 1 always, 0 as by chance, below 0 less than by chance."""


class Bin(Record):
    """Verdicts of about the same confidence."""

    low: float
    high: float
    """Confidences from `low` to below `high`; the last bin holds 1, too."""
    confidence: float
    """Their mean."""
    accuracy: Estimate
    """How many of them were right; its `n` counts the bin."""


class Calibration(Record):
    """Whether confidence means something: a reliability table."""

    bins: tuple[Bin, ...]
    """Those that are not empty, by confidence."""
    expected_error: float | None
    """Mean distance of a bin's confidence from its accuracy, weighted by counts (Naeini 2015). None: no verdict."""
    accuracy: Estimate
    """Of all verdicts."""


def agreement(pairs: Sequence[tuple[Hashable, Hashable]]) -> Agreement:
    """Return how far the two of each pair agree. The order of a pair's two does not matter to the figures."""
    same = sum(one == other for one, other in pairs)
    raw = proportion(same, len(pairs))
    if not pairs:
        return Agreement(raw=raw, kappa=None)
    ones, others = [one for one, _ in pairs], [other for _, other in pairs]
    by_chance = sum(ones.count(label) * others.count(label) for label in dict.fromkeys(ones)) / len(pairs) ** 2
    observed = same / len(pairs)
    return Agreement(raw=raw, kappa=None if by_chance == 1 else (observed - by_chance) / (1 - by_chance))


def calibration(verdicts: Sequence[tuple[float, bool]], bins: int = 10) -> Calibration:
    """Return the reliability of `(confidence, right)` pairs over `bins` of equal width.

    Raises `ValueError` where a confidence lies outside 0…1 (NaN does), or there is no bin.
    """
    outside = [confidence for confidence, _ in verdicts if not 0 <= confidence <= 1]
    if outside or bins < 1:
        raise ValueError(f"expected confidences from 0 to 1 and at least one bin, found {outside[:5]} and {bins} bins")

    def of(verdict: tuple[float, bool]) -> int:
        return min(int(verdict[0] * bins), bins - 1)

    table = [
        _bin(number / bins, (number + 1) / bins, list(g)) for number, g in groupby(sorted(verdicts, key=of), key=of)
    ]
    gaps = [b.accuracy.n * abs(b.confidence - (b.accuracy.value or 0.0)) for b in table]
    return Calibration(
        bins=tuple(table),
        expected_error=sum(gaps) / len(verdicts) if verdicts else None,
        accuracy=proportion(sum(right for _, right in verdicts), len(verdicts)),
    )


def _bin(low: float, high: float, verdicts: Sequence[tuple[float, bool]]) -> Bin:
    mean = sum(confidence for confidence, _ in verdicts) / len(verdicts)
    return Bin(low=low, high=high, confidence=mean, accuracy=proportion(sum(r for _, r in verdicts), len(verdicts)))
