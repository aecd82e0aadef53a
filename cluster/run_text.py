"""A test run for people, on a terminal, and as JSON: its figures, and where its time and calls went."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cluster.report_text import scale_of, show, title_of
from cluster.runs import Run, RunEnd, RunState
from evaluation.compare import HELD_OUT_TOOL
from evaluation.figures import Confusion, RunFigures, Slice
from evaluation.protocols.adherence import SuiteAdherence
from evaluation.stats.intervals import Estimate

Json = dict[str, Any]
MOST_CONFUSED = 12
"""Rows of the table of confused tools."""


def plain(columns: tuple[str, ...]) -> Table:
    """Return a table as all of them look here."""
    return Table(*columns, box=SIMPLE_HEAD, show_edge=False, padding=(0, 2, 0, 0))


def figure(estimate: Estimate, scale: float = 1.0) -> str:
    """Return a figure with its interval."""
    return show(estimate.model_dump(), scale=scale)


def run_json(run: Run, end: RunEnd, skipped: int) -> Json:
    """Return what `ratchet test run --json` prints."""
    figures, plan = end.figures, run.plan
    found = figures.model_dump(mode="json")
    apart = found["by_tag"].get(HELD_OUT_TOOL)
    return {
        "run": plan.id,
        "folder": str(run.folder),
        "state": end.state.value,
        "model": plan.model_name,
        "agent": plan.agent,
        "suite": plan.suite,
        "part": plan.part,
        "scenarios": figures.scenarios,
        "episodes": figures.attempts,
        "total": plan.total,
        "skipped": skipped,
        **{name: found[name] for name in ("metrics", "failures", "stop_reasons", "pass_at", "pass_all", "by_kind",
                                          "by_tag", "confusion", "tokens_in", "tokens_out", "cost")},
        "held_out_tools": apart,
        "adherence": None if end.adherence is None else end.adherence.model_dump(mode="json"),
        "seconds": end.seconds,
    }  # fmt: skip


def print_run(out: Console, run: Run, end: RunEnd, currency: str) -> None:
    """Print the figures of a run, and what it was that went wrong."""
    plan, figures = run.plan, end.figures
    asked = [plan.suite, plan.part or "all parts", *plan.tags, f"agent {plan.agent}"]
    asked += [plan.protocol] if plan.protocol else []
    each = f" × {plan.attempts} attempts" if plan.attempts > 1 else ""
    out.print(f"[bold]{escape(plan.model_name)}[/] on {escape(' · '.join(asked))}", highlight=False)
    counted = f"{figures.scenarios} of {plan.scenarios} scenarios{each}, seed {plan.seed}"
    out.print(f"{counted}; 95% intervals over scenarios", highlight=False)
    _print_metrics(out, figures)
    if plan.attempts > 1:
        _print_chances(out, figures)
    _print_parts(out, "kind", figures.by_kind)
    told = {*figures.by_kind, HELD_OUT_TOOL}
    _print_parts(out, "tag", {n: one for n, one in figures.by_tag.items() if n not in told and ":" not in n})
    _print_apart(out, figures)
    _print_confusion(out, figures.confusion)
    if end.adherence is not None:
        _print_adherence(out, plan.protocol or "", end.adherence)
    for title, counts in (("Failures", figures.failures), ("Ended by", figures.stop_reasons)):
        if counts:
            out.print(f"{title}: " + ", ".join(f"{n} {kind}" for kind, n in counts.items()), highlight=False)
    rate = f", {figures.attempts / end.seconds:.3g} attempts/s" if end.seconds > 0 else ""
    spent = f"{figures.tokens_in + figures.tokens_out} tokens, {figures.cost:.4g} {currency}"
    out.print(f"{spent}, {end.seconds:.1f} s{rate}", highlight=False)


def _print_metrics(out: Console, figures: RunFigures) -> None:
    table = plain(("", "all", "scenarios"))
    for key, estimate in figures.metrics.items():
        if estimate.n:
            table.add_row(title_of(key), figure(estimate, scale_of(key)), str(estimate.n))
    out.print(table)


def _print_chances(out: Console, figures: RunFigures) -> None:
    table = plain(("k", "pass@k: one of k", "pass^k: all of k", "scenarios"))
    for k, estimate in figures.pass_at.items():
        table.add_row(str(k), figure(estimate), figure(figures.pass_all[k]), str(estimate.n))
    out.print(table)


def _print_parts(out: Console, name: str, parts: dict[str, Slice]) -> None:
    if not parts:
        return
    table = plain((name, "task success", "right tool", "exact calls", "scenarios"))
    for part, one in parts.items():
        shares = [
            show(one.metrics[key].model_dump(), digits=2) for key in ("task_success", "tool_accuracy", "exact_calls")
        ]
        table.add_row(escape(part.replace("_", " ")), *shares, str(one.scenarios))
    out.print(table)


def _print_apart(out: Console, figures: RunFigures) -> None:
    apart = figures.by_tag.get(HELD_OUT_TOOL)
    if apart is None:
        return
    said = [f"{title_of(key)} {figure(apart.metrics[key])}" for key in ("tool_accuracy", "exact_calls", "task_success")]
    out.print(f"Tools that occur in the held-out part only, {apart.scenarios} scenarios: {', '.join(said)}",
              highlight=False)  # fmt: skip


def _print_confusion(out: Console, confusion: tuple[Confusion, ...]) -> None:
    wrong = [one for one in confusion if one.expected != one.called]
    right = sum(one.count for one in confusion if one.expected == one.called)
    if not wrong:
        return
    table = plain(("expected tool", "called", "times"))
    for one in wrong[:MOST_CONFUSED]:
        table.add_row(escape(one.expected), escape(one.called), str(one.count))
    out.print(table)
    more = len(wrong) - MOST_CONFUSED
    others = f"; {more} further pairs, `--json` has all" if more > 0 else ""
    out.print(f"The right tool {right} times, another {sum(one.count for one in wrong)} times{others}", highlight=False)


def _print_adherence(out: Console, protocol: str, found: SuiteAdherence) -> None:
    out.print(f"Protocol {protocol}: turns without a mistake {figure(found.clean_turns)}, episodes"
              f" {figure(found.clean_episodes)}, given up {figure(found.gave_up)}", highlight=False)  # fmt: skip
    if found.by_class:
        table = plain(("mistake", "times", "episodes that have one"))
        for kind, one in found.by_class.items():
            table.add_row(kind.value, str(one.mistakes), figure(one.episodes))
        out.print(table)


def next_steps(run: Run, state: RunState, again: str) -> Iterator[str]:
    """Yield what to do next; `again`: the command that goes on with the run."""
    if state is RunState.CUT:
        yield f"The budget was spent before all {run.plan.total} attempts were made. Go on, with a larger one: {again}"
    yield f"Kept in {run.folder} · ratchet test show {run.plan.id} --failed"
