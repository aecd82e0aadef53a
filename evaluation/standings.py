"""All versions ranked on the scenarios that they share, from the ledger's examples. Pure.

Decisions: of each version on each scenario its latest run counts, with the mean of its attempts; a metric where lower
is better is turned round. Scenarios with the same id but another question are different ones. The same examples give
the same figures, in whatever order they come. How strengths are found: `evaluation/stats/ratings.py`.
"""

from __future__ import annotations

from collections.abc import Iterable

from evaluation.explain import latest
from evaluation.metrics import Direction, Metric
from evaluation.records import Example, Record
from evaluation.stats.ratings import Rating, ratings


class Standing(Record):
    """One version among the others."""

    rating: Rating
    scenarios: int
    """That it attempted, shared or not."""
    mean: float
    """Of the metric, over these."""


def standings(examples: Iterable[Example], metric: Metric) -> list[Standing]:
    """Return versions ranked, group after group, best first. Raises `ValueError` for a quantile."""
    if metric.quantile is not None:
        raise ValueError(
            f"--metric: expected a metric of single attempts, found {metric.name}, a quantile; `{metric.reads}` is one"
        )
    sign = 1.0 if metric.direction is Direction.HIGHER else -1.0
    found = {version: of for version, of in latest(examples, metric).items() if of}
    scores = {
        version: {f"{scenario}\n{query}": sign * one.value for (scenario, query), one in of.items()}
        for version, of in found.items()
    }
    return [
        Standing(
            rating=rating,
            scenarios=len(scores[rating.version]),
            mean=sum(one.value for one in found[rating.version].values()) / len(scores[rating.version]),
        )
        for rating in (ratings(scores) if scores else [])
    ]
