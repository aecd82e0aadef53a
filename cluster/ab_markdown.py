"""The result of an A/B comparison as `ab.md`: everything, for people and for pull requests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from cluster.ab import ABReport
from cluster.ab_text import against_text, asked, headline, metric_rows, notes, p_text, slices_of
from evaluation.ab import ArmResult, figure_text
from evaluation.metrics import Metric

Metrics = Mapping[str, Metric]


def markdown(report: ABReport, metrics: Metrics) -> str:
    """Return `ab.md`."""
    result = report.result
    parts = [
        f"# {headline(report)}",
        f"**{result.recommendation}**",
        "![effects with their intervals](ab.png)",
        _list(asked(report)),
    ]
    for arm in result.arms:
        parts += list(_arm(arm, result.control, report, metrics))
    if result.between:
        parts += list(_between(report, metrics))
    parts += ["## Notes", _list(notes(report)), *_provenance(report)]
    return "\n\n".join(parts) + "\n"


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _arm(arm: ArmResult, control: str, report: ABReport, metrics: Metrics) -> Iterator[str]:
    yield f"## {arm.arm} against {control}"
    yield arm.sentence
    headings = ("", "difference [95%]", f"A: {control}", f"B: {arm.arm}", "p (Holm)", "B is", "pairs")
    rows = zip(metric_rows(arm, metrics), arm.metrics, strict=True)
    yield _table(headings, [(*row, str(one.compared.difference.n)) for (row, _), one in rows])
    if arm.contrary:
        yield "### Against the whole"
        yield _list(against_text(one, metrics) for one in arm.contrary)
    primary = metrics[report.plan.question.primary]
    for division in ("kind", "tool", "tag"):
        yield from _slices(arm, division, primary)


def _slices(arm: ArmResult, division: str, metric: Metric) -> Iterator[str]:
    parts = slices_of(arm, metric.name, division)
    if not parts:
        return
    yield f"### {metric.title} by {division}"
    rows = []
    for part in parts:
        one = part.metrics[metric.name]
        rows.append(
            (
                part.name.partition(":")[2],
                figure_text(one.difference, metric, signed=True),
                figure_text(one.base, metric),
                figure_text(one.candidate, metric),
                str(one.difference.n),
            )
        )
    yield _table((division, "difference", "A", "B", "scenarios"), rows)


def _between(report: ABReport, metrics: Metrics) -> Iterator[str]:
    metric, result = metrics[report.plan.question.primary], report.result
    yield "## Arms among each other"
    rows = [
        (name, figure_text(one, metric, signed=True), p_text(result.between_p[name]))
        for name, one in result.between.items()
    ]
    yield _table(("", f"difference in {metric.title}", "p (Holm)"), rows)


def _provenance(report: ABReport) -> Iterator[str]:
    plan, found = report.plan, report.plan.environment
    rows = [
        ("comparison", plan.id),
        ("suite", f"{plan.suite} · {plan.suite_digest}"),
        ("seed", str(plan.seed)),
        ("rows", report.result.arms[0].comparison.rows_hash),
        ("runs", ", ".join(plan.runs) or "made for this comparison"),
        ("code", str(found.get("code", "–"))),
        ("machine", f"{found.get('platform', '–')} · Python {found.get('python', '–')}"),
        ("packages", ", ".join(f"{name} {version}" for name, version in found.get("packages", {}).items())),
    ]
    yield "## Where it comes from"
    yield _table(("", ""), rows)
