"""A comparison that is looked at while it runs: intervals that hold at every moment, and when it is decided. Pure.

Decisions: yes-or-no figures, shares and qualities have known bounds, so that their interval is exact at every moment
(`stats/betting.py`); tokens, latency and cost have none and get Robbins' normal mixture over the paired differences,
which is asymptotic, asks for `LEAST` scenarios, and can be fooled by rare extremes: they may guard and not decide
(`ratchet ab` refuses them as the first metric). "Not worse by more than the margin" is itself a paired difference,
candidate − (1 ± margin) × base, against zero, so that no ratio is needed. The level is divided by the number of metrics
and arms. Limits: scenarios count one by one, also where attempts repeat or groups resemble each other, and have to come
in an order that has nothing to do with how they end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from evaluation.ab import Conclusion, MetricResult, Question
from evaluation.compare import Comparison, MetricComparison, Pairs, paired_values
from evaluation.metrics import Direction, Metric
from evaluation.pair_rows import PairRow
from evaluation.stats.betting import PairedSequence
from evaluation.stats.intervals import Array, Estimate
from evaluation.stats.sequential import robbins_radius

LEAST = 200
"""Scenarios that an asymptotic interval rests on at least: rare large figures show late."""

TUNED_AT = 200
"""Scenarios at which the asymptotic interval is tightest."""


def watch_results(
    rows: Sequence[PairRow], comparison: Comparison, question: Question, metrics: Mapping[str, Metric], *, arms: int = 1
) -> dict[str, MetricResult]:
    """Return by metric what the always-valid intervals say so far; `arms`: how many are compared with the first."""
    alpha = question.alpha / (len(question.metrics) * arms)
    pairs = paired_values(rows, comparison.base_arm, comparison.candidate_arm, metrics=metrics, names=question.metrics)
    return {
        name: _result(metrics[name], comparison.metrics[name], pairs[name], margin=question.margin, alpha=alpha)
        for name in question.metrics
    }


def decided(
    rows: Sequence[PairRow], comparison: Comparison, question: Question, metrics: Mapping[str, Metric], *, arms: int = 1
) -> bool:
    """Whether the metric that decides is told by now."""
    alpha = question.alpha / len(question.metrics)
    strict = question.model_copy(update={"metrics": question.metrics[:1], "alpha": alpha})
    found = watch_results(rows, comparison, strict, metrics, arms=arms)[question.primary]
    return found.conclusion is not Conclusion.UNCLEAR


def _result(metric: Metric, compared: MetricComparison, pairs: Pairs, *, margin: float, alpha: float) -> MetricResult:
    base, candidate = pairs
    most = metric.most
    higher = metric.direction is Direction.HIGHER
    difference = always_valid(candidate - base, most, alpha)
    factor = 1 - margin if higher else 1 + margin
    against = always_valid(candidate - factor * base, None if most is None else most * max(1.0, factor), alpha)
    sign = 1.0 if higher else -1.0
    above = _whole(difference, sign)
    if above == 1:
        conclusion = Conclusion.BETTER
    elif _whole(against, sign) == 1:
        conclusion = Conclusion.EQUAL
    else:
        conclusion = Conclusion.WORSE if above == -1 else Conclusion.UNCLEAR
    shown = compared.model_copy(update={"difference": difference, "p_value": None})
    return MetricResult(metric=metric.name, conclusion=conclusion, compared=shown, p_holm=None, further=None)


def _whole(interval: Estimate, sign: float) -> int:
    """Return 1 where the whole interval lies on the good side of zero, −1 on the bad one, 0 where it holds zero."""
    if interval.low is None or interval.high is None or interval.n == 0:
        return 0
    low, high = sorted((interval.low * sign, interval.high * sign))
    return 1 if low > 0 else -1 if high < 0 else 0


def always_valid(differences: Array, most: float | None, alpha: float) -> Estimate:
    """Return the mean of paired differences with its always-valid interval. `differences`: (n,), within ±`most`."""
    n = len(differences)
    if most is not None:
        sequence = PairedSequence(alpha)
        sequence.add(np.clip(differences / most, -1.0, 1.0))
        found = sequence.interval()
        value, low, high = (None if part is None else part * most for part in (found.value, found.low, found.high))
        return Estimate(value=value, low=low, high=high, n=n)
    value = float(differences.mean()) if n else None
    if value is None or n < LEAST or not np.ptp(differences):
        return Estimate(value=value, low=None, high=None, n=n)
    radius = robbins_radius(n, float(differences.std(ddof=1)), alpha, TUNED_AT)
    return Estimate(value=value, low=value - radius, high=value + radius, n=n)
