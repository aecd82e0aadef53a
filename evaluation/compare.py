"""Two arms on the same scenarios, side by side: every figure that follows from their rows (`evaluation/pair_rows.py`).

Decisions: the scenario is the unit; attempts at the same scenario are averaged before anything is tested, and where
attempts repeat, scenarios of one group count as one observation for every interval and test. Latency and cost are
compared on scenarios that both arms solved in every attempt, so that giving up early is no saving. The result depends
on the rows alone, not on their order. Not covered: more than two arms at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluation.metrics import METRICS, SUCCESS, Coverage, Direction, Metric
from evaluation.outcomes import NO_TOOL
from evaluation.pair_rows import Paired, PairRow, Problems, Units, pair
from evaluation.records import Record
from evaluation.stats.bounded import few_differ, fractions, outer_difference, outer_ratio
from evaluation.stats.clustered import (
    clustered_log_ratio,
    clustered_mean,
    clustered_permutation,
    clustered_share,
)
from evaluation.stats.intervals import Array, Estimate, proportion
from evaluation.stats.linear import linear_mean
from evaluation.stats.paired import count_pairs, difference_of_proportions, mcnemar, ratio_of_proportions
from evaluation.stats.quantiles import (
    paired_quantile_difference,
    paired_quantile_ratio,
    paired_quantile_test,
    quantile_interval,
)

Codes = NDArray[np.int64]

HELD_OUT_TOOL = "held_out_tool"


class MetricComparison(Record):
    """One metric on the pairs."""

    direction: Direction
    base: Estimate
    candidate: Estimate
    difference: Estimate
    """Candidate − base over `difference.n` scenarios."""
    ratio: Estimate
    """Candidate / base; undefined where the base is zero."""
    p_value: float | None
    """Two-sided: McNemar for binary outcomes, sign flips for others. None without pairs."""
    identical: bool
    """Both arms gave the same figure on every pair."""
    missing: int
    """Scenarios that should have been compared but lack the figure in an arm."""
    both_solved: bool = False
    """Only scenarios that both arms solved are compared."""


class SliceFigures(Record):
    """One metric on a part of the scenarios."""

    base: Estimate
    candidate: Estimate
    difference: Estimate
    """Candidate − base."""


class Slice(Record):
    """The comparison on a part of the scenarios: `kind:<kind>`, `tool:<expected tool>` or `tag:<tag>`."""

    name: str
    scenarios: int
    metrics: dict[str, SliceFigures]
    """Those that were measured there; intervals are exact for yes or no, else by Student's t."""

    @property
    def division(self) -> str:
        """`kind`, `tool` or `tag`."""
        return self.name.partition(":")[0]


class Comparison(Record):
    """Everything that follows from the rows."""

    base_arm: str
    candidate_arm: str
    alpha: float
    """One minus the level of the intervals."""
    scenarios: int
    """Scenarios that were paired."""
    attempts: int
    """Pairs of attempts."""
    clusters: int | None = None
    """Groups of scenarios that count as one observation each; None where every scenario counts by itself."""
    groups: int
    """Groups that the scenarios are of, whether or not they count as one."""
    base: dict[str, Estimate]
    """Every metric over all scenarios that the arm attempted; latency and cost where both arms solved them."""
    candidate: dict[str, Estimate]
    metrics: dict[str, MetricComparison]
    """Every metric on the pairs."""
    slices: tuple[Slice, ...]
    """By kind, expected tool, and tag."""
    problems: Problems
    rows_hash: str
    """Digest of the rows, their order aside."""


def summarise(
    rows: Iterable[PairRow],
    base: str = "base",
    candidate: str = "candidate",
    *,
    alpha: float = 0.05,
    metrics: Mapping[str, Metric] = METRICS,
) -> Comparison:
    """Compare arm `candidate` with arm `base`. An empty arm gives a comparison without figures, not an error."""
    paired = pair(rows, base, candidate, metrics=metrics)
    table = _table(paired, metrics)
    compared = {name: _compared(table, metric, alpha) for name, metric in metrics.items()}
    arms = {}
    for arm, of in ((base, _base_of), (candidate, _candidate_of)):
        alone = _arm_figures(paired.kept[arm], metrics, table.clustered, alpha)
        arms[arm] = {name: alone.get(name) or of(compared[name]) for name in metrics}
    return Comparison(
        base_arm=base,
        candidate_arm=candidate,
        alpha=alpha,
        scenarios=len(paired.scenarios),
        attempts=sum(len(units.attempts) for units in paired.scenarios),
        clusters=len(np.unique(table.groups)) if table.clustered else None,
        groups=len(np.unique(table.groups)),
        base=arms[base],
        candidate=arms[candidate],
        metrics=compared,
        slices=_slices(paired.scenarios, table, metrics, alpha),
        problems=paired.problems,
        rows_hash=paired.rows_hash,
    )


def _base_of(metric: MetricComparison) -> Estimate:
    return metric.base


def _candidate_of(metric: MetricComparison) -> Estimate:
    return metric.candidate


class _Table(NamedTuple):
    """The paired scenarios as columns, (scenarios,) each."""

    base: dict[str, Array]
    """By figure: the mean of a scenario's attempts; NaN where any is missing."""
    candidate: dict[str, Array]
    solved: NDArray[np.bool_]
    """By both arms in every attempt."""
    groups: Codes
    clustered: bool


def _table(paired: Paired, metrics: Mapping[str, Metric]) -> _Table:
    units = paired.scenarios
    figures = sorted({SUCCESS, *(metric.figure for metric in metrics.values())})
    sides = [_columns([[pair[side] for pair in one.attempts] for one in units], figures) for side in (0, 1)]
    solved = np.logical_and(sides[0][SUCCESS] == 1, sides[1][SUCCESS] == 1)
    return _Table(sides[0], sides[1], solved, _codes(units), any(len(one.attempts) > 1 for one in units))


def _columns(scenarios: Sequence[Sequence[PairRow]], names: Iterable[str]) -> dict[str, Array]:
    """Return by figure the mean of each scenario's attempts: (scenarios,), NaN where any attempt lacks it."""
    sizes = np.array([len(rows) for rows in scenarios], dtype=np.int64)
    measured = [row.measured for rows in scenarios for row in rows]
    columns = {}
    for name in names:
        found = [one.get(name) for one in measured]
        values = np.array([np.nan if value is None else value for value in found], dtype=np.float64)
        columns[name] = np.add.reduceat(values, np.cumsum(sizes) - sizes) / sizes if len(sizes) else values
    return columns


def _codes(units: Sequence[Units]) -> Codes:
    places = {name: place for place, name in enumerate(sorted({one.row.group for one in units}))}
    return np.array([places[one.row.group] for one in units], dtype=np.int64)


def _arm_figures(
    kept: Mapping[str, list[PairRow]], metrics: Mapping[str, Metric], clustered: bool, alpha: float
) -> dict[str, Estimate]:
    scenarios = [kept[name] for name in sorted(kept)]
    groups = _codes([Units(rows[0], []) for rows in scenarios])
    columns = _columns(scenarios, {metric.figure for metric in metrics.values() if not metric.both_solved})
    figures = {}
    for name, metric in metrics.items():
        if not metric.both_solved:
            values = columns[metric.figure]
            there = ~np.isnan(values)
            figures[name] = _estimate(values[there], groups[there] if clustered else None, metric, alpha)
    return figures


def _estimate(values: Array, groups: Codes | None, metric: Metric, alpha: float) -> Estimate:
    if metric.quantile is not None:
        return quantile_interval(values, metric.quantile, alpha)
    codes = np.arange(len(values)) if groups is None else groups
    if metric.binary:
        if groups is None and np.isin(values, (0, 1)).all():
            return proportion(int(values.sum()), len(values), alpha)
        return clustered_share(values, codes, alpha)
    return within(clustered_mean(values, codes, alpha), None if metric.most is None else (0.0, metric.most))


def within(estimate: Estimate, bounds: tuple[float, float] | None) -> Estimate:
    """Return the estimate with an interval that holds nothing which cannot be."""
    if bounds is None or estimate.low is None or estimate.high is None:
        return estimate
    return estimate.model_copy(update={"low": max(bounds[0], estimate.low), "high": min(bounds[1], estimate.high)})


def _compared(table: _Table, metric: Metric, alpha: float) -> MetricComparison:
    base, candidate = table.base[metric.figure], table.candidate[metric.figure]
    asked = table.solved if metric.both_solved else np.ones(len(base), dtype=bool)
    there = asked & ~np.isnan(base) & ~np.isnan(candidate)
    neither = np.isnan(base) & np.isnan(candidate)
    lacking = {
        Coverage.EVERY: asked & ~there,
        Coverage.SAMPLED: asked & ~there & ~neither,
        Coverage.WHERE_BOTH: np.zeros(len(base), dtype=bool),
    }[metric.coverage]
    groups = table.groups[there] if table.clustered else None
    return _on_pairs(base[there], candidate[there], groups, metric, missing=int(lacking.sum()), alpha=alpha)


def _on_pairs(
    base: Array, candidate: Array, groups: Codes | None, metric: Metric, *, missing: int, alpha: float
) -> MetricComparison:
    difference, ratio, p_value = _test(base, candidate, groups, metric, alpha=alpha)
    return MetricComparison(
        direction=metric.direction,
        base=_estimate(base, groups, metric, alpha),
        candidate=_estimate(candidate, groups, metric, alpha),
        difference=difference,
        ratio=ratio,
        p_value=p_value if len(base) else None,
        identical=bool(len(base)) and bool((base == candidate).all()),
        missing=missing,
        both_solved=metric.both_solved,
    )


class _Tested(NamedTuple):
    difference: Estimate
    ratio: Estimate
    p_value: float


def _test(base: Array, candidate: Array, groups: Codes | None, metric: Metric, *, alpha: float) -> _Tested:
    """Compare the pairs by what fits: exact for yes or no, quantiles by swaps of arms, means by sign flips."""
    if metric.quantile is not None:
        q = metric.quantile
        return _Tested(
            paired_quantile_difference(base, candidate, q, alpha),
            paired_quantile_ratio(base, candidate, q, alpha),
            paired_quantile_test(base, candidate, q),
        )
    if metric.binary and groups is None and np.isin(np.concatenate([base, candidate]), (0, 1)).all():
        counts = count_pairs(base, candidate)
        return _Tested(difference_of_proportions(counts, alpha), ratio_of_proportions(counts, alpha), mcnemar(counts))
    codes = np.arange(len(base)) if groups is None else groups
    moved = candidate - base
    difference = clustered_mean(moved, codes, alpha)
    ratio = clustered_log_ratio(candidate, base, codes, alpha=alpha)
    if metric.most is not None and len(base) and few_differ(moved, codes):
        counts = fractions(base, candidate, metric.most, len(np.unique(codes)))
        difference = outer_difference(difference, counts, metric.most, alpha)
        ratio = outer_ratio(ratio, counts, alpha)
    difference = within(difference, None if metric.most is None else (-metric.most, metric.most))
    return _Tested(difference, ratio, clustered_permutation(moved, codes))


class Pairs(NamedTuple):
    """The figures of paired scenarios, (n,) each, in the order of their ids."""

    base: Array
    candidate: Array


def paired_values(
    rows: Iterable[PairRow], base: str, candidate: str, *, metrics: Mapping[str, Metric], names: Sequence[str]
) -> dict[str, Pairs]:
    """Return the pairs that a comparison of each metric rests on."""
    table = _table(pair(rows, base, candidate, metrics=metrics), metrics)
    found = {}
    for name in names:
        first, second = table.base[metrics[name].figure], table.candidate[metrics[name].figure]
        there = ~np.isnan(first) & ~np.isnan(second)
        there &= table.solved if metrics[name].both_solved else True
        found[name] = Pairs(first[there], second[there])
    return found


def slice_names(row: PairRow) -> list[str]:
    """Return the slices that a scenario lies in; tags that repeat kind or tool are none of their own."""
    tools = {call.name for call in row.expected_calls} or {NO_TOOL}
    tags = [tag for tag in row.tags if tag != row.kind.value and not tag.startswith("tool:")]
    return [f"kind:{row.kind}", *(f"tool:{name}" for name in sorted(tools)), *(f"tag:{tag}" for tag in tags)]


def _slices(
    scenarios: Sequence[Units], table: _Table, metrics: Mapping[str, Metric], alpha: float
) -> tuple[Slice, ...]:
    named: dict[str, list[int]] = defaultdict(list)
    for place, units in enumerate(scenarios):
        for name in dict.fromkeys(slice_names(units.row)):
            named[name].append(place)
    return tuple(_slice(name, np.array(named[name]), table, metrics, alpha=alpha) for name in sorted(named))


def _slice(name: str, places: Codes, table: _Table, metrics: Mapping[str, Metric], *, alpha: float) -> Slice:
    figures = {}
    for key, metric in metrics.items():
        base, candidate = table.base[metric.figure][places], table.candidate[metric.figure][places]
        there = ~np.isnan(base) & ~np.isnan(candidate)
        there &= table.solved[places] if metric.both_solved else True
        if metric.quantile is None and there.any():
            groups = table.groups[places][there] if table.clustered else None
            figures[key] = _slice_figures(base[there], candidate[there], groups, metric=metric, alpha=alpha)
    return Slice(name=name, scenarios=len(places), metrics=figures)


def _slice_figures(
    base: Array, candidate: Array, groups: Codes | None, *, metric: Metric, alpha: float
) -> SliceFigures:
    whole = metric.binary and groups is None and bool(np.isin(np.concatenate([base, candidate]), (0, 1)).all())
    if whole:
        counts = count_pairs(base, candidate)
        difference = difference_of_proportions(counts, alpha)
        return SliceFigures(
            base=proportion(int(counts.base), len(base), alpha),
            candidate=proportion(int(counts.candidate), len(base), alpha),
            difference=difference,
        )
    low, high = (-np.inf, np.inf) if metric.most is None else (0.0, metric.most)
    sides = [linear_mean(values, groups, alpha, low=low, high=high) for values in (base, candidate)]
    moved = linear_mean(candidate - base, groups, alpha, low=-high, high=high)
    return SliceFigures(base=sides[0], candidate=sides[1], difference=moved)
