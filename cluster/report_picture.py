"""`report.png`: one picture of a turn, four panels, drawn from the report and the training's curve."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

Json = dict[str, Any]

BASE, CANDIDATE = "#8fa3b0", "#c1440e"
QUALITY = {"tool_accuracy": "right tool", "exact_calls": "exact calls", "task_success": "task success"}
WIDTH = 0.36


def draw_report(report: Json, curve: Path) -> bytes:
    """Return the PNG. Where there is no curve, or no rollout, the panel says so."""
    figure = Figure(figsize=(11, 7), layout="constrained")
    (learning, quality), (traffic, price) = figure.subplots(2, 2)
    versions = report["versions"]
    figure.suptitle(
        f"Turn {report['id']}: {report['outcome']} · {versions['base']} → {versions['candidate']}", fontweight="bold"
    )
    _learning(learning, json.loads(curve.read_text(encoding="utf-8")) if curve.exists() else [])
    _quality(quality, report)
    _traffic(traffic, report["rollout"])
    _price(price, report)
    for axes in (learning, quality, traffic, price):
        axes.spines[["top", "right"]].set_visible(False)
        axes.title.set_fontsize(11)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=120)
    return png.getvalue()


def _says(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, color="#666666", wrap=True)
    axes.set_xticks([])
    axes.set_yticks([])


def _learning(axes: Axes, curve: list[dict[str, float]]) -> None:
    axes.set_title("Learning curve", loc="left")
    train = [(point["step"], point["loss"]) for point in curve if "loss" in point]
    held = [(point["step"], point["eval_loss"]) for point in curve if "eval_loss" in point]
    if not train and not held:
        _says(axes, "no curve was kept")
        return
    axes.plot(*zip(*train, strict=True), color=BASE, linewidth=1, label="training") if train else None
    axes.plot(*zip(*held, strict=True), "o-", color=CANDIDATE, markersize=4, label="evaluation") if held else None
    axes.set_xlabel("optimiser step")
    axes.set_ylabel("loss per token (nats)")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25, which="both")
    axes.legend(frameon=False)


def _quality(axes: Axes, report: Json) -> None:
    axes.set_title(f"Quality on {report['scenarios']['held_out']} held-out scenarios", loc="left")
    for shift, arm, colour in ((-WIDTH / 2, "base", BASE), (WIDTH / 2, "candidate", CANDIDATE)):
        found = [
            (at + shift, report[arm][key]) for at, key in enumerate(QUALITY) if report[arm][key]["value"] is not None
        ]
        _bars(axes, found, colour, label=f"{arm} {report['versions'][arm]}", text="{:.0%}")
    axes.set_xticks(range(len(QUALITY)), list(QUALITY.values()))
    axes.set_ylim(0, 1.3)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(alpha=0.25, axis="y")
    axes.legend(frameon=False, ncols=2, loc="upper left")


def _bars(axes: Axes, found: list[tuple[float, Json]], colour: str, *, label: str | None, text: str) -> None:
    """Draw bars with their intervals, and the figure above each."""
    values = [estimate["value"] for _, estimate in found]
    lows = [e["value"] - e["low"] if e["low"] is not None else 0 for _, e in found]
    highs = [e["high"] - e["value"] if e["high"] is not None else 0 for _, e in found]
    error = {"ecolor": "#333333", "elinewidth": 1, "capsize": 3}
    # A bootstrap interval need not hold the mean to the last digit; a bar's error must not be negative.
    both = [[max(0.0, low) for low in lows], [max(0.0, high) for high in highs]]
    axes.bar([at for at, _ in found], values, WIDTH, color=colour, label=label, yerr=both, error_kw=error)
    for (at, _), value, high in zip(found, values, both[1], strict=True):
        axes.annotate(
            text.format(value), (at, value + high), (0, 2), textcoords="offset points", ha="center", fontsize=9
        )


def _traffic(axes: Axes, rollout: Json) -> None:
    axes.set_title("Candidate's share of the traffic", loc="left")
    points = rollout["traffic"]
    if not points:
        _says(axes, "no rollout: the gate did not approve")
        return
    seconds, shares = [point[0] for point in points], [point[1] for point in points]
    end = max([*seconds, sum(stage["seconds"] for stage in rollout["stages"])])
    axes.step([*seconds, end], [*shares, shares[-1]], where="post", color=CANDIDATE, linewidth=2)
    axes.fill_between([*seconds, end], [*shares, shares[-1]], step="post", color=CANDIDATE, alpha=0.15)
    axes.set_xlabel(f"seconds · {rollout['requests']} requests, {rollout['failed_requests']} failed")
    axes.set_ylim(0, 1.05)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(alpha=0.25)


def _price(axes: Axes, report: Json) -> None:
    axes.set_title("Cost and latency", loc="left")
    beside = axes.twinx()
    beside.spines["top"].set_visible(False)
    for at, key, on, text in ((0, "cost", axes, "{:.2g}"), (1, "latency_ms", beside, "{:.0f}")):
        scale = 1000 if key == "cost" else 1
        arms = (("base", BASE), ("candidate", CANDIDATE))
        found = [(_scaled(report[arm][key], scale), colour) for arm, colour in arms]
        for shift, (estimate, colour) in zip((-WIDTH / 2, WIDTH / 2), found, strict=True):
            if estimate["value"] is not None:
                _bars(on, [(at + shift, estimate)], colour, label=None, text=text)
        tops = [e["high"] if e["high"] is not None else e["value"] for e, _ in found if e["value"] is not None]
        on.set_ylim(0, (max(tops, default=0) or 1) * 1.2)
    axes.set_xticks([0, 1], ["cost of 1000 episodes", "latency per model call"])
    axes.set_ylabel("cost (currency of the price table)")
    beside.set_ylabel("ms")


def _scaled(estimate: Json, scale: float) -> Json:
    return {key: None if value is None else value * scale for key, value in estimate.items()}
