"""What production came to, day by day, from its examples: figures, what it cost, and what was asked of it. Pure.

Decisions: examples come as a stream and are not held; of each, 8 bytes a metric are kept, and the hash of its id, so
that it counts once whatever comes twice. A figure is of one version on one day (UTC), over all task keys or for one;
the interval is over conversations, since requests of one resemble each other: exact at the effective sample size for
shares, Student's for means. What is not from production is left out. An outcome that the asking side reported counts as
task success where no validator judged. A figure that is infinite is no figure.
Limits: quantiles have the interval of independent requests.
"""

from __future__ import annotations

import hashlib
import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import NamedTuple

import numpy as np

from evaluation.ledger.records import Observation
from evaluation.metrics import Metric, measured
from evaluation.observed import Seen, observations
from evaluation.outcomes import NO_TOOL, outcome_of
from evaluation.records import Example, Record, Source
from evaluation.stats.clustered import clustered_share
from evaluation.stats.intervals import Array, Estimate
from evaluation.stats.linear import linear_mean
from evaluation.stats.quantiles import quantile_interval
from evaluation.stats.trends import Drift, category_drift, drift

UNKNOWN = "unknown version"


class InputDrift(Record):
    """How one thing that users ask for moved, the later half of the days against the earlier."""

    name: str
    """`task key`, `tool asked for`, `query length`."""
    drift: Drift
    most: tuple[tuple[str, float, float], ...] = ()
    """What moved most: its name, its share before and after."""


class Spend(NamedTuple):
    """What one day cost."""

    day: date
    cost: float
    """In the currency of the price table."""


class _Cell:
    """One version, one day, one task key."""

    def __init__(self, metrics: Iterable[str]) -> None:
        self.conversations = array("q")
        self.values = {name: array("d") for name in metrics}
        self.last: datetime | None = None


class _Asked:
    """What was asked for on one day."""

    def __init__(self) -> None:
        self.task_keys: Counter[str] = Counter()
        self.tools: Counter[str] = Counter()
        self.lengths = array("d")


class Production:
    """Gathers production examples, in any order."""

    def __init__(self, metrics: Mapping[str, Metric], until: datetime | None = None) -> None:
        """Make an empty one for these metrics. Examples after `until` are counted in `ahead`, and left out."""
        self.ahead = 0
        self._until = until
        self._metrics = metrics
        self._figures = sorted({metric.figure for metric in metrics.values()})
        self._measures = {name: one for name, one in metrics.items() if one.quantile is None}
        self._cells: dict[tuple[str, date, str], _Cell] = {}
        self._asked: dict[date, _Asked] = defaultdict(_Asked)
        self._costs: dict[date, array[float]] = defaultdict(lambda: array("d"))
        self._ids: set[int] = set()

    def add(self, example: Example) -> None:
        """Count one example, if it is from production and was not counted yet."""
        key = _code(example.id)
        if example.provenance.source is not Source.PRODUCTION or key in self._ids:
            return
        self._ids.add(key)
        if self._until is not None and example.timestamp > self._until:
            self.ahead += 1
            return
        day = example.timestamp.date()
        version = example.provenance.model_version or example.provenance.variant or UNKNOWN
        cell = self._cells.setdefault((version, day, example.task_key), _Cell(self._figures))
        cell.last = max(cell.last or example.timestamp, example.timestamp)
        cell.conversations.append(_code(example.conversation or example.id))
        found = measured(outcome_of(None, example), self._measures)
        for name, values in cell.values.items():
            value = found.get(name, math.nan)
            values.append(value if math.isfinite(value) else math.nan)
        self._costs[day].append(example.metrics.cost if math.isfinite(example.metrics.cost) else 0.0)
        asked = self._asked[day]
        asked.task_keys[example.task_key] += 1
        asked.tools[example.tools_used[0] if example.tools_used else NO_TOOL] += 1
        asked.lengths.append(len(example.query))

    def __len__(self) -> int:
        return len(self._ids) - self.ahead

    def observations(self, task_key: str = "") -> list[Observation]:
        """Return the figures by version and day, over all task keys (empty) or for one, by time."""
        days: dict[tuple[str, date], list[_Cell]] = defaultdict(list)
        for (version, day, key), cell in sorted(self._cells.items(), key=lambda item: item[0]):
            if task_key in ("", key):
                days[version, day].append(cell)
        out: list[Observation] = []
        for (version, day), cells in days.items():
            at = max(cell.last for cell in cells if cell.last is not None)
            seen = Seen("production", day.isoformat(), "", at, task_key)
            out += observations(version, self._estimates(cells), seen)
        return sorted(out, key=lambda one: (one.at, one.id))

    def values(self, metric: str) -> tuple[Array, Array]:
        """Return the single figures of the earlier and of the later half of the days: (n,) and (m,)."""
        figure = self._metrics[metric].figure
        early = self._early()
        sides: tuple[list[Array], list[Array]] = ([], [])
        for (_, day, _), cell in sorted(self._cells.items(), key=lambda item: item[0]):
            found = np.frombuffer(cell.values[figure], dtype=np.float64)
            sides[day not in early].append(np.sort(found[~np.isnan(found)]))
        earlier, later = (np.concatenate(side) if side else np.empty(0) for side in sides)
        return earlier, later

    def spending(self) -> list[Spend]:
        """Return what each day cost, by day; those without an example are left out."""
        return [Spend(day, math.fsum(costs)) for day, costs in sorted(self._costs.items())]

    def inputs(self) -> tuple[InputDrift, ...]:
        """Return how task keys, tools and the length of queries moved; empty where production was on one day or none.

        A tool is asked for where it is the first one that was called.
        """
        early = self._early()
        if not early:
            return ()
        sides = [
            [asked for day, asked in sorted(self._asked.items()) if (day in early) is here] for here in (True, False)
        ]
        keys = [_summed(asked.task_keys for asked in side) for side in sides]
        tools = [_summed(asked.tools for asked in side) for side in sides]
        lengths = [np.concatenate([np.frombuffer(asked.lengths, dtype=np.float64) for asked in side]) for side in sides]
        return (
            _categories("task key", keys[0], keys[1]),
            _categories("tool asked for", tools[0], tools[1]),
            InputDrift(name="query length", drift=drift(lengths[0], lengths[1])),
        )

    def _early(self) -> set[date]:
        """Return the earlier half of the days on which there was anything."""
        days = sorted(self._costs)
        return set(days[: len(days) // 2])

    def _estimates(self, cells: list[_Cell]) -> dict[str, Estimate]:
        conversations = np.concatenate([np.frombuffer(cell.conversations, dtype=np.int64) for cell in cells])
        columns = {
            name: np.concatenate([np.frombuffer(cell.values[name], dtype=np.float64) for cell in cells])
            for name in self._figures
        }
        return {name: _estimate(columns[one.figure], conversations, one) for name, one in self._metrics.items()}


def _code(text: str) -> int:
    """Return 64 bits that stand for a text, the same in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), signed=True)


def gather(examples: Iterable[Example], metrics: Mapping[str, Metric], until: datetime | None = None) -> Production:
    """Return what these examples come to."""
    made = Production(metrics, until)
    for example in examples:
        made.add(example)
    return made


def _estimate(
    values: Array, conversations: np.ndarray[tuple[int, ...], np.dtype[np.int64]], metric: Metric
) -> Estimate:
    there = ~np.isnan(values)
    some, groups = values[there], conversations[there]
    # In an order of their own, so that the order of arrival does not move the last digit.
    order = np.lexsort((some, groups))
    some, groups = some[order], groups[order]
    if metric.quantile is not None:
        return quantile_interval(some, metric.quantile)
    if metric.binary:
        return clustered_share(some, groups)
    # A bootstrap for each day and metric would take minutes.
    return linear_mean(some, groups, low=0.0, high=math.inf if metric.most is None else metric.most)


def _categories(name: str, before: Counter[str], after: Counter[str]) -> InputDrift:
    found = category_drift(list(before.elements()), list(after.elements()))
    return InputDrift(name=name, drift=found, most=_moved(before, after))


def _summed(counts: Iterable[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return total


def _moved(before: Counter[str], after: Counter[str], most: int = 3) -> tuple[tuple[str, float, float], ...]:
    """Return the names whose share moved most."""
    shares = list(_shares(before, after))
    return tuple(sorted(shares, key=lambda one: (-abs(one[2] - one[1]), one[0]))[:most])


def _shares(before: Counter[str], after: Counter[str]) -> Iterator[tuple[str, float, float]]:
    for name in {*before, *after}:
        yield name, before[name] / max(before.total(), 1), after[name] / max(after.total(), 1)
