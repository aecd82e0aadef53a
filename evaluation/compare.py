"""Two arms on the same scenarios, side by side: the rows of `compare.jsonl`, and every figure that follows from them.

Decisions: the scenario is the unit; attempts at the same scenario are averaged before anything is tested. Only attempts
that both arms made are compared; all others are listed in `problems`, as are missing and impossible figures. Latency
and cost are compared on scenarios that both arms solved in every attempt, so that giving up early is no saving. The
result depends on the rows alone, not on their order. Not covered: more than two arms, and scenarios of one group that
resemble each other (intervals treat scenarios as independent).
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import Field

from evaluation.records import Record, ToolCall, Verdict, stable_id
from evaluation.scenarios import ExpectedCall, Kind
from evaluation.stats.intervals import Array, Estimate, log_ratio_interval, mean_interval, proportion
from evaluation.stats.paired import count_pairs, difference_of_proportions, mcnemar, permutation, ratio_of_proportions

HELD_OUT_TOOL = "held_out_tool"
REGRESSION = "regression"
"""Tag of pinned scenarios: a candidate that fails one is rejected."""


class PairRow(Record):
    """One attempt of one arm at one scenario: one line of `compare.jsonl`."""

    scenario_id: str
    group: str
    kind: Kind
    tags: tuple[str, ...] = ()
    arm: str
    attempt: int = 0
    expected_calls: tuple[ExpectedCall, ...] = ()
    given_calls: tuple[ToolCall, ...] = ()
    verdicts: dict[str, Verdict] = Field(default_factory=dict)
    """By validator."""
    tool_accuracy: bool | None = None
    """The set of called tools is the expected one. None (as everywhere below): not measured."""
    exact_calls: bool | None = None
    """Names and arguments are the expected ones."""
    task_success: bool | None = None
    """All applicable validators passed."""
    protocol_clean: bool | None = None
    quality: float | None = None
    """Response quality, 0 to 5."""
    tokens: float | None = None
    """Input and output tokens of the episode."""
    latency_ms: float | None = None
    """Mean milliseconds per model call of the episode, among those that ran at the same time."""
    alone_ms: float | None = None
    """The same, measured again with nothing beside it; only of scenarios that every arm solved. This is compared."""
    cost: float | None = None
    """Cost of the episode, in the currency of the price table."""


class Direction(StrEnum):
    """Which way is better."""

    HIGHER = "higher"
    LOWER = "lower"


class Metric(NamedTuple):
    """How a figure is read from a row and compared."""

    field: str
    direction: Direction
    binary: bool
    both_solved: bool = False
    """Compared only on scenarios that both arms solved."""
    sampled: bool = False
    """Measured on some of those only: a scenario of which neither arm has the figure does not lack it."""


METRICS: Mapping[str, Metric] = {
    "task_success": Metric("task_success", Direction.HIGHER, True),
    "tool_accuracy": Metric("tool_accuracy", Direction.HIGHER, True),
    "exact_calls": Metric("exact_calls", Direction.HIGHER, True),
    "protocol_clean": Metric("protocol_clean", Direction.HIGHER, True),
    "quality": Metric("quality", Direction.HIGHER, False),
    "tokens_per_episode": Metric("tokens", Direction.LOWER, False),
    "latency_ms": Metric("alone_ms", Direction.LOWER, False, both_solved=True, sampled=True),
    "cost": Metric("cost", Direction.LOWER, False, both_solved=True),
}


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
    """Two-sided: exact McNemar for binary outcomes, sign flips for others. None without pairs."""
    identical: bool
    """Both arms gave the same figure on every pair."""
    missing: int
    """Scenarios that should have been compared but lack the figure in an arm."""


class Slice(Record):
    """The comparison on a part of the scenarios: `kind:<kind>` or `tag:<tag>`."""

    name: str
    scenarios: int
    metrics: dict[str, MetricComparison]


class Problems(Record):
    """Rows that could not be used as they are. Empty where all is well."""

    unpaired: tuple[str, ...] = ()
    """`scenario#attempt` that one arm did not attempt."""
    duplicated: tuple[str, ...] = ()
    """`scenario#attempt@arm` that occurs more than once; the first in canonical order is used."""
    mismatched: tuple[str, ...] = ()
    """Scenarios whose group, kind, tags or expected calls differ between rows; left out."""
    impossible: tuple[str, ...] = ()
    """`scenario#attempt@arm.field` that is NaN, infinite or negative; counted as missing."""
    foreign: tuple[str, ...] = ()
    """Arms that are neither base nor candidate; left out."""

    @property
    def any(self) -> bool:
        """Whether there is any."""
        return bool(self.unpaired or self.duplicated or self.mismatched or self.impossible or self.foreign)


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
    base: dict[str, Estimate]
    """Every metric over all scenarios that the arm attempted; latency and cost where both arms solved them."""
    candidate: dict[str, Estimate]
    metrics: dict[str, MetricComparison]
    """Every metric on the pairs."""
    slices: tuple[Slice, ...]
    """By kind; `tag:held_out_tool` apart."""
    problems: Problems
    rows_hash: str
    """Digest of the rows, their order aside."""


def summarise(
    rows: Iterable[PairRow], base: str = "base", candidate: str = "candidate", alpha: float = 0.05
) -> Comparison:
    """Compare arm `candidate` with arm `base`. An empty arm gives a comparison without figures, not an error."""
    ordered = sorted(rows, key=_canonical)
    table = _clean(ordered, (base, candidate))
    paired = list(table.scenarios.values())
    metrics = _compare(paired, alpha)
    solved = {name for name, metric in METRICS.items() if metric.both_solved}
    return Comparison(
        base_arm=base,
        candidate_arm=candidate,
        alpha=alpha,
        scenarios=len(paired),
        attempts=sum(len(units.attempts) for units in paired),
        base=_arm_figures(table.kept[base], alpha) | {name: metrics[name].base for name in solved},
        candidate=_arm_figures(table.kept[candidate], alpha) | {name: metrics[name].candidate for name in solved},
        metrics=metrics,
        slices=_slices(paired, alpha),
        problems=table.problems,
        rows_hash=stable_id([row.model_dump(mode="json") for row in ordered]),
    )


def write_rows(path: Path, rows: Iterable[PairRow]) -> None:
    """Write rows as JSON lines (`compare.jsonl`)."""
    path.write_text("".join(row.model_dump_json() + "\n" for row in rows), encoding="utf-8")


def read_rows(path: Path) -> list[PairRow]:
    """Read rows from JSON lines. Raises `ValueError` naming the line that is not a row."""
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            rows.append(PairRow.model_validate(json.loads(line)))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: expected a comparison row, found: {error}") from error
    return rows


class _Units(NamedTuple):
    """One scenario: its pairs of attempts."""

    row: PairRow
    attempts: list[tuple[PairRow, PairRow]]


class _Table(NamedTuple):
    scenarios: dict[str, _Units]
    kept: dict[str, dict[str, list[PairRow]]]
    problems: Problems


def _canonical(row: PairRow) -> tuple[str, int, str, str]:
    return row.scenario_id, row.attempt, row.arm, row.model_dump_json()


def _clean(rows: Sequence[PairRow], arms: tuple[str, str]) -> _Table:
    mismatched = _mismatched(rows, arms)
    cells: dict[tuple[str, int, str], PairRow] = {}
    duplicated: set[str] = set()
    impossible: list[str] = []
    for row in rows:
        if row.arm not in arms or row.scenario_id in mismatched:
            continue
        key = (row.scenario_id, row.attempt, row.arm)
        if key in cells:
            duplicated.add(_label(row))
            continue
        bad = [name for name in _NUMBERS if _is_impossible(getattr(row, name))]
        impossible += [f"{_label(row)}.{name}" for name in bad]
        cells[key] = row.model_copy(update=dict.fromkeys(bad)) if bad else row
    scenarios, unpaired = _pair(cells, arms)
    kept: dict[str, dict[str, list[PairRow]]] = {arm: defaultdict(list) for arm in arms}
    for (scenario, _, arm), row in cells.items():
        kept[arm][scenario].append(row)
    problems = Problems(
        unpaired=tuple(unpaired),
        duplicated=tuple(sorted(duplicated)),
        mismatched=tuple(sorted(mismatched)),
        impossible=tuple(impossible),
        foreign=tuple(sorted({row.arm for row in rows} - set(arms))),
    )
    return _Table(scenarios, kept, problems)


_NUMBERS = ("quality", "tokens", "latency_ms", "alone_ms", "cost")


def _is_impossible(value: float | None) -> bool:
    return value is not None and not (math.isfinite(value) and value >= 0)


def _label(row: PairRow) -> str:
    return f"{row.scenario_id}#{row.attempt}@{row.arm}"


def _mismatched(rows: Sequence[PairRow], arms: tuple[str, str]) -> set[str]:
    seen: dict[str, str] = {}
    bad = set()
    for row in rows:
        if row.arm in arms:
            described = row.model_dump_json(include={"group", "kind", "tags", "expected_calls"})
            if seen.setdefault(row.scenario_id, described) != described:
                bad.add(row.scenario_id)
    return bad


def _pair(cells: Mapping[tuple[str, int, str], PairRow], arms: tuple[str, str]) -> tuple[dict[str, _Units], list[str]]:
    scenarios: dict[str, _Units] = {}
    unpaired = []
    for scenario, attempt in sorted({key[:2] for key in cells}):
        base, candidate = (cells.get((scenario, attempt, arm)) for arm in arms)
        if base is None or candidate is None:
            unpaired.append(f"{scenario}#{attempt}")
            continue
        scenarios.setdefault(scenario, _Units(base, [])).attempts.append((base, candidate))
    return scenarios, unpaired


def _mean(values: Sequence[float | None]) -> float | None:
    """Mean of a scenario's attempts; None where any is missing."""
    numbers = [float(value) for value in values if value is not None]
    return sum(numbers) / len(numbers) if numbers and len(numbers) == len(values) else None


def _arm_figures(kept: Mapping[str, list[PairRow]], alpha: float) -> dict[str, Estimate]:
    figures = {}
    for name, metric in ((name, metric) for name, metric in METRICS.items() if not metric.both_solved):
        means = [_mean([getattr(row, metric.field) for row in kept[scenario]]) for scenario in sorted(kept)]
        figures[name] = _estimate(np.array([m for m in means if m is not None]), metric, alpha)
    return figures


def _estimate(values: Array, metric: Metric, alpha: float) -> Estimate:
    if metric.binary and np.isin(values, (0, 1)).all():
        return proportion(int(values.sum()), len(values), alpha)
    return mean_interval(values, alpha)


def _compare(paired: Sequence[_Units], alpha: float) -> dict[str, MetricComparison]:
    return {name: _compare_metric(paired, metric, alpha) for name, metric in METRICS.items()}


def _compare_metric(paired: Sequence[_Units], metric: Metric, alpha: float) -> MetricComparison:
    base, candidate, missing = [], [], 0
    for units in paired:
        if metric.both_solved and not all(b.task_success and c.task_success for b, c in units.attempts):
            continue
        b, c = (_mean([getattr(pair[side], metric.field) for pair in units.attempts]) for side in (0, 1))
        if metric.sampled and b is None and c is None:
            continue
        if b is None or c is None:
            missing += 1
        else:
            base.append(b)
            candidate.append(c)
    return _pairs(np.array(base), np.array(candidate), metric, missing=missing, alpha=alpha)


def _pairs(base: Array, candidate: Array, metric: Metric, *, missing: int, alpha: float) -> MetricComparison:
    if metric.binary and np.isin(base, (0, 1)).all() and np.isin(candidate, (0, 1)).all():
        counts = count_pairs(base, candidate)
        difference, ratio = difference_of_proportions(counts, alpha), ratio_of_proportions(counts, alpha)
        p_value = mcnemar(counts)
    else:
        difference, ratio = mean_interval(candidate - base, alpha), log_ratio_interval(candidate, base, alpha)
        p_value = permutation(candidate - base)
    return MetricComparison(
        direction=metric.direction,
        base=_estimate(base, metric, alpha),
        candidate=_estimate(candidate, metric, alpha),
        difference=difference,
        ratio=ratio,
        p_value=p_value if len(base) else None,
        identical=bool(len(base)) and bool((base == candidate).all()),
        missing=missing,
    )


def _slices(paired: Sequence[_Units], alpha: float) -> tuple[Slice, ...]:
    named: dict[str, list[_Units]] = defaultdict(list)
    for units in paired:
        named[f"kind:{units.row.kind}"].append(units)
        if HELD_OUT_TOOL in units.row.tags:
            named[f"tag:{HELD_OUT_TOOL}"].append(units)
    return tuple(
        Slice(name=name, scenarios=len(named[name]), metrics=_compare(named[name], alpha)) for name in sorted(named)
    )
