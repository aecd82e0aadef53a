"""The report for people: `report.md`, and the table on the terminal. Both are written from `report.json` alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from evaluation.metrics import METRICS

Json = dict[str, Any]

HEADLINES = (
    "tool_accuracy",
    "exact_calls",
    "task_success",
    "protocol_clean",
    "quality",
    "tokens_per_episode",
    "latency_ms",
    "cost",
)
"""The metrics of the table on the terminal; `report.md` has all that were measured."""

_STYLES = {"promoted": "green", "rejected": "red", "aborted": "red"}


def title_of(metric: str) -> str:
    """Return what tables call a metric."""
    return METRICS[metric].title if metric in METRICS else metric.replace("_", " ")


def scale_of(metric: str) -> float:
    """Return what tables multiply a metric by: cost is shown for 1000 episodes."""
    return METRICS[metric].scale if metric in METRICS else 1.0


def show(estimate: Json | None, *, signed: bool = False, digits: int = 3, scale: float = 1.0) -> str:
    """Return a figure with its interval, as `0.912 [0.871, 0.941]`; a dash where there is none."""
    if estimate is None or estimate["value"] is None:
        return "–"
    value, low, high = (None if estimate[key] is None else estimate[key] * scale for key in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return _number(estimate["value"] * scale, signed=signed, digits=digits)
    shown = [_number(number, signed=signed, digits=digits) for number in (value, low, high)]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def _number(value: float, *, signed: bool, digits: int) -> str:
    sign = "+" if signed else ""
    # A cell of the terminal's table has no room for an exponent; `report.md` has all digits.
    if digits > 2 and value and abs(value) < 0.0005:
        return f"{value:{sign}.{digits - 1}e}"
    return f"{value:{sign}.{digits if abs(value) < 10 else digits - 2}f}"


def _metric_rows(
    base: Json, candidate: Json, differences: Json, *, digits: int = 3, chosen: Sequence[str] | None = None
) -> Iterator[list[str]]:
    for key in base if chosen is None else chosen:
        if key in base and key in candidate and (chosen or base[key]["n"] or candidate[key]["n"]):
            change, scale = differences.get(key), scale_of(key)
            arms = [show(arm[key], digits=digits, scale=scale) for arm in (base, candidate)]
            pairs = "–" if change is None else str(change["n"])
            yield [title_of(key), *arms, show(change, signed=True, digits=digits, scale=scale), pairs]


def _stage_rows(report: Json) -> Iterator[list[str]]:
    for stage in report["rollout"]["stages"]:
        counts = stage["counts"]
        yield [
            f"{stage['weight']:g} %",
            str(counts["champion"]),
            str(counts["candidate"]),
            stage["decision"],
            f"{stage['seconds']:.0f}",
            stage["reason"],
        ]


def print_report(console: Console, report: Json) -> None:
    """Print outcome, figures, gate and rollout."""
    style = _STYLES.get(report["outcome"], "yellow")
    console.print()
    console.print(f"[bold {style}]{report['outcome'].upper()}[/]  {report['summary']}", highlight=False)
    headings = ("", report["versions"]["base"], report["versions"]["candidate"], "difference")
    table = Table(*headings, box=SIMPLE_HEAD, show_edge=False, padding=(0, 2, 0, 0))
    for row in _metric_rows(report["base"], report["candidate"], report["differences"], digits=2, chosen=HEADLINES):
        table.add_row(*row[:-1])
    console.print(f"{report['scenarios']['held_out']} held-out scenarios, attempted by both; 95% intervals")
    console.print(table)
    for rule in report["gate"]["rules"]:
        sign = {"passed": "[green]✓[/]", "failed": "[red]✗[/]"}.get(rule["outcome"], "[yellow]?[/]")
        console.print(f"{sign} {rule['name']}: {rule['reason']}", highlight=False)
    for line in _warnings(report):
        console.print(f"[yellow]![/] {line}", highlight=False)
    rollout = report["rollout"]
    console.print(f"rollout: {rollout['decision']}, {rollout['reason']}", highlight=False)
    if rollout["stages"]:
        stages = Table(
            "weight",
            "champion",
            "candidate",
            "decision",
            "s",
            "reason",
            box=SIMPLE_HEAD,
            show_edge=False,
            padding=(0, 2, 0, 0),
        )
        for row in _stage_rows(report):
            stages.add_row(*row)
        console.print(stages)
        console.print(f"{rollout['requests']} requests, {rollout['failed_requests']} failed", highlight=False)
    console.print(f"{report['seconds']['total']:.0f} s in all", highlight=False)


def _warnings(report: Json) -> Iterator[str]:
    override = report["gate"].get("override")
    if override:
        yield (
            f"The gate said {report['gate']['decision']}; {override['by']} said {override['outcome']} on"
            f" {override['at'][:16]}: {override['reason']}"
        )
    spent = report.get("held_out_budget")
    if spent and spent["advice"]:
        yield f"{spent['sentence']} Needed: {spent['advice']}."


def markdown(report: Json) -> str:
    """Return `report.md`."""
    parts = [
        f"# Turn {report['id']}: {report['outcome']}",
        f"**{report['summary']}** {_gain(report)}",
        "![learning curve, base against candidate, traffic, cost](report.png)",
        *_figures(report),
        *_gate(report),
        *_kinds(report),
        *_held_out_tools(report),
        *_rollout(report),
        *_collected(report),
        *_timings(report),
        *_provenance(report),
    ]
    return "\n\n".join(parts) + "\n"


def _gain(report: Json) -> str:
    base, candidate = report["base"]["task_success"], report["candidate"]["task_success"]
    change = show(report["differences"].get("task_success"), signed=True)
    return (
        f"Task success on {report['scenarios']['held_out']} held-out scenarios: {show(base)} before,"
        f" {show(candidate)} after; difference {change}."
    )


def _table(headings: Sequence[str], rows: Iterator[list[str]] | Sequence[list[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _figures(report: Json) -> Iterator[str]:
    versions = report["versions"]
    yield "## Base against candidate"
    yield (
        "The same held-out scenarios for both, in turn, with 95% intervals. Latency and cost are compared on scenarios"
        " that both solved."
    )
    headings = ("", f"base {versions['base']}", f"candidate {versions['candidate']}", "difference", "pairs")
    yield _table(headings, _metric_rows(report["base"], report["candidate"], report["differences"]))


def _gate(report: Json) -> Iterator[str]:
    gate = report["gate"]
    yield f"## Gate: {gate['decision']}"
    rules = [[r["name"], r["outcome"], r["reason"], r.get("change") or "–"] for r in gate["rules"]]
    yield _table(("rule", "outcome", "reason", "what would change it"), rules)
    yield from _warnings(report)


def _kinds(report: Json) -> Iterator[str]:
    yield "## Task success by kind of scenario"
    rows = [
        [kind.replace("_", " "), show(arms["base"]), show(arms["candidate"]), str(arms["base"]["n"])]
        for kind, arms in report["kinds"].items()
    ]
    yield _table(("kind", "base", "candidate", "scenarios"), rows)


def _held_out_tools(report: Json) -> Iterator[str]:
    yield "## Tools that occur in the held-out part only"
    apart = report["held_out_tools"]
    if not apart:
        yield "The suite has none."
        return
    rows = _metric_rows(apart["base"], apart["candidate"], apart["differences"])
    yield _table(("", "base", "candidate", "difference", "pairs"), rows)


def _rollout(report: Json) -> Iterator[str]:
    rollout = report["rollout"]
    yield f"## Rollout: {rollout['decision']}"
    yield rollout["reason"]
    if rollout["stages"]:
        headings = ("weight", "champion's conversations", "candidate's", "decision", "seconds", "reason")
        yield _table(headings, _stage_rows(report))
        yield f"{rollout['requests']} requests, {rollout['failed_requests']} of them failed."


def _collected(report: Json) -> Iterator[str]:
    found = report["collected"]
    yield "## Back in the ledger"
    yield (
        f"{found['production']} examples from this turn's production, {found['feedback']} of them rated by users;"
        f" {found['total']} examples in all. In production now: {found['champion']}."
    )


def _timings(report: Json) -> Iterator[str]:
    yield "## Time"
    yield _table(("step", "seconds"), [[step, f"{took:.1f}"] for step, took in report["seconds"].items()])


def _provenance(report: Json) -> Iterator[str]:
    environment, suite = report["environment"], report["suite"]
    rows = [
        ["suite", f"{suite['name']} · {suite['digest']}"],
        ["snapshot", f"`{report['snapshot']['ref']}` · {report['snapshot']['rows']} rows"],
        ["training", f"{report['training']['recipe']} · {report['training']['steps']} steps"],
        ["versions", f"{report['versions']['base']} → {report['versions']['candidate']}"],
        ["seeds", ", ".join(f"{name} {seed}" for name, seed in report["seeds"].items())],
        ["code", f"`{environment['code']}`"],
        ["machine", f"{environment['platform']} · {environment['cpus']} cores · Python {environment['python']}"],
        ["packages", ", ".join(f"{name} {version}" for name, version in environment["packages"].items())],
    ]
    yield "## Where it comes from"
    yield _table(("", ""), rows)
