"""A rollout whose users have asked every live scenario: what it says, and how many more it would have needed.

The outcome of a scenario that is asked again is no new evidence where answers are greedy, so that each counts once.
Pure functions of the evidence, as in `policy.py`. The forecast supposes that all rates stay as they are.
"""

from __future__ import annotations

import math

from serving.policy import (
    Action,
    ArmEvidence,
    RolloutDecision,
    RolloutPolicy,
    StageEvidence,
    StageTraffic,
    Summary,
    decide,
)


def out_of_scenarios(
    policy: RolloutPolicy, stage: int, evidence: StageEvidence, traffic: StageTraffic
) -> RolloutDecision:
    """Return the decision to pause, with the number of further scenarios that would take the rollout to its end."""
    waits = decide(policy, stage, evidence, traffic)
    asked = evidence.champion.conversations + evidence.candidate.conversations
    later = sum(math.ceil(policy.min_conversations / _smaller_share(weight)) for weight in policy.stages[stage + 1 :])
    here = further(policy, stage, evidence, traffic)
    if here is None:
        most = max(policy.max_conversations - traffic.champion - traffic.candidate, 0)
        needs = f"more than {most + later} more would be needed at the rates so far"
    else:
        needs = f"about {here + later} more would be needed at the rates so far"
    reason = (
        f"inconclusive: all live scenarios have been asked ({asked}), and each counts once; {needs}. {waits.reason}"
    )
    return waits.model_copy(update={"action": Action.PAUSE, "reason": reason})


def further(policy: RolloutPolicy, stage: int, evidence: StageEvidence, traffic: StageTraffic) -> int | None:
    """Return the fewest further conversations that pass the stage; None where its maximum comes first."""
    weight = policy.stages[stage] / 100

    def passes(more: int) -> bool:
        candidate = round(more * weight)
        grown = StageEvidence(
            champion=_grown(evidence.champion, more - candidate), candidate=_grown(evidence.candidate, candidate)
        )
        seen = StageTraffic(champion=traffic.champion + more - candidate, candidate=traffic.candidate + candidate)
        return decide(policy, stage, grown, seen).action in (Action.ADVANCE, Action.PROMOTE)

    low, high = 0, policy.max_conversations - traffic.champion - traffic.candidate
    if high <= 0 or not passes(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if passes(middle) else (middle, high)
    return high


def _grown(arm: ArmEvidence, more: int) -> ArmEvidence:
    """Return what the arm would show after `more` conversations like those that it had."""
    times = 1 + more / arm.conversations if arm.conversations else 1.0
    latency = arm.latency_ms
    return ArmEvidence(
        conversations=round(arm.conversations * times),
        successes=round(arm.successes * times),
        requests=round(arm.requests * times),
        errors=round(arm.errors * times),
        latency_ms=Summary(n=round(latency.n * times), mean=latency.mean, sd=latency.sd),
        rating=Summary(n=round(arm.rating.n * times), mean=arm.rating.mean, sd=arm.rating.sd),
    )


def _smaller_share(weight: float) -> float:
    return 1.0 if weight == 100 else min(weight, 100 - weight) / 100
