"""Which slices account for the difference between two versions: of a kept comparison, or of examples. Pure.

Decisions: a kept comparison is paired and knows kind, tool and tags, so it comes first. Else examples of both versions:
on scenarios that both attempted they are paired, each with the mean of its attempts in the version's latest run; with
too few of those, each version's scenarios stand for it, and what changes because a slice became more or less frequent
is told apart. Where a version was not tested at all, what both came to in use is divided in that way. Scenarios with
the same id but another question are different ones. A scenario lies in one slice: with
several tags in the slice of all of them together. Parts sum to the difference (`evaluation/stats/decompose.py`).
Simpson's trap is named where the whole and every slice that both have point opposite ways.
Limits: examples know neither kind nor expected tool; by tool, they are divided by the tool that was called first, of
pairs by the earlier version, which is what was done, not what was right.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from evaluation.metrics import Metric, measured
from evaluation.outcomes import NO_TOOL, outcome_of
from evaluation.pair_rows import PairRow, pair
from evaluation.records import Example, Record
from evaluation.slices import By
from evaluation.stats.decompose import Decomposition, decompose, decompose_pairs

FEWEST = 10
"""Fewest shared scenarios that examples are paired on."""


OF_ROWS = (By.KIND, By.TOOL, By.TAG, By.GROUP)
OF_EXAMPLES = (By.TASK_KEY, By.TOOL, By.PART, By.GROUP)
OF_PRODUCTION = (By.TASK_KEY, By.TOOL)


class Explained(Record):
    """A difference, divided."""

    metric: str
    first: str
    second: str
    by: By
    what: str
    """What was divided, in words."""
    paired: bool
    decomposition: Decomposition
    simpson: bool
    """The whole and every slice point opposite ways."""
    left_out: int
    """Scenarios that only one version attempted, or without the figure."""

    @property
    def total(self) -> float:
        """Sum of all parts: the difference, rounding aside."""
        return math.fsum(part.total for part in self.decomposition.parts)


class Attempted(NamedTuple):
    """What one version came to on one scenario, in its latest run there."""

    value: float
    """Mean over attempts."""
    solved: bool
    example: Example
    """The first attempt's."""


def of_rows(rows: Iterable[PairRow], refs: Mapping[str, str], metric: Metric, by: By, *, what: str) -> Explained:
    """Divide a kept comparison. `refs`: version by arm, `base` and `candidate`, in the order asked for.

    Raises `ValueError` for a metric or division that rows do not have.
    """
    _check(metric, by, OF_ROWS)
    arms = list(refs)
    found = pair(rows, arms[0], arms[1])
    pairs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    lacking = 0
    for unit in found.scenarios:
        solved = all(row.success for both in unit.attempts for row in both)
        sides = [_mean([both[side].measured.get(metric.figure) for both in unit.attempts]) for side in (0, 1)]
        if sides[0] is None or sides[1] is None or (metric.both_solved and not solved):
            lacking += 1
            continue
        pairs[_row_slice(unit.row, by)].append((sides[0], sides[1]))
    decomposition = decompose_pairs(pairs)
    lacking += len({name.partition("#")[0] for name in found.problems.unpaired} | {*found.problems.mismatched})
    versions = (refs[arms[0]], refs[arms[1]])
    return _explained(metric, versions, by, decomposition, what=what, paired=True, left_out=lacking)


def of_examples(examples: Iterable[Example], versions: tuple[str, str], metric: Metric, by: By) -> Explained:
    """Divide the difference between two versions' examples. Raises `ValueError` as `of_rows` does."""
    _check(metric, by, OF_EXAMPLES)
    sides = latest(examples, metric, versions)
    first, second = (sides[version] for version in versions)
    shared = [key for key in first if key in second and _counts(metric, first[key], second[key])]
    if len(shared) >= FEWEST:
        pairs: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for key in shared:
            pairs[_slice(first[key].example, by)].append((first[key].value, second[key].value))
        left = len({*first, *second}) - len(shared)
        what = f"{len(shared)} scenarios that both attempted, in the ledger"
        return _explained(metric, versions, by, decompose_pairs(pairs), what=what, paired=True, left_out=left)
    values = [_by_slice(side.values(), by) for side in (first, second)]
    what = f"{len(first)} against {len(second)} scenarios, in the ledger: not the same, so not paired"
    found = decompose(values[0], values[1])
    return _explained(metric, versions, by, found, what=what, paired=False, left_out=0)


def of_production(examples: Iterable[Example], versions: tuple[str, str], metric: Metric, by: By) -> Explained:
    """Divide the difference between what two versions came to in use. Raises `ValueError` as `of_rows` does."""
    _check(metric, by, OF_PRODUCTION)
    values: dict[str, dict[str, list[float]]] = {version: defaultdict(list) for version in versions}
    for example in examples:
        side = values.get(example.provenance.model_version or "")
        value = measured(outcome_of(None, example), {metric.name: metric}).get(metric.name)
        if side is not None and value is not None and math.isfinite(value):
            side[_slice(example, by)].append(value)
    counts = [sum(map(len, values[version].values())) for version in versions]
    found = decompose(values[versions[0]], values[versions[1]])
    what = f"{counts[0]} against {counts[1]} requests in use: not the same, so not paired"
    return _explained(metric, versions, by, found, what=what, paired=False, left_out=0)


def latest(
    examples: Iterable[Example], metric: Metric, versions: Sequence[str] | None = None
) -> dict[str, dict[tuple[str, str], Attempted]]:
    """Return what each version came to on each scenario (id and question), in its latest run there.

    Steps of agents, which no validator judged, and examples without the figure are left out.
    """
    runs: dict[str, dict[tuple[str, str], dict[str, list[tuple[Example, float, bool]]]]] = {
        version: {} for version in versions or ()
    }
    for example in examples:
        version, scenario = example.provenance.model_version, example.provenance.scenario_id
        if version is None or scenario is None or not example.validations:
            continue
        if versions is not None and version not in runs:
            continue
        outcome = outcome_of(None, example)
        value = measured(outcome, {metric.name: metric}).get(metric.name)
        if value is None or not math.isfinite(value):
            continue
        run = example.provenance.run_id or ""
        attempts = runs.setdefault(version, {}).setdefault((scenario, example.query), {}).setdefault(run, [])
        attempts.append((_light(example), value, outcome.task_success is True))
    return {version: {key: _last(of) for key, of in scenarios.items()} for version, scenarios in runs.items()}


def _light(example: Example) -> Example:
    """Return the example without what is large and not asked for here."""
    return example.model_copy(update={"messages": (), "tools": (), "validations": (), "analysis": "", "context": ""})


def _last(runs: Mapping[str, Sequence[tuple[Example, float, bool]]]) -> Attempted:
    attempts = max(runs.items(), key=lambda item: (max(one.timestamp for one, _, _ in item[1]), item[0]))[1]
    ordered = sorted(attempts, key=lambda one: (one[0].timestamp, one[0].id))
    value = math.fsum(value for _, value, _ in ordered) / len(ordered)
    return Attempted(value, all(solved for _, _, solved in ordered), ordered[0][0])


def _counts(metric: Metric, first: Attempted, second: Attempted) -> bool:
    return not metric.both_solved or (first.solved and second.solved)


def _by_slice(side: Iterable[Attempted], by: By) -> dict[str, list[float]]:
    out: dict[str, list[float]] = defaultdict(list)
    for one in side:
        out[_slice(one.example, by)].append(one.value)
    return out


def _slice(example: Example, by: By) -> str:
    of: Mapping[By, Callable[[], str | None]] = {
        By.TASK_KEY: lambda: example.task_key,
        By.TOOL: lambda: example.tools_used[0] if example.tools_used else NO_TOOL,
        By.PART: lambda: example.provenance.part,
        By.GROUP: lambda: example.provenance.scenario_group,
    }
    return of[by]() or "none"


def _row_slice(row: PairRow, by: By) -> str:
    if by is By.TOOL:
        return row.expected_calls[0].name if row.expected_calls else NO_TOOL
    if by is By.TAG:
        return " + ".join(sorted(row.tags)) or "no tag"
    return row.kind.value if by is By.KIND else row.group


def _mean(values: Sequence[float | None]) -> float | None:
    """Mean of a scenario's attempts; None where any lacks the figure."""
    numbers = [value for value in values if value is not None]
    return math.fsum(numbers) / len(numbers) if numbers and len(numbers) == len(values) else None


def _check(metric: Metric, by: By, known: Sequence[By]) -> None:
    if metric.quantile is not None:
        raise ValueError(
            f"--metric: expected a metric of single attempts, found {metric.name}, a quantile, which has no parts;"
            f" `--metric {metric.reads}` has"
        )
    if by not in known:
        raise ValueError(f"--by: expected {', '.join(known)}, found {by}, which these records do not hold")


def _explained(
    metric: Metric,
    versions: tuple[str, str],
    by: By,
    decomposition: Decomposition,
    *,
    what: str,
    paired: bool,
    left_out: int,
) -> Explained:
    return Explained(
        metric=metric.name,
        first=versions[0],
        second=versions[1],
        by=by,
        what=what,
        paired=paired,
        decomposition=decomposition,
        simpson=simpson(decomposition),
        left_out=left_out,
    )


def simpson(found: Decomposition) -> bool:
    """Whether the whole difference and that of every slice which both arms have point opposite ways (two at least)."""
    moved = [
        part.value_second - part.value_first
        for part in found.parts
        if part.value_first is not None and part.value_second is not None
    ]
    whole = found.difference or 0.0
    return len(moved) > 1 and whole != 0 and all(one * whole < 0 for one in moved)
