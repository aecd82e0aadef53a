"""The quality of many examples, with intervals, and whether people who rated them see it the same way.

Decisions: quality is reckoned anew by the weights that are given, feedback included. Attempts at one scenario, and what
was said in one conversation, are averaged first, because only scenarios and conversations are independent of each
other. Agreement leaves people's own words out of the quality that is held against them. Memory grows with the number of
examples by a few numbers each.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from evaluation.quality import BEST, COMPONENTS, QualityConfig, quality_of, unrated
from evaluation.records import Example, Feedback, Record
from evaluation.stats.correlation import RankCorrelation, rank_correlation
from evaluation.stats.intervals import Estimate, mean_interval

BIN = 0.5
"""Width of the bins of the histogram."""
BINS = round(BEST / BIN)


class QualityReport(Record):
    """The quality of some examples. `n` of an estimate counts scenarios and conversations."""

    examples: int
    judged: int
    """Those that have a quality."""
    quality: Estimate
    """Mean, 0 to 5."""
    components: dict[str, Estimate]
    """Mean of each, 0 to 1, where it applies."""
    histogram: tuple[int, ...]
    """Examples by quality, from 0 in bins of 0.5; the last bin has its upper end in it."""
    agreement: RankCorrelation | None
    """Between quality and mean rating, one pair per scenario or conversation; None without ratings."""


class Scored(NamedTuple):
    """What is kept of one example."""

    group: str
    value: float | None
    components: dict[str, float | None]
    rated: tuple[float, float] | None
    """Quality without people's word, and their mean rating."""


def quality_report(
    examples: Iterable[tuple[Example, Sequence[Feedback]]], config: QualityConfig | None = None
) -> QualityReport:
    """Return the quality of examples, each with what people said of it."""
    config = config or QualityConfig()
    scored = [score(example, feedback, config) for example, feedback in examples]
    values = [one.value for one in scored if one.value is not None]
    bins = Counter(min(int(value / BIN), BINS - 1) for value in values)
    pairs = _pairs(scored)
    return QualityReport(
        examples=len(scored),
        judged=len(values),
        quality=_mean((one.group, one.value) for one in scored),
        components={name: _mean((one.group, one.components[name]) for one in scored) for name in COMPONENTS},
        histogram=tuple(bins[number] for number in range(BINS)),
        agreement=quality_agreement(pairs) if pairs else None,
    )


def quality_agreement(pairs: Sequence[tuple[float, float]]) -> RankCorrelation:
    """Return the rank correlation, with its 95% interval, of quality and the mean human rating of each example."""
    quality, rating = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
    return rank_correlation(quality, rating)


def reading(found: RankCorrelation | None) -> str:
    """Return in a sentence what the agreement says."""
    if found is None:
        return "no ratings yet: whether people see quality the same way is not known"
    value, low, high = found.spearman.value, found.spearman.low, found.spearman.high
    if value is None or low is None or high is None:
        return f"whether people see quality the same way cannot be told: {found.reason}"
    if low > 0:
        return "what has more quality is rated higher: 1 would be the same order throughout, 0 none"
    if high < 0:
        return (
            "what has more quality is rated lower: quality measures something else than people want; change its weights"
        )
    return "no agreement is shown, nor that there is none: the interval holds 0; more ratings would tell"


def score(example: Example, feedback: Sequence[Feedback], config: QualityConfig) -> Scored:
    """Return one example's quality, and what is needed to compare it with people's."""
    at = example.provenance
    found = quality_of(example, feedback, config)
    ratings = [f.rating for f in feedback]
    alone = quality_of(unrated(example), (), config).value if ratings else None
    return Scored(
        at.scenario_id or example.conversation or example.id,
        found.value,
        found.components,
        None if alone is None else (alone, sum(ratings) / len(ratings)),
    )


def _pairs(scored: Iterable[Scored]) -> list[tuple[float, float]]:
    groups: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for one in scored:
        if one.rated is not None:
            groups[one.group].append(one.rated)
    return [(sum(q for q, _ in each) / len(each), sum(r for _, r in each) / len(each)) for each in groups.values()]


def _mean(values: Iterable[tuple[str, float | None]]) -> Estimate:
    groups: dict[str, list[float]] = defaultdict(list)
    for group, value in values:
        if value is not None:
            groups[group].append(value)
    return mean_interval(np.array([sum(each) / len(each) for each in groups.values()], dtype=np.float64))
