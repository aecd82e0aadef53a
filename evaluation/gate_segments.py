"""The gate's floor for parts of the scenarios: none may fall by more than the policy allows, for certain.

A part fails when its whole interval lies below the floor; one whose interval holds it, and one with too few scenarios,
is reported and decides nothing.
"""

from __future__ import annotations

from evaluation.compare import Comparison, SliceFigures
from evaluation.gate_policy import GatePolicy
from evaluation.gate_results import RuleOutcome, RuleResult, passed_rule, show


def segments_rule(comparison: Comparison, policy: GatePolicy) -> RuleResult:
    """No part of the scenarios falls below the floor for certain; small ones are reported only."""
    floor = policy.segments
    segments = [
        (part.name, part.metrics[floor.metric])
        for part in comparison.slices
        if part.division in floor.by and floor.metric in part.metrics
    ]
    judged = [(name, one) for name, one in segments if one.difference.n >= floor.min_scenarios]
    fallen = [(name, one) for name, one in judged if _falls(one, floor.fall)]
    small = [
        (name, one) for name, one in segments if one.difference.n < floor.min_scenarios and _points(one, floor.fall)
    ]
    unclear = [(name, one) for name, one in judged if not _falls(one, floor.fall) and _points(one, floor.fall)]
    evidence: dict[str, float | None] = {
        "segments": len(segments),
        "judged": len(judged),
        "fallen": len(fallen),
        **{f"{name}.difference": one.difference.value for name, one in (*fallen, *unclear)},
    }
    seen = f" Seen, without a say: {_named(small + unclear)}." if small + unclear else ""
    if fallen:
        return RuleResult(
            name="segments",
            outcome=RuleOutcome.FAILED,
            evidence=evidence,
            reason=f"{floor.metric} falls by more than {floor.fall:g} in {_named(fallen)}.{seen}",
            change=f"a candidate that holds {floor.metric} in {', '.join(name for name, _ in fallen)}",
        )
    if not judged:
        return passed_rule(
            "segments", evidence, f"no part has {floor.min_scenarios} scenarios, so none was judged.{seen}"
        )
    says = f"{floor.metric} falls by more than {floor.fall:g} in none of {len(judged)} segments for certain.{seen}"
    return passed_rule("segments", evidence, says)


def _falls(part: SliceFigures, fall: float) -> bool:
    """Whether the whole interval lies below the floor."""
    return part.difference.high is not None and part.difference.high < -fall


def _points(part: SliceFigures, fall: float) -> bool:
    return part.difference.value is not None and part.difference.value < -fall


def _named(parts: list[tuple[str, SliceFigures]], most: int = 5) -> str:
    ordered = sorted(parts, key=lambda part: (part[1].difference.value or 0.0, part[0]))
    more = f" and {len(parts) - most} more" if len(parts) > most else ""
    return ", ".join(f"{name} {show(one.difference)}" for name, one in ordered[:most]) + more
