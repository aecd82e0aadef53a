"""What one rule of the gate says: its outcome, its evidence, and what would change it."""

from __future__ import annotations

from enum import StrEnum

from evaluation.gate_policy import Severity
from evaluation.records import Record
from evaluation.stats.intervals import Estimate


class RuleOutcome(StrEnum):
    """What one rule says."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


class RuleResult(Record):
    """One rule, judged."""

    name: str
    outcome: RuleOutcome
    severity: Severity = Severity.BLOCK
    """What it does to the decision when it does not pass."""
    evidence: dict[str, float | None]
    """The numbers that it was judged by."""
    reason: str
    change: str = ""
    """What would change the outcome; empty where it passed."""
    further_scenarios: int | None = None
    """How many more scenarios would probably settle it (80% power); None where that cannot be told or is not needed."""

    @property
    def blocks(self) -> bool:
        """Whether it keeps the candidate from being approved."""
        return self.severity is Severity.BLOCK and self.outcome is not RuleOutcome.PASSED


def show(estimate: Estimate) -> str:
    """Return a figure with its interval and what it rests on."""

    def number(value: float | None) -> str:
        return "?" if value is None else f"{value:.4g}"

    return f"{number(estimate.value)} [{number(estimate.low)}, {number(estimate.high)}] (n = {estimate.n})"


def passed_rule(name: str, evidence: dict[str, float | None], reason: str) -> RuleResult:
    """Return a rule that passed."""
    return RuleResult(name=name, outcome=RuleOutcome.PASSED, evidence=evidence, reason=reason)


def inconclusive_rule(
    name: str, evidence: dict[str, float | None], reason: str, change: str, *, further: int | None = None
) -> RuleResult:
    """Return a rule that the data do not decide."""
    return RuleResult(
        name=name,
        outcome=RuleOutcome.INCONCLUSIVE,
        evidence=evidence,
        reason=reason,
        change=change,
        further_scenarios=further,
    )
