"""May the candidate go on? A pure function of a comparison and a policy.

Decisions: any failed rule that blocks rejects; else any inconclusive one makes the decision inconclusive. Data that are
missing, too few or unpaired never pass. The rules stand in `gate_rules.py`, the policy in `gate_policy.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from evaluation.compare import Comparison
from evaluation.gate_policy import GatePolicy, PolicyError, Severity, policy_mistakes
from evaluation.gate_results import RuleOutcome, RuleResult
from evaluation.gate_rules import RegressionEvidence, rule_results
from evaluation.metrics import METRICS, Metric
from evaluation.records import Record


class GateOutcome(StrEnum):
    """What the gate says."""

    APPROVE = "approve"
    REJECT = "reject"
    INCONCLUSIVE = "inconclusive"


class GateDecision(Record):
    """The decision with all that led to it."""

    outcome: GateOutcome
    reason: str
    rules: tuple[RuleResult, ...]
    policy: GatePolicy
    policy_hash: str
    rows_hash: str
    """Digest of the rows that the comparison rests on."""

    @property
    def change(self) -> str:
        """What would change the decision: of each rule that holds it back."""
        return "; ".join(f"{rule.name}: {rule.change}" for rule in self.rules if rule.blocks and rule.change)


def judge(
    comparison: Comparison,
    policy: GatePolicy,
    regression: RegressionEvidence | None = None,
    *,
    metrics: Mapping[str, Metric] = METRICS,
) -> GateDecision:
    """Judge the candidate.

    Raises `ValueError` when comparison and policy speak of different levels, and `PolicyError` when the policy asks for
    metrics that are not known, or were not compared.
    """
    if comparison.alpha != policy.alpha:
        raise ValueError(
            f"alpha: the policy asks for {policy.alpha}, the comparison was made with {comparison.alpha};"
            " call summarise(rows, alpha=policy.alpha)"
        )
    known = {name: metric for name, metric in metrics.items() if name in comparison.metrics}
    if mistakes := policy_mistakes(policy, known):
        raise PolicyError("the policy cannot be used:\n" + "\n".join(f"  {line}" for line in mistakes))
    rules = rule_results(comparison, policy, regression)
    outcome, reason = _overall(rules)
    return GateDecision(
        outcome=outcome,
        reason=reason,
        rules=tuple(rules),
        policy=policy,
        policy_hash=policy.digest(),
        rows_hash=comparison.rows_hash,
    )


def _overall(rules: list[RuleResult]) -> tuple[GateOutcome, str]:
    deciding = [rule for rule in rules if rule.severity is Severity.BLOCK]
    for outcome, verdict in (
        (RuleOutcome.FAILED, GateOutcome.REJECT),
        (RuleOutcome.INCONCLUSIVE, GateOutcome.INCONCLUSIVE),
    ):
        found = [rule for rule in deciding if rule.outcome is outcome]
        if found:
            return verdict, " ".join(f"{rule.name}: {rule.reason}" for rule in found)
    warned = [rule.name for rule in rules if rule.severity is Severity.WARN and rule.outcome is not RuleOutcome.PASSED]
    beside = f" Warned of: {', '.join(warned)}." if warned else ""
    return GateOutcome.APPROVE, f"all {len(deciding)} rules passed. {rules[-1].reason}{beside}"
