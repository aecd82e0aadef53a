"""The history of versions on a terminal of 80 columns: a line a metric, then one metric whole, then what happened."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cluster.run_text import plain
from evaluation.explain import Explained
from evaluation.forecasts import Budget, Forecast
from evaluation.history import History, MetricHistory, Slope
from evaluation.improvement import Improvement, Milestone
from evaluation.ledger.records import Observation
from evaluation.marks import Mark, MarkKind
from evaluation.metrics import Metric
from evaluation.stats.decompose import Part
from evaluation.stats.intervals import Estimate
from evaluation.stats.trends import Drift, DriftLevel

BARS = "▁▂▃▄▅▆▇█"
WIDEST = 20
"""Columns of a course at most."""
MOST_MARKS = 12
MOST_PARTS = 12
_SIGNS = {MarkKind.PROMOTED: "[green]▲[/]", MarkKind.ROLLED_BACK: "[red]▼[/]", MarkKind.ABORTED: "[yellow]■[/]",
          MarkKind.DECIDED: "[dim]·[/]", MarkKind.OVERRIDDEN: "[magenta]![/]"}  # fmt: skip
_ORIGINS = {"compare": "comparisons", "ab": "A/B comparisons", "test": "test runs", "production": "days in use"}
_DRIFT = {
    DriftLevel.NONE: "no drift to speak of",
    DriftLevel.SOME: "[yellow]some drift[/]",
    DriftLevel.STRONG: "[red]strong drift[/]",
    DriftLevel.UNKNOWN: "too little data",
}


def sparkline(values: Sequence[float], width: int = WIDEST) -> str:
    """Return values as bars, lowest to highest, averaged where there are more than `width`."""
    if not values:
        return ""
    size = min(len(values), width)
    edges = [round(at * len(values) / size) for at in range(size + 1)]
    means = [math.fsum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, span = min(means), max(means) - min(means)
    if span <= 1e-12 * max(1.0, abs(low)):
        return BARS[3] * size
    return "".join(BARS[min(int((mean - low) / span * len(BARS)), len(BARS) - 1)] for mean in means)


def number(value: float | None, *, signed: bool = False, scale: float = 1.0, digits: int = 3) -> str:
    """Return a number in three figures or so, `digits` after the point of a small one; a dash for none."""
    if value is None:
        return "–"
    scaled, sign = value * scale, "+" if signed else ""
    size = abs(scaled)
    if size and size < 0.0005:
        return f"{scaled:{sign}.1e}"
    return f"{scaled:{sign}.{digits if size < 10 else 1 if size < 1000 else 0}f}"


def estimate(one: Estimate, *, signed: bool = False, scale: float = 1.0, digits: int = 3) -> str:
    """Return a figure with its interval, as `0.912 [0.871, 0.941]`; a small one with more digits."""
    size = abs(one.value or 0.0) * scale
    digits = min(digits + (0 < size < 0.1) + (0 < size < 0.01), max(digits, 3))
    value = number(one.value, signed=signed, scale=scale, digits=digits)
    if one.value is None or one.low is None or one.high is None:
        return value
    ends = (number(end, signed=signed, scale=scale, digits=digits) for end in (one.low, one.high))
    return f"{value} [{', '.join(ends)}]"


def print_history(out: Console, found: History, metrics: Mapping[str, Metric], *, whole: int = 1) -> None:
    """Print the history, the first `whole` metrics with all that is known of them."""
    since = f"since {day(found.since)}, " if found.since is not None else ""
    reign = found.champions[-1] if found.champions else None
    at = f" since {day(reign[1])}" if reign is not None and reign[1] is not None else ""
    champion = f"{escape(reign[0])} in production{at}" if reign is not None else "nothing in production yet"
    out.print(f"[bold]{champion}[/] · figures {since}until {day(found.now)}; 95% intervals", highlight=False)
    _overview(out, found, metrics)
    for one in found.metrics[:whole]:
        print_metric(out, one, metrics[one.metric])
    _print_marks(out, found.marks)
    _print_inputs(out, found)
    if found.budget is not None:
        _line(out, _budget(found.budget))
    for note in found.notes:
        _line(out, f"[yellow]Note:[/] {escape(note)}")
    if len(found.metrics) > whole:
        others = ", ".join(one.metric for one in found.metrics[whole:])
        _line(out, f"[dim]More of {escape(others)}: --metric NAME; as a picture: --out FILE.png[/]")


def _overview(out: Console, found: History, metrics: Mapping[str, Metric]) -> None:
    table = plain(("", "latest", "n", "course", "per week"))
    for one in found.metrics:
        metric, points = metrics[one.metric], one.basis.points
        last = points[-1] if points else None
        shown = ("–", "–") if last is None else (observed(last, metric), str(last.n))
        slope = "–" if one.slope.reason else number(one.slope.per_week.value, signed=True, scale=metric.scale)
        table.add_row(escape(metric.title), *shown, sparkline([point.value for point in points], 16), slope)
    out.print(table)


def observed(one: Observation, metric: Metric) -> str:
    """Return an observation's figure with its interval."""
    return estimate(Estimate(value=one.value, low=one.low, high=one.high, n=one.n), scale=metric.scale, digits=2)


def print_metric(out: Console, one: MetricHistory, metric: Metric) -> None:
    """Print all that is known of one metric."""
    out.print(f"\n[bold]{escape(metric.title)}[/] [dim]{metric.direction.value} is better[/]", highlight=False)
    table = plain(("version", "measured in", "times", "latest", "n", "course"))
    for series in one.series:
        for origin in dict.fromkeys(point.origin for point in series.points):
            points = [point for point in series.points if point.origin == origin]
            course = sparkline([point.value for point in points], 12) if len(points) > 1 else ""
            count, last = str(len(points)), points[-1]
            table.add_row(escape(series.version), origin, count, observed(last, metric), str(last.n), course)
    out.print(table)
    _print_improvement(out, one.improvement, metric)
    for line in (*_trend(one, metric), *_changes(one, metric), *_scores(one.scores), *_floor(one, metric)):
        _line(out, line)


def _print_improvement(out: Console, found: Improvement, metric: Metric) -> None:
    if found.reason:
        _line(out, f"Improvement: {escape(found.reason)}")
        return
    out.print(f"How far it has come, by {_ORIGINS.get(found.origin, found.origin)}:", highlight=False)
    table = plain(("after", "version", "day", "figure", "change", "n"))
    table.pad_edge = False
    for line in found.lines:
        shown = estimate(line.estimate, scale=metric.scale, digits=2) + ("" if line.comparable else "*")
        n = str(line.estimate.n)
        table.add_row(line.label.removeprefix("after "), escape(line.version), day(line.at), shown, _relative(line), n)
    out.print(table)
    if any(not line.comparable for line in found.lines):
        _line(out, "* on other scenarios than the baseline: not directly comparable")
    if found.linked is not None and len(found.lines) > 1:
        step = estimate(found.linked, signed=True, scale=metric.scale)
        _line(out, f"Step by step, on scenarios that both versions attempted: {step}")


def _relative(line: Milestone) -> str:
    if line.label == "baseline":
        return ""
    one = line.relative
    if one.value is None:
        return "–"
    return f"{one.value:+.0%}" + ("" if one.low is None or one.high is None else f" [{one.low:+.0%}, {one.high:+.0%}]")


def _trend(one: MetricHistory, metric: Metric) -> Iterator[str]:
    yield f"Trend: {_slope(one.slope, one.basis.what, metric)}"
    if one.lately is not None:
        yield f"Lately: {_slope(one.lately, one.ahead.what, metric)}"


def _slope(found: Slope, what: str, metric: Metric) -> str:
    shown = f" ({escape(what)})" if what else ""
    if found.reason:
        return f"too little data: {found.reason}{shown}"
    slope = found.per_week
    if slope.value == slope.low == slope.high == 0:
        return f"constant{shown}"
    clear = slope.low is not None and slope.high is not None and (slope.low > 0 or slope.high < 0)
    better = metric.better(slope.value or 0.0)
    word = ("[green]improving[/]" if better else "[red]getting worse[/]") if clear else "no clear direction"
    return f"{word}, {estimate(slope, signed=True, scale=metric.scale)} per week{shown}"


def _changes(one: MetricHistory, metric: Metric) -> Iterator[str]:
    for change in one.changes:
        ends = [mark for mark in change.near if mark.kind in (MarkKind.PROMOTED, MarkKind.ROLLED_BACK)]
        near = "; ".join(dict.fromkeys(f"{mark.version} {_said(mark)} {day(mark.at)}" for mark in ends or change.near))
        sides = (number(side.value, scale=metric.scale) for side in (change.before, change.after))
        yield (
            f"Change on {day(change.at)}: {' → '.join(sides)} (p {number(change.p_value)})"
            + (f"; near it: {escape(near)}" if near else "")
        )


def _scores(found: Drift) -> Iterator[str]:
    if found.reference or found.current:
        yield f"Scores in production, later half of the days against the earlier: {_drift(found)}"


def _drift(found: Drift) -> str:
    counts = f"{found.reference} and {found.current} requests"
    if found.index is None or found.p_value is None:
        return f"{_DRIFT[found.level]} ({counts})"
    return f"{_DRIFT[found.level]} (PSI {found.index:.2f}, p {found.p_value:.2g}; {counts})"


def _floor(one: MetricHistory, metric: Metric) -> Iterator[str]:
    if one.floor is not None:
        side = "below" if metric.direction.value == "higher" else "above"
        yield f"Floor {number(one.floor.limit, scale=metric.scale)}: {_when(one.floor, f'{side} it')}"


def _when(found: Forecast, what: str) -> str:
    if found.at is None:
        early = f"; {what} on {day(found.low)} at the earliest" if found.low is not None else ""
        return f"no date: {found.reason}{early}"
    if found.low == found.high == found.at:
        return found.reason
    ends = f"[{day(found.low) if found.low else '–'}, {day(found.high) if found.high else 'never'}]"
    return f"{what} on {day(found.at)} {ends}" + (f"; {found.reason}" if found.reason else "")


def _print_marks(out: Console, marks: Sequence[Mark]) -> None:
    if not marks:
        return
    out.print("\n[bold]Events[/]", highlight=False)
    if len(marks) > MOST_MARKS:
        _line(out, f"[dim]{len(marks) - MOST_MARKS} earlier ones: --json[/]")
    for mark in marks[-MOST_MARKS:]:
        by = f" by {escape(mark.by)}" if mark.by else ""
        reason = f"[dim] {escape(mark.reason)}[/]" if mark.reason else ""
        out.print(f"{_SIGNS[mark.kind]} {day(mark.at)}  {escape(mark.version)} {_said(mark)}{by}{reason}",
                  highlight=False, no_wrap=True, overflow="ellipsis")  # fmt: skip


def _said(mark: Mark) -> str:
    return f"{mark.kind.value}: {mark.outcome}" if mark.outcome else mark.kind.value


def _print_inputs(out: Console, found: History) -> None:
    if not found.inputs:
        return
    out.print("\n[bold]What users ask for[/] [dim]later half of the days against the earlier[/]", highlight=False)
    for one in found.inputs:
        moved = ""
        if one.drift.level in (DriftLevel.SOME, DriftLevel.STRONG) and one.most:
            moved = "; " + ", ".join(f"{escape(name)} {before:.0%} → {after:.0%}" for name, before, after in one.most)
        _line(out, f"{one.name}: {_drift(one.drift)}{moved}")


def _budget(found: Budget) -> str:
    since = f" since {found.since.isoformat()}" if found.since else ""
    rate = f", {estimate(found.per_day)} a day over {found.per_day.n} whole days" if found.per_day.n else ""
    spent = f"{number(found.spent)} of {number(found.budget)} spent in production{since}{rate}"
    return f"\n[bold]Budget[/] {spent}\nspent: {_when(found.forecast, 'all of it')}"


def print_explained(out: Console, found: Explained, metric: Metric, note: str = "") -> None:
    """Print which slices account for a difference."""
    parts = found.decomposition
    head = f"{escape(metric.title)}: {escape(found.first)} → {escape(found.second)}"
    if parts.difference is None:
        out.print(f"[bold]{head}[/]: no figure of both", highlight=False)
        return
    sides = f"{number(parts.first, scale=metric.scale)} → {number(parts.second, scale=metric.scale)}"
    whole = number(parts.difference, signed=True, scale=metric.scale)
    out.print(f"[bold]{head}[/]  {sides}, {whole}", highlight=False)
    lacking = f"; {found.left_out} scenarios left out, without the figure of both" if found.left_out else ""
    _line(out, f"[dim]By {found.by.value.replace('_', ' ')}, of {escape(found.what)}{lacking}[/]")
    out.print(_parts_table(found, metric))
    if found.simpson:
        _line(out, "[yellow]Simpson's trap:[/] the whole goes one way and every slice the other: the versions met"
                   " slices of different sizes. Trust the slices.")  # fmt: skip
    if note:
        _line(out, f"[dim]{escape(note)}[/]")


def _parts_table(found: Explained, metric: Metric) -> Table:
    columns = ("slice", "share", "figure", "part of the difference", *(() if found.paired else ("mix",)))
    table = plain(columns)
    parts = list(found.decomposition.parts)
    shown, others = parts[:MOST_PARTS], parts[MOST_PARTS:]
    for part in shown:
        table.add_row(*_part_row(part, metric, paired=found.paired))
    mix = () if found.paired else (number(math.fsum(part.mix for part in others), signed=True, scale=metric.scale),)
    if others:
        rest = math.fsum((part.figure.value or 0.0) for part in others)
        share = math.fsum(part.share_second for part in others)
        table.add_row(f"{len(others)} others", f"{share:.0%}", "", number(rest, signed=True, scale=metric.scale), *mix)
    figures = math.fsum((part.figure.value or 0.0) for part in parts)
    whole = number(found.total, signed=True, scale=metric.scale)
    total = number(figures, signed=True, scale=metric.scale)
    mixed = () if found.paired else (number(math.fsum(part.mix for part in parts), signed=True, scale=metric.scale),)
    table.add_section()
    table.add_row("[bold]sum[/]", "", "" if found.paired else f"together {whole}", total, *mixed)
    return table


def _part_row(part: Part, metric: Metric, *, paired: bool) -> list[str]:
    shares = f"{part.share_first:.0%}" if paired else f"{part.share_first:.0%} → {part.share_second:.0%}"
    sides = f"{number(part.value_first, scale=metric.scale)} → {number(part.value_second, scale=metric.scale)}"
    row = [escape(part.slice), shares, sides, estimate(part.figure, signed=True, scale=metric.scale)]
    return row if paired else [*row, number(part.mix, signed=True, scale=metric.scale)]


def day(at: datetime | None) -> str:
    """Return a date."""
    return "–" if at is None else f"{at:%Y-%m-%d}"


def _line(out: Console, text: str) -> None:
    out.print(text, highlight=False)
