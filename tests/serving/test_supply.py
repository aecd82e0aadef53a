from __future__ import annotations

import re

from serving.policy import Action, ArmEvidence, RolloutPolicy, StageEvidence, StageTraffic, Summary, decide
from serving.supply import further, out_of_scenarios

POLICY = RolloutPolicy(stages=(50.0, 100.0))


def arm(successes: int, n: int) -> ArmEvidence:
    latency = Summary(n=n, mean=50.0, sd=10.0)
    return ArmEvidence(conversations=n, successes=successes, requests=n, latency_ms=latency)


def seen(champion: tuple[int, int], candidate: tuple[int, int]) -> tuple[StageEvidence, StageTraffic]:
    evidence = StageEvidence(champion=arm(*champion), candidate=arm(*candidate))
    return evidence, StageTraffic(champion=champion[1], candidate=candidate[1])


def test_the_number_is_the_least_that_passes_the_stage_at_the_same_rates() -> None:
    assert decide(POLICY, 0, *seen((10, 20), (14, 20))).action is Action.HOLD
    more = further(POLICY, 0, *seen((10, 20), (14, 20)))
    assert more is not None
    passes, waits = (20 + round(more * times / 2) for times in (1.2, 0.8))
    for size, action in ((passes, Action.ADVANCE), (waits, Action.HOLD)):
        assert decide(POLICY, 0, *seen((size // 2, size), (round(0.7 * size), size))).action is action


def test_the_reason_gives_a_number_whether_or_not_the_stage_can_pass() -> None:
    better = out_of_scenarios(POLICY, 0, *seen((10, 20), (14, 20)))
    equal = out_of_scenarios(POLICY, 0, *seen((10, 20), (10, 20)))
    none = out_of_scenarios(POLICY, 0, *seen((0, 0), (0, 0)))
    assert {d.action for d in (better, equal, none)} == {Action.PAUSE}
    about = re.search(r"all live scenarios have been asked \(40\).* about (\d+) more", better.reason)
    assert about is not None
    assert int(about[1]) == (further(POLICY, 0, *seen((10, 20), (14, 20))) or 0) + POLICY.min_conversations
    assert "more than 570 more would be needed" in equal.reason
    assert "not yet excluded" in equal.reason
    assert "more than 610 more" in none.reason
