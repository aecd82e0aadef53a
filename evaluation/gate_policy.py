"""What the gate asks of a candidate: a policy, from the settings or from a file of its own.

Decisions: every key has a default that is safe to run with; a policy is validated as a whole, and its digest, which
every decision carries, changes with any key, its name and version included. Not covered: judging (`gate.py`).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Literal

from pydantic import Field, model_validator

from evaluation.metrics import Direction, Metric
from evaluation.records import Record, stable_id

Division = Literal["kind", "tool", "tag"]
RULES = ("pairing", "accuracy", "quality", "latency", "cost", "segments", "regression", "better")
"""The rules that always have these names; further limits are named after their metric."""


class PolicyError(Exception):
    """The policy cannot be used; the message lists every mistake."""


class Severity(StrEnum):
    """What a rule that does not pass does to the decision."""

    BLOCK = "block"
    """It rejects, or makes the decision inconclusive."""
    WARN = "warn"
    """It is reported and decides nothing."""


class MetricLimit(Record):
    """How much worse a candidate may be in one metric. One of the two is given."""

    ratio: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Candidate / base: at least this where higher is better, below this where lower is."""
    difference: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Candidate − base, in the metric's unit: worse by this at most."""

    @model_validator(mode="after")
    def _one(self) -> MetricLimit:
        if (self.ratio is None) == (self.difference is None):
            raise ValueError("expected `ratio` or `difference`, one of them")
        return self


class SegmentFloor(Record):
    """How far a part of the scenarios may fall, however well the candidate does on the whole."""

    metric: str = "task_success"
    by: tuple[Division, ...] = ("kind", "tool")
    """What divides the scenarios; empty: no floor."""
    fall: float = Field(default=0.10, ge=0, le=1)
    """Candidate − base in a segment: rejected where the whole interval lies below minus this."""
    min_scenarios: int = Field(default=30, ge=2)
    """A smaller segment is reported and never decides."""


class GatePolicy(Record):
    """What is asked of a candidate."""

    name: str = "default"
    version: str = "1"
    """Raise it when the policy changes, so that people can name it; the digest changes by itself."""
    accuracy_ratio: float = Field(default=0.95, gt=0, le=1, allow_inf_nan=False)
    """Task success of the candidate over the base's must be at least this."""
    quality_ratio: float | None = Field(default=0.95, gt=0, le=1, allow_inf_nan=False)
    """The same for response quality; None: not asked."""
    latency_ratio: float | None = Field(default=1.10, gt=0, allow_inf_nan=False)
    """Latency must stay below this multiple of the base's; None: not asked."""
    cost_ratio: float | None = Field(default=1.20, gt=0, allow_inf_nan=False)
    """The same for cost; None: not asked."""
    limits: dict[str, MetricLimit] = Field(default_factory=dict)
    """Further limits, by metric: of one's own, say."""
    segments: SegmentFloor = SegmentFloor()
    key_metrics: tuple[str, ...] = Field(default=("task_success", "tool_accuracy", "exact_calls", "cost"), min_length=1)
    """At least one of these must be better."""
    min_relative_gain: float = Field(default=0.02, ge=0, lt=1)
    """A lower latency, cost or number of tokens counts as better from this share on: equal models differ by noise."""
    min_pairs: int = Field(default=30, ge=2)
    """Fewest scenarios that a rule may rest on."""
    alpha: float = Field(default=0.05, gt=0, le=0.2)
    """One minus the level of the intervals."""
    severity: dict[str, Severity] = Field(default_factory=dict)
    """By rule; `block` where nothing is said. The rules `pairing` and `better` always block."""

    def digest(self) -> str:
        """Return an id of the policy's content."""
        return stable_id(self.model_dump(mode="json"))

    def severity_of(self, rule: str) -> Severity:
        """Return what the rule does when it does not pass."""
        return self.severity.get(rule, Severity.BLOCK)


def policy_mistakes(policy: GatePolicy, metrics: Mapping[str, Metric]) -> list[str]:
    """Return what is wrong with the policy where these metrics are known; each line begins with the key."""
    return list(_mistakes(policy, metrics))


def _mistakes(policy: GatePolicy, metrics: Mapping[str, Metric]) -> Iterator[str]:
    known = ", ".join(metrics)
    if len(set(policy.key_metrics)) != len(policy.key_metrics):
        yield f"key_metrics: expected each metric once, found {list(policy.key_metrics)}"
    for key, name in (
        *(("key_metrics", name) for name in policy.key_metrics),
        *(("limits", name) for name in policy.limits),
        ("segments.metric", policy.segments.metric),
    ):
        if name not in metrics:
            near = difflib.get_close_matches(name, list(metrics), 1)
            yield f"{key}: expected one of {known}; found {name!r}" + (f", did you mean {near[0]}?" if near else "")
    for name in policy.limits:
        if name in RULES and getattr(policy, f"{name}_ratio", None) is not None:
            yield f"limits.{name}: expected {name}_ratio to be null where limits has a limit of its own, found both"
    segment = metrics.get(policy.segments.metric)
    if segment is not None and not (segment.direction is Direction.HIGHER and segment.unit == "share"):
        yield f"segments.metric: expected a share of which more is better, found {policy.segments.metric}"
    rules = [*RULES, *policy.limits]
    for rule, severity in policy.severity.items():
        if rule not in rules:
            yield f"severity: expected one of the rules {', '.join(rules)}, found {rule!r}"
        elif rule in ("pairing", "better") and severity is not Severity.BLOCK:
            yield f"severity.{rule}: expected block: without it, data that say nothing would pass; found {severity}"
