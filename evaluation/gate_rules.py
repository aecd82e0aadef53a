"""The rules of the gate, each a pure function of a comparison and a policy.

Decisions: a limit on a ratio (or a difference) passes when the whole 95% interval lies on the good side, fails when the
whole interval lies on the bad side, and is inconclusive in between; accuracy also fails when it is below its limit and
significantly below the base. "Better" asks for a key metric whose paired difference is above zero by its interval and
by its p value after Holm's correction. Where the base
never succeeds the ratio is not defined, and the difference is judged instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pydantic import Field

from evaluation.compare import Comparison, MetricComparison
from evaluation.gate_policy import GatePolicy, MetricLimit
from evaluation.gate_results import RuleOutcome, RuleResult, inconclusive_rule, passed_rule, show
from evaluation.gate_segments import segments_rule
from evaluation.metrics import Direction
from evaluation.pair_rows import PairRow, Problems
from evaluation.records import Record
from evaluation.regression import REGRESSION, RegressionRun
from evaluation.stats.intervals import Estimate
from evaluation.stats.paired import holm, needed_pairs


class RegressionEvidence(Record):
    """How the candidate did on the pinned scenarios."""

    passed: dict[str, bool | None]
    """By scenario id; None: not attempted."""
    quarantined: dict[str, bool | None] = Field(default_factory=dict)
    """The same of those that are flaky: reported, without a say."""


def pinned(rows: Iterable[PairRow], candidate: str = "candidate") -> RegressionEvidence:
    """Return how `candidate` did on the scenarios tagged `regression`: passed where every attempt succeeded."""
    passed: dict[str, bool | None] = {}
    for row in rows:
        if REGRESSION in row.tags:
            known = passed.setdefault(row.scenario_id, None)
            if row.arm == candidate:
                passed[row.scenario_id] = known is not False and row.success is True
    return RegressionEvidence(passed=passed)


def regression_evidence(run: RegressionRun, suite: RegressionEvidence) -> RegressionEvidence:
    """Return what pinned scenarios say, those that a suite tags itself (`pinned`) included."""
    apart = {name: outcome.passed for name, outcome in run.quarantined.items()}
    deciding = {name: value for name, value in (suite.passed | run.passed).items() if name not in apart}
    return RegressionEvidence(passed=deciding, quarantined=apart)


def rule_results(
    comparison: Comparison, policy: GatePolicy, regression: RegressionEvidence | None = None
) -> list[RuleResult]:
    """Return every rule, judged; `better` is the last. All metrics that the policy names were compared."""
    rules = [_pairing(comparison, policy)]
    rules += [_limit(comparison, policy, limit) for limit in _limits(policy)]
    if policy.segments.by:
        rules.append(segments_rule(comparison, policy))
    rules += [_regression(regression), _better(comparison, policy)]
    return [rule.model_copy(update={"severity": policy.severity_of(rule.name)}) for rule in rules]


def _pairing(comparison: Comparison, policy: GatePolicy) -> RuleResult:
    """All rows could be used, and there are enough."""
    problems = _of_metrics(comparison.problems, policy)
    counts = {name: float(len(getattr(problems, name))) for name in type(problems).model_fields}
    evidence: dict[str, float | None] = {"scenarios": comparison.scenarios, **counts}
    if problems.any:
        found = ", ".join(f"{count:.0f} {name}" for name, count in counts.items() if count)
        return inconclusive_rule("pairing", evidence, f"rows that cannot be compared: {found}.", _advice(counts))
    if comparison.scenarios < policy.min_pairs:
        missing = policy.min_pairs - comparison.scenarios
        return inconclusive_rule(
            "pairing",
            evidence,
            f"{comparison.scenarios} scenarios were paired, {policy.min_pairs} are needed.",
            f"run {missing} more scenarios",
            further=missing,
        )
    evidence["groups"] = comparison.groups
    alike = f" They are of {comparison.groups} groups." if comparison.groups < comparison.scenarios else ""
    return passed_rule("pairing", evidence, f"{comparison.scenarios} scenarios were attempted by both.{alike}")


def _advice(counts: Mapping[str, float]) -> str:
    """Return what would help, by what is wrong."""
    told = {
        "unpaired": "run both arms on the same scenarios, as often",
        "duplicated": "give each attempt once",
        "mismatched": "give both arms the same suite",
        "impossible": "record figures that can be: numbers of at least 0, shares of at most 1",
        "foreign": "give the rows of these two arms only",
    }
    return "; ".join(text for name, text in told.items() if counts[name])


def _of_metrics(problems: Problems, policy: GatePolicy) -> Problems:
    """Return the problems without impossible figures of metrics that the policy does not ask for."""
    asked = {limit.metric for limit in _limits(policy)} | {*policy.key_metrics, policy.segments.metric}
    impossible = tuple(one for one in problems.impossible if one.rpartition(".")[2] in asked)
    return problems.model_copy(update={"impossible": impossible})


class _Limit(NamedTuple):
    name: str
    metric: str
    asked: MetricLimit


def _limits(policy: GatePolicy) -> list[_Limit]:
    named = [
        ("accuracy", "task_success", policy.accuracy_ratio),
        ("quality", "quality", policy.quality_ratio),
        ("latency", "latency_ms", policy.latency_ratio),
        ("cost", "cost", policy.cost_ratio),
    ]
    limits = [_Limit(name, metric, MetricLimit(ratio=ratio)) for name, metric, ratio in named if ratio is not None]
    return limits + [_Limit(metric, metric, asked) for metric, asked in policy.limits.items()]


def _limit(comparison: Comparison, policy: GatePolicy, limit: _Limit) -> RuleResult:
    """Non-inferiority of one metric, by the interval of its ratio or of its difference."""
    metric = comparison.metrics[limit.metric]
    evidence = _evidence(metric)
    lacking = _lacking(metric, policy, limit.metric)
    if lacking is not None:
        return inconclusive_rule(limit.name, evidence, lacking.reason, lacking.change, further=lacking.further)
    if limit.asked.ratio is not None and metric.base.value == 0:
        return _against_zero(limit, metric, evidence)
    higher = metric.direction is Direction.HIGHER
    figure, bound, says = _asked(limit, metric, higher)
    evidence["limit"] = bound
    side = _side(figure, bound, higher=higher, at_limit=higher or limit.asked.difference is not None)
    if side is RuleOutcome.PASSED:
        return passed_rule(limit.name, evidence, says)
    significantly_worse = limit.name == "accuracy" and metric.difference.high is not None and metric.difference.high < 0
    value = figure.value
    if side is RuleOutcome.FAILED or (significantly_worse and value is not None and value < bound):
        return RuleResult(
            name=limit.name,
            outcome=RuleOutcome.FAILED,
            evidence=evidence,
            reason=says,
            change=f"a candidate with {'higher' if higher else 'lower'} {limit.metric}",
        )
    further = needed_pairs(figure, bound, policy.alpha)
    change = "a clearer difference from the limit" if further is None else f"about {further} more scenarios"
    return inconclusive_rule(limit.name, evidence, says + " The interval contains the limit.", change, further=further)


class _Asked(NamedTuple):
    figure: Estimate
    bound: float
    says: str


def _asked(limit: _Limit, metric: MetricComparison, higher: bool) -> _Asked:
    if limit.asked.ratio is not None:
        asked = f"{'at least' if higher else 'below'} {limit.asked.ratio:g} is asked."
        says = f"{limit.metric} is {show(metric.ratio)} times the base's, {asked}"
        return _Asked(metric.ratio, limit.asked.ratio, says)
    bound = -(limit.asked.difference or 0.0) if higher else (limit.asked.difference or 0.0)
    asked = f"{'at least' if higher else 'at most'} {bound:g} is asked."
    says = f"{limit.metric} differs by {show(metric.difference)} from the base's, {asked}"
    return _Asked(metric.difference, bound, says)


def _against_zero(limit: _Limit, metric: MetricComparison, evidence: dict[str, float | None]) -> RuleResult:
    """Judge against a base of zero: the candidate cannot lie below, and above is worse only where lower is better."""
    difference = show(metric.difference)
    says = f"{limit.metric} of the base is zero, so the ratio is not defined; the difference is {difference}."
    if metric.direction is Direction.HIGHER or metric.candidate.value == 0:
        return passed_rule(limit.name, evidence, says)
    return inconclusive_rule(limit.name, evidence, says, "a base with a figure above zero")


def _side(figure: Estimate, limit: float, *, higher: bool, at_limit: bool) -> RuleOutcome:
    """Return on which side of the limit the whole interval lies; `at_limit`: the limit itself is good."""
    good, bad = (figure.low, figure.high) if higher else (figure.high, figure.low)

    def holds(value: float) -> bool:
        return (value > limit if higher else value < limit) or (at_limit and value == limit)

    if good is not None and holds(good):
        return RuleOutcome.PASSED
    if bad is not None and not holds(bad):
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
    solved = " that both arms solved" if metric.both_solved else ""
    further = policy.min_pairs - n
    reason = f"{name} rests on {n} scenarios{solved}, {policy.min_pairs} are needed."
    return _Lacking(reason, f"at least {further} more scenarios{solved}", further)


def _regression(evidence: RegressionEvidence | None) -> RuleResult:
    name = "regression"
    evidence = evidence or RegressionEvidence(passed={})
    passed = evidence.passed
    failed = sorted(key for key, value in passed.items() if value is False)
    absent = sorted(key for key, value in passed.items() if value is None)
    flaky = sorted(key for key, value in evidence.quarantined.items() if value is not True)
    numbers: dict[str, float | None] = {
        "pinned": len(passed),
        "failed": len(failed),
        "not_attempted": len(absent),
        "quarantined": len(evidence.quarantined),
        "quarantined_failed": len(flaky),
    }
    beside = ""
    if evidence.quarantined:
        did = f", of which {_few(flaky)} did not pass" if flaky else ", all passed"
        beside = f" In quarantine as flaky, without a say: {len(evidence.quarantined)}{did}."
    if failed:
        return RuleResult(
            name=name,
            outcome=RuleOutcome.FAILED,
            evidence=numbers,
            reason=f"{len(failed)} of {len(passed)} pinned scenarios fail: {_few(failed)}.{beside}",
            change="a candidate that solves them, or unpinning them",
        )
    if absent:
        reason = f"{len(absent)} of {len(passed)} pinned scenarios were not attempted: {_few(absent)}.{beside}"
        return inconclusive_rule(name, numbers, reason, "attempt them")
    says = f"all {len(passed)} pinned scenarios pass." if passed else "none pinned."
    return passed_rule(name, numbers, says + beside)


def _few(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


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
        says = "; ".join(f"{name} by {show(metrics[name].difference)}" for name in better)
        return passed_rule("better", evidence, f"better in {says}.")
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
    return inconclusive_rule("better", evidence, "no key metric is shown to be better.", change, further=least)


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
