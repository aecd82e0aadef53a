"""What the examples come to, on a terminal: counts, shares, histograms, growth, balance, bytes and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from cluster.episode_text import clean_text
from cluster.run_text import plain
from evaluation.ledger.statistics import DataStatistics, Histogram

BAR = 30
MOST = 12
"""Values of one kind that are listed; the others are summed up."""
_TITLES = {
    "task_key": "task key",
    "source": "source",
    "model_version": "version",
    "error_kind": "first failure",
    "success": "succeeded",
    "correct_tool_selection": "right tools",
}


class Kept(NamedTuple):
    """What the data takes on disk, in bytes, and what that costs."""

    examples: int
    database: int
    snapshots: int
    price_gb_month: float

    @property
    def cost_month(self) -> float:
        """Return the price of database and snapshots for a month."""
        return (self.database + self.snapshots) / 1e9 * self.price_gb_month


def print_statistics(out: Console, found: DataStatistics, kept: Kept) -> None:
    """Print all of it."""
    first, last = (f"{at:%Y-%m-%d}" if at else "–" for at in (found.first, found.last))
    out.print(f"{found.examples:,} examples from {first} to {last} (UTC)", highlight=False)
    for name, counts in found.shares.items():
        _print_shares(out, _TITLES[name], counts, total=found.examples, uneven=found.imbalance.get(name))
    _print_shares(out, "tool", found.tools, total=found.examples, uneven=found.imbalance["tools"])
    if found.without_tools:
        out.print(f"  {found.without_tools:,} examples call no tool", highlight=False)
    for title, histogram in {
        "response quality, 0 to 5": found.quality,
        "validation confidence": found.confidence,
        "mean rating by people": found.ratings,
    }.items():
        _print_histogram(out, title, histogram)
    _print_growth(out, found)
    latency = ", ".join(f"{name} {value:,.0f}" for name, value in found.latency_ms.items())
    out.print(f"Latency in ms: {latency or '–'}", highlight=False)
    out.print(
        f"Tokens: {found.tokens_in:,} in, {found.tokens_out:,} out · cost of the answers {found.cost:,.4g}",
        highlight=False,
    )
    out.print(
        f"Kept: {size(kept.examples)} of examples as JSON · database {size(kept.database)} · snapshots"
        f" {size(kept.snapshots)} · {kept.cost_month:,.4f} a month at {kept.price_gb_month:g} per GB",
        highlight=False,
        soft_wrap=True,
    )


def size(count: int) -> str:
    """Return bytes as a person reads them, in powers of 1000."""
    value, units = float(count), ["B", "kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f} {units[0]}" if units[0] == "B" else f"{value:.1f} {units[0]}"


def _print_shares(out: Console, title: str, counts: Mapping[str, int], *, total: int, uneven: float | None) -> None:
    head = title if uneven is None else f"{title} (imbalance {uneven:.2f})"
    table = plain((head, "examples", "share", ""))
    for column in (table.columns[1], table.columns[2]):
        column.justify = "right"
    shown = list(counts.items())[:MOST]
    for name, count in shown:
        share = count / total if total else 0.0
        table.add_row(Text(clean_text(name)), f"{count:,}", f"{share:.1%}", "█" * round(BAR * share))
    if len(counts) > len(shown):
        rest = sum(counts.values()) - sum(count for _, count in shown)
        table.add_row(f"… {len(counts) - len(shown)} more", f"{rest:,}", f"{rest / total:.1%}", "")
    if counts:
        out.print(table)


def _print_histogram(out: Console, title: str, found: Histogram) -> None:
    known = sum(found.counts)
    mean = "" if found.mean is None else f", mean {found.mean:.2f}"
    out.print(f"{title}: {known:,} have one{mean}", highlight=False)
    if known:
        most = max(found.counts)
        for (low, high), count in zip(pairwise(found.edges), found.counts, strict=True):
            out.print(f"  {low:.1f}–{high:.1f} {'█' * round(BAR * count / most):<{BAR}} {count:,}", highlight=False)


def _print_growth(out: Console, found: DataStatistics) -> None:
    if not found.by_day:
        return
    last = max(found.by_day)
    days = [last - timedelta(days=back) for back in range(13, -1, -1)]
    counts = [found.by_day.get(day, 0) for day in days]
    recent, before = sum(counts[7:]), sum(counts[:7])
    out.print(
        f"Growth: {spark(counts)} a day until {last} · {recent:,} in the last 7 days, {before:,} in the 7 before"
        f" · {_per_week(found.by_week()):,.0f} a week on average",
        highlight=False,
        soft_wrap=True,
    )


def _per_week(weeks: Mapping[date, int]) -> float:
    span = (max(weeks).toordinal() - min(weeks).toordinal()) // 7 + 1
    return sum(weeks.values()) / span


def spark(counts: Sequence[int]) -> str:
    """Return counts as a line of small bars."""
    bars, most = " ▁▂▃▄▅▆▇█", max(counts, default=0)
    return "".join(bars[0 if not count else 1 + round(7 * count / most)] for count in counts)
