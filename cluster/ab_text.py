"""The result of an A/B comparison on a terminal: effect and interval first, p value second."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cluster.ab import ABReport
from cluster.run_text import plain
from evaluation.ab import ArmResult, Conclusion, MetricResult, figure_text
from evaluation.compare import Slice
from evaluation.contrary import Contrary, Strength
from evaluation.metrics import SUCCESS, Metric
from evaluation.stats.intervals import Estimate

STYLES = {Conclusion.BETTER: "green", Conclusion.EQUAL: "cyan", Conclusion.WORSE: "red", Conclusion.UNCLEAR: "yellow"}
MOST_SLICES = 12
"""Rows of a table of parts on the terminal; `ab.md` has all."""


def print_ab(out: Console, report: ABReport, metrics: Mapping[str, Metric]) -> None:
    """Print everything that a person decides by."""
    plan, result = report.plan, report.result
    style = STYLES[result.conclusion]
    out.print()
    out.print(f"[bold {style}]{result.conclusion.upper()}[/]  {escape(result.recommendation)}", highlight=False)
    for line in asked(report):
        out.print(escape(line), highlight=False, style="dim")
    for arm in result.arms:
        _print_arm(out, report, arm, metrics)
    if result.between:
        _print_between(out, report, metrics[plan.question.primary])
    for line in notes(report):
        out.print(escape(line), highlight=False)


def headline(report: ABReport) -> str:
    """Return the result in a few words."""
    result = report.result
    arms = ", ".join(f"{arm.arm} {arm.conclusion.value}" for arm in result.arms)
    if len(result.arms) == 1:
        return f"{result.conclusion.value.capitalize()}: {result.arms[0].arm} against {result.control}"
    return f"{result.conclusion.value.capitalize()}. Against {result.control}: {arms}"


def asked(report: ABReport) -> Iterator[str]:
    """Yield what was compared."""
    plan = report.plan
    parts = [plan.suite.rsplit("/", 1)[-1], plan.part or "all parts", *plan.tags]
    each = f" × {plan.attempts} attempts" if plan.attempts > 1 else ""
    tried = report.result.arms[0].comparison.scenarios
    counted = f"{tried} of {plan.scenarios}" if tried < plan.scenarios else str(tried)
    yield f"{' · '.join(parts)}: {counted} scenarios{each}, seed {plan.seed}"
    for arm in plan.arms:
        yield f"{arm.label}: " + ", ".join(f"{name} {value}" for name, value in arm.told().items())


def _print_arm(out: Console, report: ABReport, arm: ArmResult, metrics: Mapping[str, Metric]) -> None:
    control = report.result.control
    out.print()
    out.print(f"[bold]{escape(arm.arm)}[/] against [bold]{escape(control)}[/]", highlight=False)
    table = plain(("", "difference", "A", "B", "p", "B is"))
    for row, style in metric_rows(arm, metrics):
        table.add_row(*row[:-1], f"[{style}]{row[-1]}[/]")
    out.print(table)
    _print_slices(out, arm, metrics[report.plan.question.primary])
    for one in arm.contrary[:MOST_SLICES]:
        out.print(f"[yellow]![/] {escape(against_text(one, metrics))}", highlight=False)


def metric_rows(arm: ArmResult, metrics: Mapping[str, Metric]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the row of each metric, and the style of its last cell."""
    for one in arm.metrics:
        metric = metrics[one.metric]
        compared = one.compared
        yield (
            (
                metric.title,
                figure_text(compared.difference, metric, signed=True, bare=True) if compared.difference.n else "–",
                _bare(compared.base, metric),
                _bare(compared.candidate, metric),
                p_text(one.p_holm),
                _verdict(one),
            ),
            STYLES[one.conclusion],
        )


def _verdict(one: MetricResult) -> str:
    if not one.compared.difference.n:
        return "not measured"
    return f"unclear (+{one.further})" if one.further else one.conclusion.value


def p_text(p: float | None) -> str:
    """Return a p value."""
    return "–" if p is None else "<.001" if p < 0.001 else f"{p:.3f}".lstrip("0") if p < 1 else "1"


def _bare(estimate: Estimate, metric: Metric) -> str:
    bare = estimate.model_copy(update={"low": None, "high": None})
    return figure_text(bare, metric) if estimate.value is not None else "–"


def slices_of(arm: ArmResult, metric: str, division: str) -> list[Slice]:
    """Return the parts of one division, the largest loss first."""
    parts = [part for part in arm.comparison.slices if part.division == division and metric in part.metrics]
    return sorted(parts, key=lambda part: (part.metrics[metric].difference.value or 0.0, part.name))


def _print_slices(out: Console, arm: ArmResult, metric: Metric) -> None:
    parts = slices_of(arm, metric.name, "kind")
    if len(parts) < 2:
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    for part in parts[:MOST_SLICES]:
        figures = part.metrics[metric.name]
        table.add_row(
            escape(part.name.partition(":")[2].replace("_", " ")),
            figure_text(figures.difference, metric, signed=True, bare=True),
            f"[dim]{figures.difference.n} scenarios[/]",
        )
    out.print(f"{metric.title} by kind, difference:", highlight=False)
    out.print(table)


def against_text(one: Contrary, metrics: Mapping[str, Metric]) -> str:
    """Return what a part that goes against the whole says."""
    metric = metrics[one.metric]
    way = "worse there though better on the whole" if one.worse else "better there though worse on the whole"
    sure = "" if one.strength is Strength.SHOWN else "perhaps "
    return (
        f"{one.slice}: {metric.title} {sure}{way}: {figure_text(one.part, metric, signed=True)}"
        f" ({one.part.n} scenarios) against {figure_text(one.whole, metric, signed=True)}"
    )


def _print_between(out: Console, report: ABReport, metric: Metric) -> None:
    table = plain(("arms", f"difference in {metric.title}", "p"))
    for name, estimate in report.result.between.items():
        table.add_row(escape(name), figure_text(estimate, metric, signed=True), p_text(report.result.between_p[name]))
    out.print()
    out.print(table)


def notes(report: ABReport) -> Iterator[str]:
    """Yield how to read it, what it took, and what to mind."""
    plan, spent = report.plan, report.spent
    several = len(plan.question.metrics) * len(report.result.arms)
    if report.result.watched:
        yield (
            f"Differences of shares are in points. Intervals hold at every moment, all {several} together at"
            f" {1 - plan.question.alpha:.0%}: stopping early"
            " costs no error."
        )
    else:
        level, margin = f"{1 - plan.question.alpha:.0%}", f"{plan.question.margin:.0%}"
        yield (
            f"{level} intervals of paired differences, of shares in points; p by Holm over {several}; equal: not worse"
            f" by {margin}."
        )
    first = report.result.arms[0].comparison
    if first.clusters is not None:
        yield f"Attempts repeat, so the {first.clusters} groups of scenarios count, not the scenarios."
    elif first.groups < first.scenarios:
        yield (
            f"The {first.scenarios} scenarios are of {first.groups} groups and count one by one: where those of a group"
            " resemble each other, intervals are too narrow; with --attempts 2 the groups count."
        )
    lost = max(one.comparison.metrics[SUCCESS].missing for one in report.result.arms)
    if lost:
        yield f"{lost} scenarios lack an answer or a verdict of an arm: they count for neither; many decide nothing."
    problems = report.result.arms[0].comparison.problems
    if problems.any:
        found = {name: len(getattr(problems, name)) for name in type(problems).model_fields}
        yield "Left out or incomplete: " + ", ".join(f"{n} {name}" for name, n in found.items() if n)
    if spent["attempts"]:
        yield (
            f"The comparison took {spent['attempts']:.0f} attempts, {spent['tokens']:.0f} tokens,"
            f" {spent['cost']:.4g} {report.currency}, {spent['seconds']:.1f} s; of these for measuring latency apart"
            f" {spent['timing_cost']:.4g} {report.currency}, {spent['timing_seconds']:.1f} s."
        )
    if report.held_out is not None:
        yield report.held_out.sentence + (f" Needed: {report.held_out.advice}." if report.held_out.advice else "")
