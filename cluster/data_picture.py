"""`ratchet data stats --png`: growth, quality, confidence and ratings, tools and sources, in six panels."""

from __future__ import annotations

import io
from collections.abc import Mapping
from itertools import pairwise

import matplotlib.dates as mdates
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from evaluation.ledger.statistics import DataStatistics, Histogram

COLOUR, SECOND = "#2f6f8f", "#c1440e"
MOST_BARS = 12
"""Tools, task keys and sources that are drawn of each."""
_COUNT = FuncFormatter(lambda value, _: f"{value:,.0f}")


MOST_DAYS = 42
"""Longest time that is drawn by days."""


def draw_statistics(found: DataStatistics) -> bytes:
    """Return the PNG. Raises `ValueError` where there is no example."""
    if not found.examples:
        raise ValueError("expected examples, found none to draw")
    figure = Figure(figsize=(12, 10), layout="constrained")
    panels = figure.subplots(3, 2)
    _growth(panels[0, 0], found)
    _bars(panels[0, 1], "task key", found.shares["task_key"], found.imbalance["task_key"])
    _histogram(panels[1, 0], "response quality, 0 to 5", found.quality)
    _bars(panels[1, 1], "tools called", found.tools, found.imbalance["tools"])
    _histogram(panels[2, 0], "mean rating by people, 1 to 5", found.ratings)
    _bars(panels[2, 1], "source", found.shares["source"], found.imbalance["source"])
    figure.suptitle(f"{found.examples:,} examples until {found.last:%Y-%m-%d}", fontweight="bold")
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=120)
    return png.getvalue()


def _growth(axes: Axes, found: DataStatistics) -> None:
    """Draw the examples of each week, and all until then."""
    days = (max(found.by_day) - min(found.by_day)).days
    by_week = days > MOST_DAYS
    weeks = sorted((found.by_week() if by_week else found.by_day).items())
    x = [mdates.date2num(week) for week, _ in weeks]
    axes.bar(x, [count for _, count in weeks], width=5 if by_week else 0.8, color=COLOUR)
    axes.set_xlim(x[0] - 7, x[-1] + 7)
    total, sums = 0, []
    for _, count in weeks:
        total += count
        sums.append(total)
    other = axes.twinx()
    other.plot(x, sums, color=SECOND, linewidth=2, marker="." if len(x) == 1 else "")
    other.set_ylim(bottom=0)
    for side in (axes, other):
        side.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        side.yaxis.set_major_formatter(_COUNT)
    other.tick_params(axis="y", colors=SECOND)
    axes.xaxis_date()
    locator = mdates.AutoDateLocator(minticks=3, maxticks=8)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))
    axes.set_title(f"examples a {'week' if by_week else 'day'}, and in all", loc="left", fontsize=11)


def _histogram(axes: Axes, title: str, found: Histogram) -> None:
    widths = [high - low for low, high in pairwise(found.edges)]
    axes.bar(found.edges[:-1], found.counts, width=widths, align="edge", color=COLOUR, edgecolor="white")
    if found.mean is None:
        axes.set_ylim(0, 1)
        axes.text(0.5, 0.5, "none yet", transform=axes.transAxes, ha="center", color="#777777")
    else:
        axes.axvline(found.mean, color=SECOND, linewidth=1.5, linestyle="--")
        axes.annotate(f"mean {found.mean:.2f}", (found.mean, 1.0), (4, -12), xycoords=axes.get_xaxis_transform(),
                      textcoords="offset points", fontsize=9, color=SECOND)  # fmt: skip
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(_COUNT)
    axes.set_xlim(found.edges[0], found.edges[-1])
    axes.set_title(f"{title} ({found.missing:,} have none)", loc="left", fontsize=11)


def _bars(axes: Axes, title: str, counts: Mapping[str, int], uneven: float | None) -> None:
    shown = list(counts.items())[:MOST_BARS][::-1]
    names = [name if len(name) <= 28 else name[:27] + "…" for name, _ in shown]
    axes.barh(range(len(shown)), [count for _, count in shown], color=COLOUR)
    axes.set_ylim(len(shown) - max(len(shown), MOST_BARS // 2) - 0.6, len(shown) - 0.4)
    # As plain text: a name may hold a $, between two of which matplotlib reads a formula.
    axes.set_yticks(range(len(shown)), [name.replace("$", r"\$") for name in names], fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(_COUNT)
    more = f", {len(counts) - len(shown)} more" if len(counts) > len(shown) else ""
    axes.set_title(title + more + ("" if uneven is None else f" · imbalance {uneven:.2f}"), loc="left", fontsize=11)
