"""May the candidate go on? A pure function of a comparison and a policy.

Decisions: a limit on a ratio (accuracy, quality, latency, cost) passes when the whole 95% interval lies on the good
side, fails when the whole interval lies on the bad side, and is inconclusive in between; accuracy also fails when it is
below its limit and significantly below the base. "Better" asks for a key metric whose paired difference is above zero
by its interval and by its p value after Holm's correction. Any failed rule rejects; else any inconclusive one makes the
decision inconclusive. Data that are missing, too few or unpaired never pass. Where the base never succeeds the ratio is
not defined, and the difference is judged instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from pydantic import Field, field_validator

from evaluation.compare import METRICS, REGRESSION, Comparison, Direction, MetricComparison, PairRow
from evaluation.records import Record, stable_id
from evaluation.stats.intervals import Estimate
from evaluation.stats.paired import holm, needed_pairs


class GateOutcome(StrEnum):
    """What the gate says."""

    APPROVE = "approve"
    REJECT = "reject"
    INCONCLUSIVE = "inconclusive"


class RuleOutcome(StrEnum):
    """What one rule says."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


class GatePolicy(Record):
    """What is asked of a candidate."""

    accuracy_ratio: float = Field(default=0.95, gt=0, le=1)
    """Task success of the candidate over the base's must be at least this."""
    quality_ratio: float | None = Field(default=0.95, gt=0, le=1)
    """The same for response quality; None: not asked."""
    latency_ratio: float | None = Field(default=1.10, gt=0)
    """Latency must stay below this multiple of the base's; None: not asked."""
    cost_ratio: float | None = Field(default=1.20, gt=0)
    """The same for cost; None: not asked."""
    key_metrics: tuple[str, ...] = ("task_success", "tool_accuracy", "exact_calls", "cost")
    """At least one of these must be better."""
    min_relative_gain: float = Field(default=0.02, ge=0, lt=1)
    """A lower latency, cost or number of tokens counts as better from this share on: equal models differ by noise."""
    min_pairs: int = Field(default=30, ge=2)
    """Fewest scenarios that a rule may rest on."""
    alpha: float = Field(default=0.05, gt=0, lt=0.5)

    @field_validator("key_metrics")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in names if name not in METRICS]
        if unknown or not names or len(set(names)) != len(names):
            raise ValueError(f"key_metrics: expected some of {', '.join(METRICS)}, each once; found {list(names)}")
        return names

    def digest(self) -> str:
        """Return an id of the policy's content."""
        return stable_id(self.model_dump(mode="json"))


class RegressionEvidence(Record):
    """How the candidate did on the pinned scenarios."""

    passed: dict[str, bool | None]
    """By scenario id; None: not attempted."""


def pinned(rows: Iterable[PairRow], candidate: str = "candidate") -> RegressionEvidence:
    """Return how `candidate` did on the scenarios tagged `regression`: passed where every attempt succeeded."""
    passed: dict[str, bool | None] = {}
    for row in rows:
        if REGRESSION in row.tags:
            known = passed.setdefault(row.scenario_id, None)
            if row.arm == candidate:
                passed[row.scenario_id] = known is not False and row.task_success is True
    return RegressionEvidence(passed=passed)


class RuleResult(Record):
    """One rule, judged."""

    name: str
    outcome: RuleOutcome
    evidence: dict[str, float | None]
    """The numbers that it was judged by."""
    reason: str
    change: str = ""
    """What would change the outcome; empty where it passed."""
    further_scenarios: int | None = None
    """How many more scenarios would probably settle it (80% power); None where that cannot be told or is not needed."""


class GateDecision(Record):
    """The decision with all that led to it."""

    outcome: GateOutcome
    reason: str
    rules: tuple[RuleResult, ...]
    policy: GatePolicy
    policy_hash: str
    rows_hash: str
    """Digest of the rows that the comparison rests on."""


def judge(comparison: Comparison, policy: GatePolicy, regression: RegressionEvidence | None = None) -> GateDecision:
    """Judge the candidate. Raises `ValueError` when comparison and policy speak of different levels."""
    if comparison.alpha != policy.alpha:
        raise ValueError(
            f"alpha: the policy asks for {policy.alpha}, the comparison was made with {comparison.alpha};"
            " call summarise(rows, alpha=policy.alpha)"
        )
    rules = [_pairing(comparison, policy)]
    rules += [_limit(comparison, policy, limit) for limit in _limits(policy)]
    rules += [_regression(regression), _better(comparison, policy)]
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
    for outcome, verdict in (
        (RuleOutcome.FAILED, GateOutcome.REJECT),
        (RuleOutcome.INCONCLUSIVE, GateOutcome.INCONCLUSIVE),
    ):
        found = [rule for rule in rules if rule.outcome is outcome]
        if found:
            return verdict, " ".join(f"{rule.name}: {rule.reason}" for rule in found)
    return GateOutcome.APPROVE, f"all {len(rules)} rules passed. " + rules[-1].reason


def _pairing(comparison: Comparison, policy: GatePolicy) -> RuleResult:
    """All rows could be used, and there are enough."""
    problems = comparison.problems
    counts = {name: float(len(getattr(problems, name))) for name in type(problems).model_fields}
    evidence: dict[str, float | None] = {"scenarios": comparison.scenarios, **counts}
    if problems.any:
        found = ", ".join(f"{count:.0f} {name}" for name, count in counts.items() if count)
        return _inconclusive(
            "pairing", evidence, f"rows that cannot be compared: {found}.", "run both arms on the same scenarios"
        )
    if comparison.scenarios < policy.min_pairs:
        missing = policy.min_pairs - comparison.scenarios
        return _inconclusive(
            "pairing",
            evidence,
            f"{comparison.scenarios} scenarios were paired, {policy.min_pairs} are needed.",
            f"run {missing} more scenarios",
            further=missing,
        )
    return _passed("pairing", evidence, f"{comparison.scenarios} scenarios were attempted by both.")


class _Limit(NamedTuple):
    name: str
    metric: str
    ratio: float


def _limits(policy: GatePolicy) -> list[_Limit]:
    asked = [
        ("accuracy", "task_success", policy.accuracy_ratio),
        ("quality", "quality", policy.quality_ratio),
        ("latency", "latency_ms", policy.latency_ratio),
        ("cost", "cost", policy.cost_ratio),
    ]
    return [_Limit(name, metric, ratio) for name, metric, ratio in asked if ratio is not None]


def _limit(comparison: Comparison, policy: GatePolicy, limit: _Limit) -> RuleResult:
    """Non-inferiority of one metric."""
    metric = comparison.metrics[limit.metric]
    evidence = _evidence(metric)
    lacking = _lacking(metric, policy, limit.metric)
    if lacking is not None:
        return _inconclusive(limit.name, evidence, lacking.reason, lacking.change, further=lacking.further)
    if metric.base.value == 0:
        return _against_zero(limit, metric, evidence)
    evidence["limit"] = limit.ratio
    higher = metric.direction is Direction.HIGHER
    asked = f"{'at least' if higher else 'below'} {limit.ratio:g} is asked."
    says = f"{limit.metric} is {_show(metric.ratio)} times the base's, {asked}"
    side = _side(metric.ratio, limit.ratio, higher)
    if side is RuleOutcome.PASSED:
        return _passed(limit.name, evidence, says)
    significantly_worse = limit.name == "accuracy" and metric.difference.high is not None and metric.difference.high < 0
    value = metric.ratio.value
    if side is RuleOutcome.FAILED or (significantly_worse and value is not None and value < limit.ratio):
        return RuleResult(
            name=limit.name,
            outcome=RuleOutcome.FAILED,
            evidence=evidence,
            reason=says,
            change=f"a candidate with {'higher' if higher else 'lower'} {limit.metric}",
        )
    further = needed_pairs(metric.ratio, limit.ratio, policy.alpha)
    change = "a clearer difference from the limit" if further is None else f"about {further} more scenarios"
    return _inconclusive(limit.name, evidence, says + " The interval contains the limit.", change, further=further)


def _against_zero(limit: _Limit, metric: MetricComparison, evidence: dict[str, float | None]) -> RuleResult:
    """Judge against a base of zero: the candidate cannot lie below, and above is worse only where lower is better."""
    difference = _show(metric.difference)
    says = f"{limit.metric} of the base is zero, so the ratio is not defined; the difference is {difference}."
    if metric.direction is Direction.HIGHER or metric.candidate.value == 0:
        return _passed(limit.name, evidence, says)
    return _inconclusive(limit.name, evidence, says, "a base with a figure above zero")


def _side(ratio: Estimate, limit: float, higher: bool) -> RuleOutcome:
    good, bad = (ratio.low, ratio.high) if higher else (ratio.high, ratio.low)
    if good is not None and (good >= limit if higher else good < limit):
        return RuleOutcome.PASSED
    if bad is not None and (bad < limit if higher else bad >= limit):
        return RuleOutcome.FAILED
    return RuleOutcome.INCONCLUSIVE


class _Lacking(NamedTuple):
    reason: str
    change: str
    further: int | None


def _lacking(metric: MetricComparison, policy: GatePolicy, name: str) -> _Lacking | None:
    """Why a metric cannot be judged at all; None where it can."""
    if metric.missing:
        return _Lacking(f"{name} is missing on {metric.missing} scenarios.", f"record {name} on every episode", None)
    n = metric.difference.n
    if n >= policy.min_pairs:
        return None
    solved = " that both arms solved" if METRICS[name].both_solved else ""
    further = policy.min_pairs - n
    reason = f"{name} rests on {n} scenarios{solved}, {policy.min_pairs} are needed."
    return _Lacking(reason, f"at least {further} more scenarios{solved}", further)


def _regression(evidence: RegressionEvidence | None) -> RuleResult:
    name = "regression"
    passed = evidence.passed if evidence is not None else {}
    failed = sorted(key for key, value in passed.items() if value is False)
    absent = sorted(key for key, value in passed.items() if value is None)
    numbers: dict[str, float | None] = {"pinned": len(passed), "failed": len(failed), "not_attempted": len(absent)}
    if not passed:
        return _passed(name, numbers, "none pinned.")
    if failed:
        return RuleResult(
            name=name,
            outcome=RuleOutcome.FAILED,
            evidence=numbers,
            reason=f"{len(failed)} of {len(passed)} pinned scenarios fail: {', '.join(failed[:5])}.",
            change="a candidate that solves them, or unpinning them",
        )
    if absent:
        reason = f"{len(absent)} of {len(passed)} pinned scenarios were not attempted: {', '.join(absent[:5])}."
        return _inconclusive(name, numbers, reason, "attempt them")
    return _passed(name, numbers, f"all {len(passed)} pinned scenarios pass.")


def _better(comparison: Comparison, policy: GatePolicy) -> RuleResult:
    """At least one key metric is better; rejected when that is ruled out for all of them."""
    metrics = {name: comparison.metrics[name] for name in policy.key_metrics}
    usable = {name: m for name, m in metrics.items() if _lacking(m, policy, name) is None and m.p_value is not None}
    # Metrics that cannot be judged still count in the correction: which ones are usable must not be chosen by the data.
    raw = {name: (m.p_value if name in usable and m.p_value is not None else 1.0) for name, m in metrics.items()}
    adjusted = holm(raw)
    evidence: dict[str, float | None] = {}
    for name, metric in metrics.items():
        evidence |= {f"{name}.difference": metric.difference.value, f"{name}.p_holm": adjusted[name]}
    better = [n for n, m in usable.items() if adjusted[n] < policy.alpha and _is_better(m, policy)]
    if better:
        says = "; ".join(f"{name} by {_show(metrics[name].difference)}" for name in better)
        return _passed("better", evidence, f"better in {says}.")
    if len(usable) == len(metrics) and all(_excluded(m, policy) for m in usable.values()):
        same = all(m.identical for m in usable.values())
        reason = (
            "every key metric is identical on every scenario."
            if same
            else "no key metric is better, and that is no accident."
        )
        return RuleResult(
            name="better",
            outcome=RuleOutcome.FAILED,
            evidence=evidence,
            reason=reason,
            change="a candidate that is better",
        )
    further = [needed_pairs(m.difference, 0.0, policy.alpha) for m in usable.values() if _points_better(m)]
    least = min((count for count in further if count is not None), default=None)
    change = "a better candidate, or more scenarios" if least is None else f"about {least} more scenarios"
    return _inconclusive("better", evidence, "no key metric is shown to be better.", change, further=least)


def _points_better(metric: MetricComparison) -> bool:
    value = metric.difference.value
    return value is not None and (value > 0 if metric.direction is Direction.HIGHER else value < 0)


def _is_better(metric: MetricComparison, policy: GatePolicy) -> bool:
    difference, ratio = metric.difference, metric.ratio
    if metric.direction is Direction.HIGHER:
        return difference.low is not None and difference.low > 0
    enough = ratio.value is not None and ratio.value <= 1 - policy.min_relative_gain
    return enough and difference.high is not None and difference.high < 0


def _excluded(metric: MetricComparison, policy: GatePolicy) -> bool:
    """Whether the metric is shown not to be better (or not by enough)."""
    if metric.identical:
        return True
    if metric.direction is Direction.HIGHER:
        return metric.difference.high is not None and metric.difference.high <= 0
    return metric.ratio.low is not None and metric.ratio.low > 1 - policy.min_relative_gain


def _evidence(metric: MetricComparison) -> dict[str, float | None]:
    return {
        "base": metric.base.value,
        "candidate": metric.candidate.value,
        "ratio": metric.ratio.value,
        "ratio_low": metric.ratio.low,
        "ratio_high": metric.ratio.high,
        "difference": metric.difference.value,
        "difference_low": metric.difference.low,
        "difference_high": metric.difference.high,
        "pairs": metric.difference.n,
        "missing": metric.missing,
    }


def _show(estimate: Estimate) -> str:
    def number(value: float | None) -> str:
        return "?" if value is None else f"{value:.4g}"

    return f"{number(estimate.value)} [{number(estimate.low)}, {number(estimate.high)}] (n = {estimate.n})"


def _passed(name: str, evidence: dict[str, float | None], reason: str) -> RuleResult:
    return RuleResult(name=name, outcome=RuleOutcome.PASSED, evidence=evidence, reason=reason)


def _inconclusive(
    name: str, evidence: dict[str, float | None], reason: str, change: str, *, further: int | None = None
) -> RuleResult:
    return RuleResult(
        name=name,
        outcome=RuleOutcome.INCONCLUSIVE,
        evidence=evidence,
        reason=reason,
        change=change,
        further_scenarios=further,
    )
