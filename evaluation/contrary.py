"""Parts of the scenarios that go against the whole: worse there though better overall (Simpson's trap), or the reverse.

Decisions: a part is named where its whole interval lies on the other side, or where it only points there and rests on
enough scenarios to look at; the two are told apart. Parts that hold nearly all scenarios say nothing of their own.
Limits: each part has its own 95% interval, so that among many parts one in forty goes the wrong way by chance.
"""

from __future__ import annotations

from enum import StrEnum

from evaluation.compare import Comparison, SliceFigures
from evaluation.metrics import Metric
from evaluation.records import Record
from evaluation.stats.intervals import Estimate

FEWEST = 10
"""Scenarios that a part needs to show anything."""

LEAST = 30
"""Scenarios from which on a part that only points the other way is named."""

NEARLY_ALL = 0.9
"""A part with this share of the scenarios is the whole."""


class Strength(StrEnum):
    """How sure it is."""

    SHOWN = "shown"
    """The whole interval lies on the other side."""
    HINTED = "hinted"
    """The figure does, its interval holds zero."""


class Contrary(Record):
    """A part that goes against the whole."""

    metric: str
    slice: str
    worse: bool
    """Worse there though better on the whole; else the reverse."""
    strength: Strength
    whole: Estimate
    """Candidate − base over all scenarios."""
    part: Estimate
    """The same in this part."""


def contrary(comparison: Comparison, metric: Metric) -> list[Contrary]:
    """Return the parts against the whole in one metric, the surest and largest first; none where the whole is open."""
    whole = comparison.metrics[metric.name].difference
    if whole.low is None or whole.high is None or whole.low <= 0 <= whole.high:
        return []
    better = metric.better(whole.low)
    found = []
    for part in comparison.slices:
        figures = part.metrics.get(metric.name)
        if figures is None or figures.difference.n >= NEARLY_ALL * whole.n:
            continue
        strength = _strength(figures, 1.0 if whole.low > 0 else -1.0)
        if strength is not None:
            found.append(
                Contrary(
                    metric=metric.name,
                    slice=part.name,
                    worse=better,
                    strength=strength,
                    whole=whole,
                    part=figures.difference,
                )
            )
    return sorted(found, key=lambda one: (one.strength is not Strength.SHOWN, -abs(one.part.value or 0), one.slice))


def _strength(part: SliceFigures, sign: float) -> Strength | None:
    """Return how surely a part goes against a whole of this sign; None where it does not."""
    value, low, high = part.difference.value, part.difference.low, part.difference.high
    if value is None or value * sign >= 0:
        return None
    if low is not None and high is not None and low < high and part.difference.n >= FEWEST:
        far = high if sign > 0 else -low
        if far < 0:
            return Strength.SHOWN
    return Strength.HINTED if part.difference.n >= LEAST else None
