"""The forest plot of an A/B comparison (`ab.png`): effects of all metrics, and of the first one by parts."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cluster.ab import ABReport
from cluster.ab_text import headline, slices_of
from evaluation.ab import ArmResult, Conclusion
from evaluation.metrics import Direction, Metric
from evaluation.stats.intervals import Estimate

COLOURS = {Conclusion.BETTER: "#2a7f3f", Conclusion.EQUAL: "#3b6fb5", Conclusion.WORSE: "#b3322b",
           Conclusion.UNCLEAR: "#8a8a8a"}  # fmt: skip
MOST = 24
"""Parts in the plot; `ab.md` has all."""


class _Line(NamedTuple):
    label: str
    effect: Estimate
    colour: str


def picture(report: ABReport, metrics: Mapping[str, Metric]) -> bytes:
    """Return the PNG: a row of panels for each arm."""
    arms = report.result.arms
    primary = metrics[report.plan.question.primary]
    parts = [_parts(arm, primary) for arm in arms]
    effects = [_effects(arm, metrics) for arm in arms]
    heights = [0.36 * max(len(one), len(other), 3) + 1.3 for one, other in zip(effects, parts, strict=True)]
    with mpl.rc_context({"font.size": 9, "axes.titlesize": 10, "text.parse_math": False}):
        figure = Figure(figsize=(11, sum(heights) + 0.5), layout="constrained")
        figure.suptitle(headline(report), fontweight="bold")
        grid = figure.subplots(len(arms), 2, squeeze=False, gridspec_kw={"height_ratios": heights})
        for row, arm, lines, slices in zip(grid, arms, effects, parts, strict=True):
            most = max(len(lines), len(slices), 3)
            _forest(row[0], lines, most, title=f"{arm.arm} against {report.result.control}: better is right",
                    label="relative difference, %", margin=report.plan.question.margin * 100)  # fmt: skip
            share = primary.unit == "share"
            axis = f"difference in {primary.title}" + (", points" if share else "")
            _forest(row[1], slices, most, title=f"{primary.title}: parts of the scenarios", label=axis)
        png = io.BytesIO()
        figure.savefig(png, format="png", dpi=120)
    return png.getvalue()


def _effects(arm: ArmResult, metrics: Mapping[str, Metric]) -> list[_Line]:
    """Return the relative effect of each metric in percent, turned so that more is better."""
    lines = []
    for one in arm.metrics:
        ratio = one.compared.ratio
        if ratio.value is None:
            continue
        sign = 1.0 if metrics[one.metric].direction is Direction.HIGHER else -1.0
        ends = {name: None if end is None else end - 1 for name, end in ratio.model_dump(exclude={"n"}).items()}
        effect = _scaled(Estimate(**ends, n=ratio.n), sign * 100)
        lines.append(_Line(metrics[one.metric].title, effect, COLOURS[one.conclusion]))
    return lines


def _scaled(estimate: Estimate, scale: float) -> Estimate:
    ends = [None if end is None else end * scale for end in (estimate.low, estimate.high)]
    low, high = ends if scale > 0 else ends[::-1]
    value = None if estimate.value is None else estimate.value * scale
    return Estimate(value=value, low=low, high=high, n=estimate.n)


def _parts(arm: ArmResult, metric: Metric) -> list[_Line]:
    against = {one.slice for one in arm.contrary if one.metric == metric.name}
    scale = 100.0 if metric.unit == "share" else metric.scale
    found = []
    for division in ("kind", "tool", "tag"):
        for part in slices_of(arm, metric.name, division):
            difference = _scaled(part.metrics[metric.name].difference, scale)
            colour = COLOURS[Conclusion.WORSE] if part.name in against else "#555555"
            found.append((part.name not in against, _Line(f"{part.name} ({difference.n})", difference, colour)))
    # Those that go against the whole are always shown, then the largest.
    kept = sorted(range(len(found)), key=lambda at: (found[at][0], -found[at][1].effect.n, at))[:MOST]
    return [found[at][1] for at in sorted(kept)]


def _forest(
    axes: Axes, lines: Sequence[_Line], most: int, *, title: str, label: str, margin: float | None = None
) -> None:
    """Draw effects under each other, as close as `most` of them would stand."""
    axes.set_title(title, loc="left")
    axes.set_xlabel(label)
    axes.axvline(0, color="#333333", linewidth=1)
    if margin is not None:
        axes.axvspan(-margin, 0, color="#3b6fb5", alpha=0.10, linewidth=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_yticks(range(len(lines)), [line.label for line in lines])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(most - 0.4, -0.6)
    axes.grid(alpha=0.25, axis="x")
    for at, line in enumerate(lines):
        value, low, high = line.effect.value, line.effect.low, line.effect.high
        if low is not None and high is not None:
            axes.plot([low, high], [at, at], color=line.colour, linewidth=2, solid_capstyle="butt")
        if value is not None:
            axes.plot([value], [at], "o", color=line.colour, markersize=5)
