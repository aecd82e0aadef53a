"""How a rollout goes on: a pure function of what was seen so far.

Words and meaning are Argo Rollouts': at each stage every analysis ends successful, failed or inconclusive; the rollout
then advances, is promoted, waits, pauses, or is aborted. Decisions:
- Evidence counts from the start of the rollout for both arms, in always-valid intervals, so that looking after every
  conversation is safe. At 100% the champion's episodes are those of the earlier stages.
- A stage is passed after its minimum of conversations when no limit is broken and the interval of candidate − champion
  success lies above −margin. The rollout aborts when the interval lies below zero: harm is shown, and a worse model has
  no business going on, however small the harm. Otherwise it waits up to the stage's maximum, then pauses.
- No data never means passed: an analysis without data is inconclusive.
- At 100% the champion answers nobody, so that latency has an absolute limit there: the given one, or a multiple of what
  the champion took in the earlier stages.
- Too many errors abort only once the interval shows it; a rate above the limit so far keeps the stage from passing.
- A split that differs from its weight pauses: whatever the figures say, they compare different users.
Not covered: success rates that drift while weights change (stages are pooled).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from itertools import pairwise

from pydantic import Field, field_validator, model_validator

from evaluation.records import Record, stable_id
from evaluation.stats.intervals import Estimate
from evaluation.stats.sequential import (
    Arm,
    Concentrations,
    Moments,
    concentrations,
    difference_sequence,
    mean_difference_sequence,
    mean_ratio_sequence,
    proportion_sequence,
)

ASYMPTOTIC_FROM = 20
"""Fewest samples per arm for intervals of latency and ratings, which hold only for larger numbers."""


class Summary(Record):
    """A continuous figure of one arm."""

    n: int = Field(default=0, ge=0)
    mean: float = Field(default=0.0, allow_inf_nan=False)
    sd: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Sample standard deviation."""

    def moments(self) -> Moments:
        """Return it as the statistics take it."""
        return Moments(self.n, self.mean, self.sd)


class ArmEvidence(Record):
    """What one arm did since the rollout began."""

    conversations: int = Field(default=0, ge=0)
    """Conversations that ended and whose outcome is known."""
    successes: int = Field(default=0, ge=0)
    """Of these, those that succeeded."""
    requests: int = Field(default=0, ge=0)
    """Tries, of which a request that is repeated has two."""
    errors: int = Field(default=0, ge=0)
    """Of the tries, those that failed."""
    latency_ms: Summary = Summary()
    """Milliseconds per model call."""
    rating: Summary = Summary()
    """Users' ratings, 1 to 5."""

    @model_validator(mode="after")
    def _consistent(self) -> ArmEvidence:
        if self.successes > self.conversations or self.errors > self.requests:
            raise ValueError(
                f"expected successes <= conversations and errors <= requests, found {self.successes} of"
                f" {self.conversations} and {self.errors} of {self.requests}"
            )
        return self


class StageEvidence(Record):
    """Both arms, from the start of the rollout."""

    champion: ArmEvidence = ArmEvidence()
    candidate: ArmEvidence = ArmEvidence()


class StageTraffic(Record):
    """Conversations that were assigned during the present stage."""

    champion: int = Field(default=0, ge=0)
    candidate: int = Field(default=0, ge=0)


class RolloutPolicy(Record):
    """What a rollout asks of a candidate."""

    stages: tuple[float, ...] = (10.0, 50.0, 100.0)
    """Share of traffic per stage, in percent, rising; the last one is 100."""
    min_conversations: int = Field(default=10, ge=1)
    """Per stage and arm that receives traffic."""
    max_conversations: int = Field(default=600, ge=1)
    """Of a stage, both arms together; then it pauses."""
    margin: float = Field(default=0.05, gt=0, lt=1)
    """A loss in success rate larger than this must be excluded before a stage is passed."""
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """One minus the level of the always-valid intervals."""
    max_error_rate: float = Field(default=0.02, gt=0, lt=1)
    """Of the candidate's tries to answer."""
    max_latency_ratio: float = Field(default=1.5, gt=0)
    """Mean latency over the champion's."""
    max_latency_ms: float | None = Field(default=None, gt=0)
    """Mean latency, at every stage; None: at 100%, `max_latency_ratio` times the champion's mean so far."""
    max_rating_drop: float | None = Field(default=None, gt=0)
    """Mean rating below the champion's; None: ratings do not decide."""
    srm_alpha: float = Field(default=0.001, gt=0, lt=0.5)
    """Chance of calling a right split wrong, over the whole stage."""

    @field_validator("stages")
    @classmethod
    def _rising(cls, stages: tuple[float, ...]) -> tuple[float, ...]:
        rising = all(0 < low < high for low, high in pairwise(stages))
        if len(stages) < 2 or not rising or stages[-1] != 100:
            raise ValueError(f"stages: expected at least two rising percentages that end in 100, found {list(stages)}")
        return stages

    @model_validator(mode="after")
    def _reachable(self) -> RolloutPolicy:
        shares = [min(s, 100 - s) / 100 for s in self.stages if s < 100] + [1.0]
        if self.max_conversations * min(shares) < self.min_conversations:
            raise ValueError(
                f"max_conversations: {self.max_conversations} at a share of {min(shares):.0%} cannot give each arm"
                f" min_conversations = {self.min_conversations}; raise the one or lower the other"
            )
        return self

    def digest(self) -> str:
        """Return an id of the policy's content."""
        return stable_id(self.model_dump(mode="json"))

    def tuning(self) -> Concentrations:
        """Return the mixtures' concentrations, tight at about half of the first stage's maximum."""
        candidate = round(self.max_conversations * self.stages[0] / 200)
        return concentrations(round(self.max_conversations / 2) - candidate, candidate)


class Phase(StrEnum):
    """How one analysis ended."""

    SUCCESSFUL = "successful"
    FAILED = "failed"
    """A limit is broken, beyond doubt."""
    INCONCLUSIVE = "inconclusive"


class Action(StrEnum):
    """What to do next."""

    ADVANCE = "advance"
    """Go to the next stage."""
    PROMOTE = "promote"
    """The last stage is passed: the candidate is the champion."""
    HOLD = "hold"
    """Wait for more conversations."""
    PAUSE = "pause"
    """Inconclusive at the stage's maximum, or a wrong split: a person decides."""
    ABORT = "abort"
    """Shift all traffic back to the champion."""


class Measurement(Record):
    """One analysis at one moment."""

    name: str
    phase: Phase
    estimate: Estimate
    """The figure with its always-valid interval."""
    limit: float
    reason: str


class RolloutDecision(Record):
    """What to do, and why."""

    action: Action
    stage: int
    weight: float
    """Percent of the stage that was judged."""
    reason: str
    measurements: tuple[Measurement, ...]
    policy_hash: str


def decide(policy: RolloutPolicy, stage: int, evidence: StageEvidence, traffic: StageTraffic) -> RolloutDecision:
    """Judge stage number `stage`. Raises `ValueError` when the policy has no such stage."""
    if not 0 <= stage < len(policy.stages):
        raise ValueError(f"stage: expected 0 to {len(policy.stages) - 1}, found {stage}")
    measurements = _measure(policy, stage, evidence, traffic)
    action, reason = _act(policy, stage, traffic, measurements)
    return RolloutDecision(
        action=action,
        stage=stage,
        weight=policy.stages[stage],
        reason=reason,
        measurements=measurements,
        policy_hash=policy.digest(),
    )


def _act(
    policy: RolloutPolicy, stage: int, traffic: StageTraffic, measurements: tuple[Measurement, ...]
) -> tuple[Action, str]:
    failed = [m for m in measurements if m.phase is Phase.FAILED]
    harm = [m for m in failed if m.name != "split"]
    if harm:
        return Action.ABORT, _reasons(harm)
    if failed:
        return Action.PAUSE, _reasons(failed)
    last = stage == len(policy.stages) - 1
    fewest = traffic.candidate if last else min(traffic.champion, traffic.candidate)
    open_questions = [m for m in measurements if m.phase is Phase.INCONCLUSIVE]
    if fewest >= policy.min_conversations and not open_questions:
        return (Action.PROMOTE if last else Action.ADVANCE), _reasons(measurements)
    total = traffic.champion + traffic.candidate
    waits = _reasons(open_questions) or f"{fewest} of at least {policy.min_conversations} conversations."
    if total >= policy.max_conversations:
        return Action.PAUSE, f"inconclusive after {total} conversations (maximum {policy.max_conversations}): {waits}"
    return Action.HOLD, waits


def _reasons(measurements: list[Measurement] | tuple[Measurement, ...]) -> str:
    return " ".join(f"{m.name}: {m.reason}" for m in measurements)


def _measure(
    policy: RolloutPolicy, stage: int, evidence: StageEvidence, traffic: StageTraffic
) -> tuple[Measurement, ...]:
    measurements = [_success(policy, evidence), _errors(policy, evidence), _latency_ratio(policy, evidence)]
    if policy.max_latency_ms is not None or policy.stages[stage] == 100:
        measurements.append(_latency_absolute(policy, evidence))
    if policy.max_rating_drop is not None:
        measurements.append(_rating(policy.max_rating_drop, policy, evidence))
    if policy.stages[stage] < 100:
        measurements.append(_split(policy, policy.stages[stage] / 100, traffic))
    return tuple(measurements)


def _success(policy: RolloutPolicy, evidence: StageEvidence) -> Measurement:
    champion, candidate = (Arm(arm.successes, arm.conversations) for arm in (evidence.champion, evidence.candidate))
    estimate = difference_sequence(champion, candidate, policy.alpha, policy.tuning())
    low, high = estimate.low, estimate.high
    counts = f"{candidate.successes} of {candidate.n} against {champion.successes} of {champion.n}"
    if estimate.value is not None and high is not None and high < 0:
        phase, says = Phase.FAILED, "harm is shown"
    elif estimate.value is not None and low is not None and low > -policy.margin:
        phase, says = Phase.SUCCESSFUL, f"a loss of more than {policy.margin:g} is excluded"
    else:
        phase, says = Phase.INCONCLUSIVE, f"a loss of more than {policy.margin:g} is not yet excluded"
    return Measurement(
        name="success",
        phase=phase,
        estimate=estimate,
        limit=-policy.margin,
        reason=f"{says}: candidate − champion = {_show(estimate)} ({counts}).",
    )


def _errors(policy: RolloutPolicy, evidence: StageEvidence) -> Measurement:
    arm = evidence.candidate
    estimate = proportion_sequence(Arm(arm.errors, arm.requests), policy.alpha)
    what = f"error rate {_show(estimate)} ({arm.errors} of {arm.requests}), limit {policy.max_error_rate:g}."
    return _limited("errors", estimate, policy.max_error_rate, what)


def _latency_ratio(policy: RolloutPolicy, evidence: StageEvidence) -> Measurement:
    estimate = _asymptotic(policy, evidence, lambda arm: arm.latency_ms, mean_ratio_sequence)
    what = f"latency is {_show(estimate)} times the champion's, limit {policy.max_latency_ratio:g}."
    return _limited("latency", estimate, policy.max_latency_ratio, what)


def _latency_absolute(policy: RolloutPolicy, evidence: StageEvidence) -> Measurement:
    latency, before = evidence.candidate.latency_ms, evidence.champion.latency_ms
    known = Moments(latency.n, 0.0, 0.0)
    estimate = _guarded(mean_difference_sequence(known, latency.moments(), policy.alpha, _tuned_at(policy)))
    limit, whence = policy.max_latency_ms, ""
    if limit is None:
        limit = policy.max_latency_ratio * before.mean
        whence = f" ({policy.max_latency_ratio:g} times the champion's mean of {before.mean:.4g} ms so far)"
        estimate = estimate if before.n else estimate.model_copy(update={"value": None, "low": None, "high": None})
    what = f"mean latency {_show(estimate)} ms, limit {limit:.4g} ms{whence}."
    return _limited("latency_ms", estimate, limit, what)


def _rating(drop: float, policy: RolloutPolicy, evidence: StageEvidence) -> Measurement:
    swapped = StageEvidence(champion=evidence.candidate, candidate=evidence.champion)
    estimate = _asymptotic(policy, swapped, lambda arm: arm.rating, mean_difference_sequence)
    what = f"rating lies {_show(estimate)} below the champion's, limit {drop:g}."
    return _limited("rating", estimate, drop, what)


def _asymptotic(
    policy: RolloutPolicy,
    evidence: StageEvidence,
    summary: Callable[[ArmEvidence], Summary],
    sequence: Callable[[Moments, Moments, float, int], Estimate],
) -> Estimate:
    champion, candidate = summary(evidence.champion).moments(), summary(evidence.candidate).moments()
    return _guarded(sequence(champion, candidate, policy.alpha, _tuned_at(policy)))


def _tuned_at(policy: RolloutPolicy) -> int:
    return max(ASYMPTOTIC_FROM, round(policy.max_conversations * policy.stages[0] / 200))


def _guarded(estimate: Estimate) -> Estimate:
    """Take the interval from an estimate that rests on too few samples for it."""
    return estimate if estimate.n >= ASYMPTOTIC_FROM else estimate.model_copy(update={"low": None, "high": None})


def _limited(name: str, estimate: Estimate, limit: float, what: str) -> Measurement:
    """Judge an upper limit: failed when the interval lies above it, successful when the value keeps it."""
    if estimate.value is None or estimate.n == 0:
        phase, what = Phase.INCONCLUSIVE, "no data. " + what
    elif estimate.low is not None and estimate.low > limit:
        phase = Phase.FAILED
    else:
        phase = Phase.SUCCESSFUL if estimate.value <= limit else Phase.INCONCLUSIVE
    return Measurement(name=name, phase=phase, estimate=estimate, limit=limit, reason=what)


def _split(policy: RolloutPolicy, weight: float, traffic: StageTraffic) -> Measurement:
    """Sample-ratio mismatch, always-valid because it is looked at all the time (Lindon and Malek 2022)."""
    total = traffic.champion + traffic.candidate
    estimate = proportion_sequence(Arm(traffic.candidate, total), policy.srm_alpha)
    low, high = estimate.low, estimate.high
    what = f"the candidate received {_show(estimate)} of {total} conversations, {weight:g} is asked."
    if total == 0:
        phase = Phase.INCONCLUSIVE
    else:
        inside = low is not None and high is not None and low <= weight <= high
        phase = Phase.SUCCESSFUL if inside else Phase.FAILED
    return Measurement(name="split", phase=phase, estimate=estimate, limit=weight, reason=what)


def _show(estimate: Estimate) -> str:
    value, low, high = ("?" if x is None else f"{x:.4g}" for x in (estimate.value, estimate.low, estimate.high))
    return f"{value} [{low}, {high}]"
