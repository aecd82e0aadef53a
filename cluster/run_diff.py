"""Two runs on the same scenarios: what changed its verdict, either way, and the paired difference of every figure.

A scenario's verdict is the share of its attempts that succeeded. Scenarios that only one run attempted are counted and
left out. The statistics are those of a comparison (`evaluation/compare.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cluster.episode_text import episode
from cluster.episode_view import View, view
from cluster.report_text import scale_of, show, title_of
from cluster.run_text import plain
from cluster.runs import Run
from evaluation.compare import Comparison, summarise
from evaluation.examples import Scales
from evaluation.outcomes import outcome_of_episode
from evaluation.pair_rows import PairRow
from evaluation.pairs import LATENCY, pair_row
from evaluation.run_folder import Attempted

A, B = "a", "b"


class Change(NamedTuple):
    """A scenario whose share of successes is another one."""

    scenario: str
    kind: str
    before: float
    after: float


class RunDiff(NamedTuple):
    """What is different between two runs."""

    first: Run
    second: Run
    comparison: Comparison
    """The first run is the base, the second the candidate."""
    better: tuple[Change, ...]
    worse: tuple[Change, ...]
    same: int
    only_first: int
    """Scenarios that only the first run attempted."""
    only_second: int


def diff(first: Run, second: Run, scales: Scales) -> RunDiff:
    """Compare two runs. Raises `RunFolderError` where a run cannot be read."""
    rows = [*_rows(first, A, scales), *_rows(second, B, scales)]
    shares: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    kinds = {row.scenario_id: row.kind.value for row in rows}
    for row in rows:
        if row.success is not None:
            shares[row.scenario_id][row.arm].append(row.success)
    both = {name: arms for name, arms in shares.items() if len(arms) == 2}
    changes = [Change(name, kinds[name], _share(arms[A]), _share(arms[B])) for name, arms in sorted(both.items())]
    attempted = {arm: {row.scenario_id for row in rows if row.arm == arm} for arm in (A, B)}
    return RunDiff(
        first,
        second,
        summarise(rows, A, B),
        tuple(one for one in changes if one.after > one.before),
        tuple(one for one in changes if one.after < one.before),
        sum(one.after == one.before for one in changes),
        len(attempted[A] - attempted[B]),
        len(attempted[B] - attempted[A]),
    )


def _share(successes: list[bool]) -> float:
    return sum(successes) / len(successes)


def _rows(run: Run, arm: str, scales: Scales) -> Iterator[PairRow]:
    return (_row(one, arm, scales) for one in run.attempts())


def _row(one: Attempted, arm: str, scales: Scales) -> PairRow:
    outcome = outcome_of_episode(one.scenario, one.episode, one.validations, scales)
    row = pair_row(one.scenario, outcome, arm=arm, attempt=one.episode.attempt)
    return _untimed(row)


def _untimed(row: PairRow) -> PairRow:
    """Return the row without latency: two runs at different times, among different neighbours, tell nothing of it."""
    return row.model_copy(update={"measured": {k: v for k, v in row.measured.items() if k != LATENCY}})


def diff_json(found: RunDiff) -> dict[str, Any]:
    """Return what `ratchet test diff --json` prints."""
    return {
        "first": found.first.plan.id,
        "second": found.second.plan.id,
        "scenarios": found.comparison.scenarios,
        "same": found.same,
        "better": [one._asdict() for one in found.better],
        "worse": [one._asdict() for one in found.worse],
        "only_first": found.only_first,
        "only_second": found.only_second,
        "metrics": {
            name: one.model_dump(mode="json") for name, one in found.comparison.metrics.items() if one.difference.n
        },
    }


def print_diff(out: Console, found: RunDiff, most: int) -> None:
    """Print figures, then up to `most` changed scenarios with both episodes side by side, losses first."""
    first, second = found.first.plan, found.second.plan
    counted = f"{found.comparison.scenarios} scenarios that both attempted; 95% intervals of paired differences"
    out.print(f"{escape(first.id)} ({escape(first.model_name)}) → {escape(second.id)} ({escape(second.model_name)})",
              highlight=False)  # fmt: skip
    out.print(counted, highlight=False)
    if found.only_first or found.only_second:
        out.print(f"Left out: {found.only_first} only in the first, {found.only_second} only in the second",
                  highlight=False)  # fmt: skip
    if not found.comparison.scenarios:
        told = "Nothing to compare: runs share scenarios when their suite, part and --seed are the same"
        out.print(told, highlight=False, soft_wrap=True)
        return
    table = plain(("", "first", "second", "difference", "p"))
    for name, one in found.comparison.metrics.items():
        if one.difference.n:
            scale = scale_of(name)
            sides = [show(side.model_dump(), digits=2, scale=scale) for side in (one.base, one.candidate)]
            difference = show(one.difference.model_dump(), signed=True, digits=2, scale=scale)
            table.add_row(title_of(name), *sides, difference, "–" if one.p_value is None else f"{one.p_value:.3g}")
    out.print(table)
    told = f"{len(found.better)} scenarios got better, {len(found.worse)} got worse, {found.same} are as they were"
    out.print(told, highlight=False)
    changed = [*found.worse, *found.better]
    if changed:
        out.print(_changes(found))
    _print_episodes(out, found, [one.scenario for one in changed[:most]])


def _changes(found: RunDiff) -> Table:
    table = plain(("", "scenario", "kind", "success", ""))
    for sign, style, changes in (("✗", "red", found.worse), ("✓", "green", found.better)):
        for one in changes:
            table.add_row(f"[{style}]{sign}[/]", escape(one.scenario), one.kind, f"{one.before:.2g} → {one.after:.2g}")
    return table


def _print_episodes(out: Console, found: RunDiff, scenarios: list[str]) -> None:
    wanted = set(scenarios)
    views = [_views(run, wanted) for run in (found.first, found.second)]
    for name in scenarios:
        pair = _pair(*(side.get(name, []) for side in views))
        if pair is not None:
            out.rule(escape(name))
            table = Table.grid(padding=(0, 2), expand=True)
            table.add_column(ratio=1)
            table.add_column(ratio=1)
            table.add_row(f"[bold]{escape(found.first.plan.id)}[/]", f"[bold]{escape(found.second.plan.id)}[/]")
            table.add_row(*map(episode, pair))
            out.print(table)


def _views(run: Run, wanted: set[str]) -> dict[str, list[View]]:
    seen: dict[str, list[View]] = defaultdict(list)
    for one in run.attempts():
        if one.scenario.id in wanted:
            seen[one.scenario.id].append(view(one))
    return {name: sorted(views, key=lambda one: one.attempt) for name, views in seen.items()}


def _pair(first: list[View], second: list[View]) -> tuple[View, View] | None:
    """Return an attempt of each side that ended otherwise, of the same number where there is such a pair."""
    pairs = [(one, other) for one in first for other in second if one.verdict != other.verdict]
    return min(pairs, key=lambda pair: abs(pair[0].attempt - pair[1].attempt), default=None)
