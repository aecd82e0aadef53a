"""`ratchet history --out`: a panel a metric, a line a version with its intervals, marks, floor and forecast."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import matplotlib.dates as mdates
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, PercentFormatter

from evaluation.history import History, MetricHistory, Series
from evaluation.ledger.records import Observation
from evaluation.marks import Mark, MarkKind
from evaluation.metrics import Direction, Metric

COLOURS = ("#8fa3b0", "#c1440e", "#2f6f8f", "#7a9a3a", "#8a5a9e", "#b8860b", "#3f3f3f")
SHAPES = {MarkKind.PROMOTED: ("^", "#2e7d32"), MarkKind.ROLLED_BACK: ("v", "#b71c1c")}
MOST_PANELS = 6
ORIGIN_SHAPES = {"test": "s", "compare": "o", "ab": "D", "production": "."}
AHEAD = 0.35
"""How far a forecast is drawn at most, of the span of the observations."""


def draw_history(found: History, metrics: Mapping[str, Metric]) -> bytes:
    """Return the PNG. Raises `ValueError` where nothing was measured."""
    chosen = found.metrics[:MOST_PANELS]
    if not chosen:
        raise ValueError("expected a metric that was measured, found none to draw")
    figure = Figure(figsize=(11, 1.2 + 3.1 * len(chosen)), layout="constrained")
    panels = figure.subplots(len(chosen), 1, sharex=True, squeeze=False)[:, 0]
    versions = list(dict.fromkeys(series.version for one in chosen for series in one.series))
    colours = {version: COLOURS[place % len(COLOURS)] for place, version in enumerate(versions)}
    for place, (axes, one) in enumerate(zip(panels, chosen, strict=True)):
        _panel(axes, one, metrics[one.metric], colours)
        _marks(axes, found.marks, named=place == 0)
    panels[0].legend(handles=list(_legend(found, chosen, colours)), frameon=False, loc="upper left",
                     bbox_to_anchor=(1.0, 1.0), fontsize=9)  # fmt: skip
    panels[-1].xaxis_date()
    locator = mdates.AutoDateLocator(minticks=4, maxticks=10)
    panels[-1].xaxis.set_major_locator(locator)
    panels[-1].xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))
    reign = found.champions[-1][0] if found.champions else None
    figure.suptitle(f"History until {found.now:%Y-%m-%d}" + (f" · {reign} in production" if reign else ""),
                    fontweight="bold")  # fmt: skip
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=120)
    return png.getvalue()


def _legend(found: History, chosen: Sequence[MetricHistory], colours: Mapping[str, str]) -> Iterator[Line2D]:
    for version, colour in colours.items():
        yield Line2D([], [], color=colour, linewidth=2, label=version)
    origins = dict.fromkeys(point.origin for one in chosen for series in one.series for point in series.points)
    for origin in origins:
        words = {"compare": "comparison", "test": "test run", "production": "a day in use", "ab": "A/B comparison"}
        yield Line2D([], [], color="#777777", marker=ORIGIN_SHAPES.get(origin, "o"), linestyle="none",
                     label=words.get(origin, origin))  # fmt: skip
    for kind in SHAPES:
        if any(mark.kind is kind for mark in found.marks):
            yield Line2D([], [], color=SHAPES[kind][1], marker=SHAPES[kind][0], linestyle="none", label=kind.value)
    if any(one.floor is not None and one.ahead.points for one in chosen):
        yield Line2D([], [], color="#555555", linestyle=":", label="forecast")


def _panel(axes: Axes, one: MetricHistory, metric: Metric, colours: Mapping[str, str]) -> None:
    axes.set_title(f"{metric.title}, {metric.direction.value} is better", loc="left", fontsize=11)
    for series in one.series:
        _series(axes, series, metric, colours[series.version])
    if one.floor is not None:
        limit = one.floor.limit * metric.scale
        axes.axhline(limit, color="#b71c1c", linewidth=1, linestyle="--")
        side = "floor" if metric.direction is Direction.HIGHER else "ceiling"
        axes.annotate(side, (1.0, limit), (-4, 3), xycoords=("axes fraction", "data"), textcoords="offset points",
                      ha="right", color="#b71c1c", fontsize=9)  # fmt: skip
    _forecast(axes, one, metric)
    axes.margins(y=0.16)
    if metric.unit == "share":
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, -0.04), min(high, 1.15))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    else:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)


def _series(axes: Axes, series: Series, metric: Metric, colour: str) -> None:
    """Draw a version: days in use, and figures on the same scenarios, as a line with a band; single ones with bars."""
    lines: dict[tuple[str, str], list[Observation]] = defaultdict(list)
    for point in series.points:
        lines[point.origin, point.suite_digest].append(point)
    for (origin, _), points in lines.items():
        times, values = [_x(point.at) for point in points], [point.value * metric.scale for point in points]
        shape, in_use = ORIGIN_SHAPES.get(origin, "o"), origin == "production"
        if not in_use:
            axes.errorbar(times, values, yerr=_errors(points, metric), fmt=shape, color=colour, capsize=3, markersize=6,
                          elinewidth=1.2, markeredgecolor="white", zorder=3)  # fmt: skip
        if len(points) > 1:
            axes.plot(times, values, f"{shape}-" if in_use else "-", color=colour, linewidth=1.2, markersize=4)
            known = [p for p in points if p.low is not None and p.high is not None]
            lows, highs = ([(end or 0.0) * metric.scale for end in side]
                           for side in ([p.low for p in known], [p.high for p in known]))  # fmt: skip
            axes.fill_between([_x(p.at) for p in known], lows, highs, color=colour, alpha=0.14, linewidth=0)
        elif in_use:
            axes.errorbar(times, values, yerr=_errors(points, metric), fmt=shape, color=colour, capsize=3)


def _errors(points: Sequence[Observation], metric: Metric) -> list[list[float]]:
    # An interval need not hold the figure to the last digit; a bar's error must not be negative.
    lows = [max(0.0, p.value - p.low) * metric.scale if p.low is not None else 0.0 for p in points]
    highs = [max(0.0, p.high - p.value) * metric.scale if p.high is not None else 0.0 for p in points]
    return [lows, highs]


def _forecast(axes: Axes, one: MetricHistory, metric: Metric) -> None:
    """Draw where the line goes on, with the slope's interval, when somebody asked for a floor."""
    slope, points = one.lately or one.slope, one.ahead.points
    if one.floor is None or slope.level is None or slope.per_week.value is None or not points:
        return
    begin, span = points[-1].at, points[-1].at - points[0].at
    end = begin + max(span * AHEAD, timedelta(days=1))
    if one.floor.at is not None and one.floor.at < begin + 2 * span:
        end = max(end, one.floor.at + span * 0.05)
    weeks = (end - begin) / timedelta(weeks=1)
    level = slope.level * metric.scale
    reached = {
        side: level + value * weeks * metric.scale
        for side in ("value", "low", "high")
        if (value := getattr(slope.per_week, side)) is not None
    }
    axes.plot(
        [_x(begin), _x(end)], [level, reached["value"]], color="#555555", linewidth=1.2, linestyle=":", label="forecast"
    )
    if "low" in reached and "high" in reached:
        band = ([level, reached["low"]], [level, reached["high"]])
        axes.fill_between([_x(begin), _x(end)], *band, color="#555555", alpha=0.12, linewidth=0)
    _crossing(axes, one.floor.at, one.floor.limit * metric.scale, end)


def _crossing(axes: Axes, at: datetime | None, limit: float, end: datetime) -> None:
    if at is not None and at <= end:
        axes.plot([_x(at)], [limit], "x", color="#b71c1c", markersize=8, markeredgewidth=2)
        axes.annotate(f"{at:%Y-%m-%d}", (_x(at), limit), (0, -14), textcoords="offset points", ha="center", fontsize=9,
                      color="#b71c1c")  # fmt: skip


def _marks(axes: Axes, marks: Sequence[Mark], *, named: bool) -> None:
    """Draw promotions and rollbacks; the first panel names their versions."""
    for mark in marks:
        if mark.kind not in SHAPES:
            continue
        shape, colour = SHAPES[mark.kind]
        axes.axvline(_x(mark.at), color=colour, linewidth=0.8, alpha=0.5)
        axes.plot([_x(mark.at)], [0.97], shape, color=colour, markersize=8, transform=axes.get_xaxis_transform(),
                  clip_on=False, linestyle="none")  # fmt: skip
        if named:
            axes.annotate(mark.version, (_x(mark.at), 0.97), (5, -3), xycoords=axes.get_xaxis_transform(),
                          textcoords="offset points", fontsize=8, color=colour)  # fmt: skip


def _x(at: datetime) -> float:
    return float(mdates.date2num(at))
