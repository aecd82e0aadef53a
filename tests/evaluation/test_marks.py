from __future__ import annotations

from evaluation.ledger import DecisionRecord, OverrideRecord, RolloutStatus
from evaluation.marks import MarkKind, Reign, Trail, clock_set_back, marks, reigns
from tests.evaluation.seen import at, event, observation, promoted


def test_what_happened_is_dated_by_the_trail_and_else_by_the_record() -> None:
    rollouts = [promoted("agent:2", "agent:1", 5), promoted("agent:3", "agent:2", 9, RolloutStatus.ROLLED_BACK),
                promoted("agent:4", "agent:2", 12, RolloutStatus.RUNNING)]  # fmt: skip
    found = marks(Trail(rollouts=rollouts, events=[event("agent:2", 4)]))
    assert [(one.kind, one.version, one.at, one.reason) for one in found] == [
        (MarkKind.PROMOTED, "agent:2", at(4), "as told"),
        (MarkKind.ROLLED_BACK, "agent:3", at(9), ""),
    ], "a rollout that still runs has not ended"


def test_a_decision_and_the_override_of_it_are_both_marked() -> None:
    said = DecisionRecord(
        id="d", subject="agent:2", outcome="reject", evidence={"reason": "cost"}, policy_hash="p", at=at(1)
    )
    other = OverrideRecord(id="o", decision_id="d", outcome="approve", by="Ada", reason="needed", at=at(2))
    stray = other.model_copy(update={"id": "x", "decision_id": "of another model"})
    found = marks(Trail(decisions=[said], overrides=[other, stray]))
    assert [(one.kind, one.version, one.outcome, one.by) for one in found] == [
        (MarkKind.DECIDED, "agent:2", "reject", ""),
        (MarkKind.OVERRIDDEN, "agent:2", "approve", "Ada"),
    ]


def test_champions_follow_each_other_from_the_one_that_the_first_rollout_went_out_from() -> None:
    rollouts = [promoted("agent:4", "agent:2", 9), promoted("agent:2", "agent:1", 4),
                promoted("agent:3", "agent:2", 6, RolloutStatus.ROLLED_BACK)]  # fmt: skip
    trail = Trail(rollouts=rollouts, champion="agent:4")
    assert reigns(trail, []) == (Reign("agent:1", None), Reign("agent:2", at(4)), Reign("agent:4", at(9)))


def test_a_champion_without_rollout_reigns_from_its_first_figure_after_the_last_promotion() -> None:
    trail = Trail(rollouts=[promoted("agent:2", "agent:1", 4)], champion="agent:1")
    seen = [observation(0.5, 1), observation(0.5, 6), observation(0.5, 8)]
    assert reigns(trail, seen)[-1] == Reign("agent:1", at(6))
    assert reigns(Trail(champion="agent:1"), seen) == (Reign("agent:1", None),)
    assert reigns(Trail(), seen) == ()


def test_a_clock_that_was_set_back_shows_in_the_numbers_of_the_trail() -> None:
    told = [event("agent:2", 3, "started", 1), event("agent:2", 2, "promoted", 2)]
    assert clock_set_back(told) == (at(3), at(2))
    assert clock_set_back(reversed(told)) == (at(3), at(2)), "whatever order they come in"
    assert clock_set_back([event("agent:2", 3, "started", 1), event("agent:2", 3, "promoted", 2)]) is None
