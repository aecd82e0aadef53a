from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from evaluation.compare import summarise
from evaluation.gate import GateOutcome, judge
from evaluation.gate_policy import GatePolicy, PolicyError
from evaluation.gate_results import RuleOutcome
from evaluation.gate_rules import RegressionEvidence, pinned
from evaluation.metrics import METRICS
from evaluation.pair_rows import PairRow
from evaluation.scenarios import Kind
from tests.evaluation.rows import figures, with_figures

POLICY = GatePolicy()


def rows_of(base, candidate, *, base_latency, candidate_latency, cost=1.0, quality=None) -> list[PairRow]:
    """Pairs from arrays of successes and of latencies."""
    rows = []
    for arm, success, latency, price in (
        ("base", base, base_latency, 1.0),
        ("candidate", candidate, candidate_latency, cost),
    ):
        for i, solved in enumerate(success):
            rows.append(
                PairRow(
                    scenario_id=f"s{i:05d}",
                    group="g",
                    kind=Kind.ONE_CALL,
                    arm=arm,
                    measured=figures(
                        tool_accuracy=solved,
                        exact_calls=solved,
                        task_success=solved,
                        protocol_clean=True,
                        quality=(4.0 if solved else 1.0) if quality is None else quality,
                        tokens_per_episode=100.0,
                        latency_ms=latency[i],
                        cost=price * (1 + i % 5),
                    ),
                )
            )
    return rows


def pairs(rng, n, base, gain, discordant):
    """Outcomes of both arms: success rate `base`, candidate − base `gain`, share `discordant` of unequal pairs."""
    only_candidate, only_base = (discordant + gain) / 2, (discordant - gain) / 2
    cell = rng.choice(4, size=n, p=[base - only_base, only_candidate, only_base, 1 - base - only_candidate])
    return np.isin(cell, (0, 2)), np.isin(cell, (0, 1))


def decide(rng, n, *, base, gain, discordant, speed=1.0, cost=1.0):
    first, second = pairs(rng, n, base, gain, discordant)
    rows = rows_of(
        first,
        second,
        base_latency=rng.gamma(25, 2, n),
        candidate_latency=rng.gamma(25, 2 * speed, n),
        cost=cost,
    )
    return judge(summarise(rows), POLICY)


def rule(decision, name):
    return next(r for r in decision.rules if r.name == name)


def test_a_copy_is_rejected_though_latency_is_noise():
    for seed in range(8):
        rng = np.random.default_rng(seed)
        solved = rng.random(200) < 0.8
        rows = rows_of(solved, solved, base_latency=rng.gamma(9, 5, 200), candidate_latency=rng.gamma(9, 5, 200))
        decision = judge(summarise(rows), POLICY)
        assert decision.outcome is GateOutcome.REJECT
        assert "identical" in rule(decision, "better").reason


def test_ten_points_worse_is_never_approved_however_cheap_and_fast():
    rng = np.random.default_rng(11)
    outcomes = [
        decide(rng, 200, base=0.80, gain=-0.10, discordant=0.15, speed=0.6, cost=0.5).outcome for _ in range(20)
    ]
    assert GateOutcome.APPROVE not in outcomes
    assert outcomes.count(GateOutcome.REJECT) > 14


def test_fifteen_points_better_is_nearly_always_approved():
    rng = np.random.default_rng(12)
    outcomes = [decide(rng, 280, base=0.60, gain=0.15, discordant=0.25).outcome for _ in range(15)]
    assert outcomes.count(GateOutcome.APPROVE) >= 13


def test_equal_models_with_noise_are_hardly_ever_approved():
    rng = np.random.default_rng(13)
    outcomes = [decide(rng, 200, base=0.80, gain=0.0, discordant=0.15).outcome for _ in range(25)]
    assert outcomes.count(GateOutcome.APPROVE) <= 3


def test_small_suites_end_inconclusive_and_say_how_many_more():
    rng = np.random.default_rng(2)
    decision = decide(rng, 100, base=0.80, gain=0.02, discordant=0.15)
    assert decision.outcome is GateOutcome.INCONCLUSIVE
    accuracy = rule(decision, "accuracy")
    assert accuracy.outcome is RuleOutcome.INCONCLUSIVE
    assert accuracy.further_scenarios > 50
    assert "more scenarios" in accuracy.change


def clear_win(n=200, **fields):
    rng = np.random.default_rng(3)
    base = np.arange(n) % 2 == 0
    latency = rng.gamma(25, 2, n)
    return rows_of(base, np.ones(n, bool), base_latency=latency, candidate_latency=latency, **fields)


def test_a_clear_win_is_approved_with_its_evidence():
    decision = judge(summarise(clear_win()), POLICY)
    assert decision.outcome is GateOutcome.APPROVE
    assert [r.name for r in decision.rules] == [
        "pairing",
        "accuracy",
        "quality",
        "latency",
        "cost",
        "segments",
        "regression",
        "better",
    ]
    assert rule(decision, "regression").reason == "none pinned."
    assert decision.policy_hash == POLICY.digest() != GatePolicy(alpha=0.01).digest()
    assert judge(summarise(clear_win()), POLICY) == decision


@pytest.mark.parametrize(
    ("change", "blamed"),
    [
        ({"task_success": None}, "accuracy"),
        ({"quality": float("nan")}, "quality"),
        ({"cost": -1.0}, "cost"),
        ({"latency_ms": float("inf")}, "latency"),
        ({"scenario_id": "another"}, "pairing"),
        ({"tool_accuracy": None, "exact_calls": None}, None),
    ],
)
def test_one_bad_row_never_approves_where_it_matters(change, blamed):
    rows = clear_win()
    other = "scenario_id" in change
    rows[0] = rows[0].model_copy(update=change) if other else with_figures(rows[0], **change)
    decision = judge(summarise(rows), POLICY)
    if blamed is None:
        assert decision.outcome is GateOutcome.APPROVE  # neither is asked for, and task success is better by itself
    else:
        assert decision.outcome is GateOutcome.INCONCLUSIVE
        assert rule(decision, blamed).outcome is RuleOutcome.INCONCLUSIVE


def test_no_rows_and_too_few_rows_never_approve():
    for rows in ([], clear_win(2), clear_win(28)):
        assert judge(summarise(rows), POLICY).outcome is GateOutcome.INCONCLUSIVE


def test_slower_or_dearer_is_rejected_although_more_accurate():
    decision = judge(summarise(clear_win(cost=1.3)), POLICY)
    assert decision.outcome is GateOutcome.REJECT
    assert rule(decision, "cost").outcome is RuleOutcome.FAILED
    rows = [r if r.arm == "base" else with_figures(r, latency_ms=r.measured["latency_ms"] * 1.2) for r in clear_win()]
    decision = judge(summarise(rows), POLICY)
    assert decision.outcome is GateOutcome.REJECT
    assert rule(decision, "latency").outcome is RuleOutcome.FAILED


def test_a_saving_below_two_percent_is_not_better():
    solved = np.arange(200) % 5 > 0
    latency = np.full(200, 50.0)

    def outcome(cost):
        rows = rows_of(solved, solved, base_latency=latency, candidate_latency=latency, cost=cost)
        return judge(summarise(rows), POLICY).outcome

    assert outcome(0.99) is GateOutcome.REJECT
    assert outcome(0.95) is GateOutcome.APPROVE


def test_a_base_that_never_succeeds_is_judged_by_the_difference():
    n = 200
    rng = np.random.default_rng(1)
    latency = rng.gamma(9, 5, n)
    rows = rows_of(np.zeros(n), np.ones(n), base_latency=latency, candidate_latency=latency)
    decision = judge(summarise(rows), POLICY)
    assert rule(decision, "accuracy").outcome is RuleOutcome.PASSED
    assert "not defined" in rule(decision, "accuracy").reason
    assert decision.outcome is GateOutcome.INCONCLUSIVE  # no scenario that both solved, so no latency
    free = GatePolicy(latency_ratio=None, cost_ratio=None)
    assert judge(summarise(rows), free).outcome is GateOutcome.APPROVE


def test_regression_scenarios():
    comparison = summarise(clear_win())
    good = judge(comparison, POLICY, RegressionEvidence(passed={"a": True, "b": True}))
    bad = judge(comparison, POLICY, RegressionEvidence(passed={"a": True, "b": False, "c": None}))
    open_ = judge(comparison, POLICY, RegressionEvidence(passed={"a": True, "b": None}))
    assert [d.outcome for d in (good, bad, open_)] == [
        GateOutcome.APPROVE,
        GateOutcome.REJECT,
        GateOutcome.INCONCLUSIVE,
    ]


def test_a_pinned_scenario_that_the_candidate_fails_in_any_attempt_rejects_it():
    rows = [
        r.model_copy(update={"tags": ("regression",)}) if r.scenario_id in ("s00000", "s00001") else r
        for r in clear_win()
    ]
    found = {r.scenario_id: r.success for r in rows if r.tags and r.arm == "candidate"}
    assert pinned(rows) == RegressionEvidence(passed=found)
    again = [with_figures(r.model_copy(update={"attempt": 1}), task_success=False) for r in rows if r.tags]
    assert set(pinned(rows + again).passed.values()) == set(pinned(again + rows).passed.values()) == {False}
    assert pinned([r for r in rows if r.arm == "base"]).passed == dict.fromkeys(found)
    assert pinned(clear_win()).passed == {}


def test_policies_are_validated():
    with pytest.raises(PolicyError, match=r"key_metrics: expected one of tool_accuracy, .* found 'acuracy'"):
        judge(summarise(clear_win()), GatePolicy(key_metrics=("acuracy",)))
    with pytest.raises(ValidationError):
        GatePolicy(accuracy_ratio=0)
    with pytest.raises(ValueError, match=r"alpha=policy\.alpha"):
        judge(summarise(clear_win()), GatePolicy(alpha=0.01))


def with_slices(fallen: int, size: int = 40, n: int = 200) -> list[PairRow]:
    """A candidate that is better on the whole, and fails `fallen` of the `size` scenarios tagged `slot`."""
    rows = []
    for one in clear_win(n):
        place = int(one.scenario_id[1:])
        worse = one.arm == "candidate" and place < fallen
        solved = place < size if one.arm == "base" else not worse
        tags = ("slot",) if place < size else ()
        rows.append(with_figures(one.model_copy(update={"tags": tags}), task_success=solved))
    return rows


def segment_policy(**fields):
    return GatePolicy(
        quality_ratio=None, latency_ratio=None, cost_ratio=None, segments={"by": ["tag"], "fall": 0.1, **fields}
    )


def test_a_segment_that_falls_for_certain_rejects_a_candidate_that_is_better_on_the_whole():
    decision = judge(summarise(with_slices(30)), segment_policy())
    assert decision.outcome is GateOutcome.REJECT
    segments = rule(decision, "segments")
    assert segments.outcome is RuleOutcome.FAILED
    assert "tag:slot" in segments.reason
    assert segments.evidence["tag:slot.difference"] == pytest.approx(-0.75)
    assert judge(summarise(with_slices(30)), segment_policy(by=[])).outcome is GateOutcome.APPROVE


def test_a_segment_whose_interval_holds_the_floor_is_reported_and_does_not_decide():
    decision = judge(summarise(with_slices(6)), segment_policy())
    assert decision.outcome is GateOutcome.APPROVE
    assert "Seen, without a say: tag:slot -0.15" in rule(decision, "segments").reason


def test_a_segment_below_thirty_scenarios_never_decides():
    decision = judge(summarise(with_slices(29, size=29)), segment_policy())
    assert decision.outcome is GateOutcome.APPROVE
    assert "tag:slot -1 " in rule(decision, "segments").reason


def test_further_limits_hold_by_ratio_or_by_difference():
    rows = clear_win()
    dearer = [r if r.arm == "base" else with_figures(r, tokens_per_episode=130.0) for r in rows]
    dearer = [
        with_figures(r, tokens_per_episode=r.measured["tokens_per_episode"] + i % 7) for i, r in enumerate(dearer)
    ]

    def decided(limit):
        return judge(summarise(dearer), GatePolicy(limits={"tokens_per_episode": limit}))

    assert decided({"ratio": 1.2}).outcome is GateOutcome.REJECT
    assert decided({"ratio": 1.5}).outcome is GateOutcome.APPROVE
    assert decided({"difference": 10}).outcome is GateOutcome.REJECT
    assert decided({"difference": 50}).outcome is GateOutcome.APPROVE
    assert "at most 10 is asked" in rule(decided({"difference": 10}), "tokens_per_episode").reason


def test_a_rule_that_only_warns_decides_nothing_and_is_named():
    rows = clear_win(cost=1.3)
    decision = judge(summarise(rows), GatePolicy(severity={"cost": "warn"}))
    assert decision.outcome is GateOutcome.APPROVE
    assert "Warned of: cost" in decision.reason
    assert not rule(decision, "cost").blocks
    blocked = judge(summarise(rows), GatePolicy())
    assert rule(blocked, "cost").blocks
    assert "cost: a candidate with lower cost" in blocked.change


def test_what_is_in_quarantine_is_told_and_has_no_say():
    evidence = RegressionEvidence(passed={"a": True}, quarantined={"b": False, "c": True, "d": None})
    decision = judge(summarise(clear_win()), POLICY, evidence)
    assert decision.outcome is GateOutcome.APPROVE
    assert "In quarantine as flaky, without a say: 3, of which b, d did not pass" in rule(decision, "regression").reason


def test_every_mistake_of_a_policy_is_named_with_its_key():
    policy = GatePolicy(
        key_metrics=("task_succes", "cost", "cost"),
        limits={"nothing": {"ratio": 1.1}, "quality": {"difference": 0.1}},
        segments={"metric": "cost"},
        severity={"better": "warn", "speed": "warn"},
    )
    with pytest.raises(PolicyError) as caught:
        judge(summarise(clear_win()), policy)
    said = str(caught.value)
    for part in (
        "key_metrics: expected each metric once",
        "did you mean task_success?",
        "limits: expected one of",
        "limits.quality: expected quality_ratio to be null",
        "segments.metric: expected a share of which more is better, found cost",
        "severity.better: expected block",
        "severity: expected one of the rules pairing",
    ):
        assert part in said
    with pytest.raises(ValidationError, match="one of them"):
        GatePolicy(limits={"cost": {}})


def test_a_metric_of_ones_own_can_be_gated_on():
    metrics = {**METRICS, "stars": replace(METRICS["quality"], name="stars", title="stars")}
    rows = [with_figures(r, stars=5.0 if r.arm == "base" else 4.0 + (i % 9) / 100) for i, r in enumerate(clear_win())]
    policy = GatePolicy(limits={"stars": {"ratio": 0.95}})
    decision = judge(summarise(rows, metrics=metrics), policy, metrics=metrics)
    assert decision.outcome is GateOutcome.REJECT
    assert rule(decision, "stars").outcome is RuleOutcome.FAILED
    with pytest.raises(PolicyError, match="found 'stars'"):
        judge(summarise(rows), policy)


def unchanged(n, twice):
    """Pairs of which none differs, at half the price; one of them attempted twice."""
    solved = np.ones(n)
    rows = rows_of(solved, solved, base_latency=np.full(n, 50.0), candidate_latency=np.full(n, 50.0), cost=0.5)
    if twice:
        rows += [r.model_copy(update={"attempt": 1}) for r in rows if r.scenario_id == "s00000"]
    # Groups of their own, as scenarios have them.
    return [r.model_copy(update={"group": r.scenario_id}) for r in rows]


@pytest.mark.parametrize("twice", [False, True])
def test_few_pairs_of_which_none_differs_show_no_equality(twice):
    decision = judge(summarise(unchanged(34, twice)), GatePolicy(min_relative_gain=0.0))
    assert rule(decision, "accuracy").outcome is RuleOutcome.INCONCLUSIVE
    assert rule(decision, "quality").outcome is RuleOutcome.INCONCLUSIVE
    many = judge(summarise(unchanged(400, twice)), GatePolicy(min_relative_gain=0.0))
    assert many.outcome is GateOutcome.APPROVE
