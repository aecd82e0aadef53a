import numpy as np
import pytest
from pydantic import ValidationError

from serving.policy import (
    Action,
    ArmEvidence,
    Phase,
    RolloutPolicy,
    StageEvidence,
    StageTraffic,
    Summary,
    decide,
)

POLICY = RolloutPolicy()


def arm(successes: int, n: int, **fields) -> ArmEvidence:
    latency = Summary(n=n, mean=50.0, sd=10.0)
    return ArmEvidence(
        **{"conversations": n, "successes": successes, "requests": 2 * n, "errors": 0, "latency_ms": latency, **fields}
    )


def judged(champion, candidate, *, stage=0, traffic=None, policy=POLICY):
    seen = traffic or StageTraffic(champion=champion.conversations, candidate=candidate.conversations)
    return decide(policy, stage, StageEvidence(champion=champion, candidate=candidate), seen)


def simulate(p_champion: float, p_candidate: float, seed: int, policy: RolloutPolicy = POLICY) -> tuple[str, list[int]]:
    """Run a rollout, looking after every eighth conversation; return how it ended and each stage's conversations."""
    rng = np.random.default_rng(seed)
    n, s, lengths = [0, 0], [0, 0], []
    for stage, weight in enumerate(policy.stages):
        here = [0, 0]
        while True:
            for _ in range(8):
                side = int(rng.random() * 100 < weight)
                here[side] += 1
                n[side] += 1
                s[side] += int(rng.random() < (p_champion, p_candidate)[side])
            decision = judged(
                arm(s[0], n[0]),
                arm(s[1], n[1]),
                stage=stage,
                traffic=StageTraffic(champion=here[0], candidate=here[1]),
                policy=policy,
            )
            if decision.action is not Action.HOLD:
                break
        lengths.append(sum(here))
        if decision.action is not Action.ADVANCE:
            break
    return decision.action, lengths


def test_a_much_better_candidate_is_promoted_within_a_few_hundred_conversations():
    ends = [simulate(0.4, 0.85, seed) for seed in range(12)]
    assert [action for action, _ in ends].count(Action.PROMOTE) >= 11
    assert np.median([sum(lengths) for _, lengths in ends]) < 250


def test_a_worse_candidate_is_never_promoted():
    ends = [simulate(0.8, 0.4, seed)[0] for seed in range(8)]
    assert set(ends) <= {Action.ABORT, Action.PAUSE}
    assert Action.ABORT in ends


def test_equal_models_wait_then_pause():
    ends = [simulate(0.6, 0.6, seed, RolloutPolicy(max_conversations=200))[0] for seed in range(8)]
    assert ends.count(Action.PAUSE) >= 7
    assert Action.ABORT not in ends


def test_equal_models_advance_once_a_loss_beyond_the_margin_is_excluded():
    assert judged(arm(4000, 5000), arm(4000, 5000), stage=1).action is Action.ADVANCE
    assert judged(arm(400, 500), arm(400, 500), stage=1).action is Action.PAUSE


def test_no_data_never_passes():
    assert judged(arm(0, 0), arm(0, 0)).action is Action.HOLD
    promising = arm(200, 200)
    assert judged(arm(80, 200), promising, stage=1).action is Action.ADVANCE
    for lacking in ({"requests": 0}, {"latency_ms": Summary()}, {"conversations": 0, "successes": 0}):
        decision = judged(
            arm(80, 200),
            promising.model_copy(update=lacking),
            stage=1,
            traffic=StageTraffic(champion=200, candidate=200),
        )
        assert decision.action is Action.HOLD, lacking
    rated = RolloutPolicy(max_rating_drop=0.5)
    assert judged(arm(80, 200), promising, stage=1, policy=rated).action is Action.HOLD


def test_the_minimum_of_the_stage_counts_not_that_of_the_rollout():
    few = StageTraffic(champion=9, candidate=9)
    assert judged(arm(80, 200), arm(200, 200), stage=1, traffic=few).action is Action.HOLD
    assert judged(arm(80, 200), arm(200, 200), stage=2, traffic=StageTraffic(candidate=10)).action is Action.PROMOTE


def phase(decision, name):
    return next(m.phase for m in decision.measurements if m.name == name)


def test_broken_limits_abort():
    good = arm(200, 200)
    slow = Summary(n=200, mean=120.0, sd=20.0)
    unhappy = {"rating": Summary(n=200, mean=2.0, sd=1.0)}
    happy = arm(80, 200, rating=Summary(n=200, mean=4.0, sd=1.0))
    rated = RolloutPolicy(max_rating_drop=0.5, max_latency_ms=100.0)
    assert judged(arm(80, 200), arm(200, 200, errors=60), stage=1).action is Action.ABORT
    assert judged(arm(80, 200), arm(200, 200, latency_ms=slow), stage=1).action is Action.ABORT
    decision = judged(happy, good.model_copy(update=unhappy), stage=1, policy=rated)
    assert decision.action is Action.ABORT
    assert phase(decision, "rating") is Phase.FAILED
    late = judged(happy, arm(200, 200, latency_ms=slow), stage=2, policy=rated)
    assert phase(late, "latency_ms") is Phase.FAILED
    assert "harm is shown" in judged(arm(180, 200), arm(80, 200), stage=1).reason


def test_at_100_percent_a_multiple_of_the_champion_s_latency_is_the_absolute_limit():
    at_last = {"stage": 2, "traffic": StageTraffic(candidate=50)}
    passed = judged(arm(80, 200), arm(200, 200), **at_last)
    (limit,) = (m for m in passed.measurements if m.name == "latency_ms")
    assert (passed.action, limit.limit) == (Action.PROMOTE, 75.0)
    assert "limit 75 ms (1.5 times the champion's mean of 50 ms so far)" in limit.reason
    slow = judged(arm(80, 200), arm(200, 200, latency_ms=Summary(n=200, mean=90.0, sd=20.0)), **at_last)
    assert phase(slow, "latency_ms") is Phase.FAILED
    unknown = judged(arm(80, 200, latency_ms=Summary()), arm(200, 200), **at_last)
    assert phase(unknown, "latency_ms") is Phase.INCONCLUSIVE
    given = judged(arm(80, 200), arm(200, 200), policy=RolloutPolicy(max_latency_ms=60.0), **at_last)
    assert next(m.limit for m in given.measurements if m.name == "latency_ms") == 60.0
    early = judged(arm(80, 200), arm(200, 200), stage=1)
    assert all(m.name != "latency_ms" for m in early.measurements)


def test_a_few_errors_too_many_hold_the_stage_without_aborting_it():
    decision = judged(arm(80, 200), arm(50, 50, errors=4), stage=1, traffic=StageTraffic(champion=50, candidate=50))
    assert decision.action is Action.HOLD
    assert phase(decision, "errors") is Phase.INCONCLUSIVE


def test_a_wrong_split_pauses():
    decision = judged(arm(80, 200), arm(200, 200), stage=0)
    assert decision.action is Action.PAUSE
    assert "received" in decision.reason
    assert judged(arm(72, 180), arm(20, 20), stage=0).action is Action.ADVANCE


def test_a_right_split_is_hardly_ever_called_wrong_though_looked_at_all_the_time():
    called = 0
    for seed in range(40):
        drawn = (np.random.default_rng(seed).random(300) < 0.1).cumsum()
        looks = (StageTraffic(champion=t + 1 - int(drawn[t]), candidate=int(drawn[t])) for t in range(0, 300, 30))
        called += any(phase(judged(arm(1, 2), arm(1, 2), traffic=seen), "split") is Phase.FAILED for seen in looks)
    assert called <= 1


@pytest.mark.parametrize(
    "wrong",
    [{"stages": (50, 10, 100)}, {"stages": (10, 50)}, {"stages": (100,)}, {"min_conversations": 100}, {"margin": 0}],
)
def test_policies_are_validated(wrong):
    with pytest.raises(ValidationError):
        RolloutPolicy(**wrong)


def test_impossible_evidence_is_refused():
    with pytest.raises(ValidationError, match="successes <= conversations"):
        ArmEvidence(conversations=1, successes=2)
    with pytest.raises(ValueError, match="stage: expected 0 to 2, found 3"):
        judged(arm(1, 2), arm(1, 2), stage=3)
