"""A decision of the gate for people: each rule with its evidence, what would change it, and who said otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cluster.run_text import plain
from evaluation.gate import GateDecision, GateOutcome
from evaluation.gate_audit import Audited
from evaluation.gate_policy import Severity
from evaluation.gate_results import RuleOutcome, RuleResult

STYLES = {GateOutcome.APPROVE: "green", GateOutcome.REJECT: "red", GateOutcome.INCONCLUSIVE: "yellow"}
_SIGNS = {RuleOutcome.PASSED: "[green]✓[/]", RuleOutcome.FAILED: "[red]✗[/]", RuleOutcome.INCONCLUSIVE: "[yellow]?[/]"}


def print_decision(out: Console, decision: GateDecision, subject: str) -> None:
    """Print a decision, rule by rule."""
    style = STYLES[decision.outcome]
    out.print(f"[bold {style}]{decision.outcome.upper()}[/]  {escape(subject)}", highlight=False)
    for rule in decision.rules:
        for line in _rule(rule):
            out.print(line, highlight=False)


def _rule(rule: RuleResult) -> Iterator[str]:
    warns = " [dim](warns only)[/]" if rule.severity is Severity.WARN else ""
    yield f"{_SIGNS[rule.outcome]} [bold]{rule.name}[/]{warns}: {escape(rule.reason)}"
    if rule.change and rule.outcome is not RuleOutcome.PASSED:
        yield f"    would change it: {escape(rule.change)}"


def print_audited(out: Console, found: Audited) -> None:
    """Print all that is known of a decision."""
    record, decision = found.record, found.decision
    if decision is None:
        out.print(f"{record.outcome.upper()}  {escape(record.subject)}: its evidence cannot be read by this version")
    else:
        print_decision(out, decision, record.subject)
    for one in found.overrides:
        out.print(
            f"[bold yellow]OVERRIDDEN[/]  {one.at:%Y-%m-%d %H:%M} {escape(one.by)} said {one.outcome}:"
            f" {escape(one.reason)}",
            highlight=False,
        )
    if found.overrides:
        out.print(f"What holds: {found.holds.value}", highlight=False)
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, value in facts(found):
        table.add_row(f"[dim]{name}[/]", escape(value))
    out.print(table)


def facts(found: Audited) -> Iterator[tuple[str, str]]:
    """Yield what the decision rests on."""
    record, decision = found.record, found.decision
    yield "decision", record.id
    yield "made", f"{record.at:%Y-%m-%d %H:%M:%S} UTC"
    if decision is not None:
        yield "policy", f"{decision.policy.name} {decision.policy.version} · {record.policy_hash}"
        yield "rows", decision.rows_hash
    for name, value in found.inputs.items():
        yield name.replace("_", " "), str(value)


def print_decisions(out: Console, found: Sequence[Audited]) -> None:
    """Print a list of decisions, the latest first."""
    table = plain(("decision", "made", "subject", "gate", "holds", ""))
    for one in found:
        style = STYLES[one.holds]
        said = f"overridden by {one.overrides[0].by}" if one.overrides else ""
        table.add_row(
            one.record.id[:10],
            f"{one.record.at:%Y-%m-%d %H:%M}",
            escape(one.record.subject),
            one.record.outcome,
            f"[{style}]{one.holds.value}[/]",
            escape(said),
        )
    out.print(table)


def audited_json(found: Audited) -> dict[str, Any]:
    """Return what `--json` prints."""
    return found.model_dump(mode="json")
