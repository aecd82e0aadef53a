"""The figures of a run, gathered attempt by attempt in little memory.

Decisions: a `Tally` keeps some hundred bytes of an attempt, whatever the attempt was, so that a run may have any number
of them; figures are made in the order of the scenarios, so that they do not depend on what ended first. The scenario is
the unit: attempts at one are averaged before any interval is made.
pass@k: the chance that at least one of k attempts succeeds, 1 − C(n−c, k) / C(n, k) of n attempts with c successes
(Chen et al. 2021, arXiv 2107.03374). pass^k: that all of k do, C(c, k) / C(n, k) (tau-bench, arXiv 2406.12045). Both
without bias, per scenario, then averaged; attempts that could not be judged do not count as attempts.
Limits: the table of tools pairs calls of one name first and the others in their order, which of two wrong calls stands
for which expected one nobody can know.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from evaluation.metrics import METRICS, SUCCESS, Metric, measured
from evaluation.outcomes import NO_TOOL, Outcome
from evaluation.records import FailureKind, Record, StopReason
from evaluation.scenarios import Scenario
from evaluation.stats.intervals import Estimate, mean_interval, share_interval
from evaluation.stats.quantiles import quantile_interval

_Column = NDArray[Any]
_K = TypeVar("_K", FailureKind, StopReason, tuple[str, str])


class Confusion(Record):
    """How often one tool was called where another one, or the same, was expected."""

    expected: str
    """Name of a tool, or `no tool`."""
    called: str
    count: int


class Slice(Record):
    """Figures of some of the scenarios."""

    scenarios: int
    metrics: dict[str, Estimate]
    """By metric (`evaluation/metrics.py`)."""


class RunFigures(Record):
    """What a run came to, each figure with its 95% interval and the number of scenarios that it rests on."""

    attempts: int
    scenarios: int
    metrics: dict[str, Estimate]
    pass_at: dict[int, Estimate]
    """By k: at least one of k attempts succeeds."""
    pass_all: dict[int, Estimate]
    """By k: all of k attempts succeed (pass^k)."""
    by_kind: dict[str, Slice]
    by_tag: dict[str, Slice]
    confusion: tuple[Confusion, ...]
    """Most frequent first."""
    failures: dict[FailureKind, int]
    """Attempts by their first failure."""
    stop_reasons: dict[StopReason, int]
    tokens_in: int
    tokens_out: int
    cost: float
    """Of all attempts together, in the currency of the price table."""


class Tally:
    """Gathers outcomes. Scenarios are told apart by their place in the run, not by their id."""

    def __init__(self, attempts: int = 1, metrics: Mapping[str, Metric] = METRICS) -> None:
        """Make an empty tally for runs of so many `attempts` at each scenario."""
        self.successes = 0
        self.failures: Counter[FailureKind] = Counter()
        self._attempts = attempts
        self._orders = array("q")
        self._metrics = metrics
        self._measured = {name: array("d") for name, metric in metrics.items() if metric.quantile is None}
        self._tokens_in, self._tokens_out = array("q"), array("q")
        self._slices: dict[tuple[str, tuple[str, ...]], int] = {}
        self._slice_of = array("i")
        self._confusion: Counter[tuple[str, str]] = Counter()
        self._stops: Counter[StopReason] = Counter()
        self._cost = 0.0

    def __len__(self) -> int:
        return len(self._orders)

    @property
    def cost(self) -> float:
        """What all attempts cost so far, in the order in which they ended."""
        return self._cost

    def add(self, order: int, scenario: Scenario, outcome: Outcome, stop: StopReason) -> None:
        """Count one attempt; `order` is its place among the attempts of the run."""
        self._orders.append(order)
        found = measured(outcome, self._metrics)
        for name, values in self._measured.items():
            values.append(found.get(name, math.nan))
        self._tokens_in.append(outcome.tokens_in)
        self._tokens_out.append(outcome.tokens_out)
        key = (scenario.kind.value, scenario.tags)
        self._slice_of.append(self._slices.setdefault(key, len(self._slices)))
        self._stops[stop] += 1
        self._cost += outcome.cost
        self.successes += outcome.task_success is True
        if outcome.failure is not None:
            self.failures[outcome.failure] += 1
        if not scenario.expected.any_call:
            expected, called = (
                [call.name for call in calls] for calls in (outcome.expected_calls, outcome.given_calls)
            )
            self._confusion.update(confusions(expected, called))

    def figures(self) -> RunFigures:
        """Return the figures of what was counted so far."""
        orders = np.asarray(self._orders)
        ranks = np.argsort(orders, kind="stable")
        columns = {name: np.asarray(values)[ranks] for name, values in self._measured.items()}
        table = _Table(orders[ranks] // self._attempts, columns, self._metrics)
        tallied = range(1, self._attempts + 1)
        kinds, tags = self._names()
        slices = np.asarray(self._slice_of)[ranks]
        return RunFigures(
            attempts=len(self),
            scenarios=table.count(),
            metrics=table.metrics(),
            pass_at={k: table.chance(k, all_of=False) for k in tallied},
            pass_all={k: table.chance(k, all_of=True) for k in tallied},
            by_kind={name: table.slice(np.isin(slices, kinds[name])) for name in sorted(kinds)},
            by_tag={name: table.slice(np.isin(slices, tags[name])) for name in sorted(tags)},
            confusion=tuple(
                Confusion(expected=expected, called=called, count=count)
                for (expected, called), count in _most_first(self._confusion)
            ),
            failures=dict(_most_first(self.failures)),
            stop_reasons=dict(_most_first(self._stops)),
            tokens_in=sum(self._tokens_in),
            tokens_out=sum(self._tokens_out),
            cost=math.fsum(self._measured["cost"]),
        )

    def _names(self) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        """Return the numbers of the slices by kind, and by tag."""
        kinds: dict[str, list[int]] = defaultdict(list)
        tags: dict[str, list[int]] = defaultdict(list)
        for (kind, tagged), number in self._slices.items():
            kinds[kind].append(number)
            for tag in tagged:
                tags[tag].append(number)
        return kinds, tags


@dataclass(frozen=True)
class _Table:
    """Attempts in the order of the run."""

    scenarios: _Column
    """Which scenario each is at. Sorted."""
    measured: Mapping[str, _Column]
    """By metric of one attempt; NaN where it was not judged."""
    defined: Mapping[str, Metric]

    def count(self) -> int:
        return len(np.unique(self.scenarios))

    def metrics(self) -> dict[str, Estimate]:
        return {name: self._figure(metric) for name, metric in self.defined.items()}

    def slice(self, chosen: _Column) -> Slice:
        columns = {name: values[chosen] for name, values in self.measured.items()}
        some = _Table(self.scenarios[chosen], columns, self.defined)
        return Slice(scenarios=some.count(), metrics=some.metrics())

    def chance(self, k: int, *, all_of: bool) -> Estimate:
        """Return pass^k (`all_of`) or pass@k over the scenarios with at least k attempts that were judged."""
        made, right = self._per_scenario(SUCCESS)
        enough = made >= k
        pairs = zip(made[enough], right[enough], strict=True)
        values = np.array([_chance(int(n), int(c), k, all_of=all_of) for n, c in pairs])
        return share_interval(values, made[enough])

    def _figure(self, metric: Metric) -> Estimate:
        made, totals = self._per_scenario(metric.figure)
        if metric.quantile is not None:
            return quantile_interval(totals / made, metric.quantile)
        return share_interval(totals / made, made) if metric.binary else mean_interval(totals / made)

    def _per_scenario(self, name: str) -> tuple[_Column, _Column]:
        """Return the number of judged attempts and their sum, of each scenario that has one."""
        values = self.measured[name]
        judged = ~np.isnan(values)
        _, places, made = np.unique(self.scenarios[judged], return_inverse=True, return_counts=True)
        return made, np.bincount(places, weights=values[judged], minlength=len(made))


def summarize(outcomes: Iterable[Outcome], metrics: Mapping[str, Metric] = METRICS) -> dict[str, Estimate]:
    """Return each metric over scenarios with its 95% interval; `n` counts scenarios where it was measured."""
    found = list(outcomes)
    places: dict[str, int] = {}
    for outcome in found:
        places.setdefault(outcome.scenario_id, len(places))
    found.sort(key=lambda outcome: places[outcome.scenario_id])
    rows = [measured(outcome, metrics) for outcome in found]
    columns = {
        name: np.array([row.get(name, np.nan) for row in rows], dtype=np.float64)
        for name, metric in metrics.items()
        if metric.quantile is None
    }
    scenarios = np.array([places[outcome.scenario_id] for outcome in found], dtype=np.int64)
    return _Table(scenarios, columns, metrics).metrics()


def confusions(expected: Sequence[str], called: Sequence[str]) -> list[tuple[str, str]]:
    """Return pairs of the tool expected and the one called, `NO_TOOL` where one side has none."""
    if not expected and not called:
        return [(NO_TOOL, NO_TOOL)]
    both = Counter(expected) & Counter(called)
    wanted, found = _without(expected, both), _without(called, both)
    same = [(name, name) for name in both.elements()]
    return same + list(zip_longest(wanted, found, fillvalue=NO_TOOL))


def _without(names: Sequence[str], some: Counter[str]) -> list[str]:
    left, out = Counter(some), []
    for name in names:
        if left[name]:
            left[name] -= 1
        else:
            out.append(name)
    return out


def _chance(n: int, c: int, k: int, *, all_of: bool) -> float:
    """Return the chance that of k attempts, drawn from n with c successes, one succeeds; or all of them."""
    if k == 1:
        return c / n
    return math.comb(c, k) / math.comb(n, k) if all_of else 1 - math.comb(n - c, k) / math.comb(n, k)


def _most_first(counts: Mapping[_K, int]) -> list[tuple[_K, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
