"""Which labels are in force: a pure function of an example's body and its labels."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.ledger.collected import LabelRecord, LabelSource, LabelVerdict, RecoveryAnswer, ReviewStatus
from evaluation.ledger.labelling import in_force, propagated, settled
from evaluation.records import Labels, Message, RecoveryStrategy, ToolCall
from tests.evaluation.ledger.making import START

BODY = Labels(success=False, correct_tool_selection=False, response_quality=1.0, validation_confidence=0.6)
_COUNT = iter(range(10**9))


def label(
    by: str = "ann",
    verdict: LabelVerdict = LabelVerdict.ACCEPT,
    source: LabelSource = LabelSource.REVIEW,
    confidence: float = 1.0,
    **more: Any,
) -> LabelRecord:
    number = next(_COUNT)
    values: dict[str, Any] = {"at": START + timedelta(seconds=number), "id": f"l{number}", "example_id": "e1"}
    return LabelRecord(**values | {"by": by, "verdict": verdict, "source": source, "confidence": confidence} | more)


def test_without_labels_the_body_holds() -> None:
    assert in_force(BODY, []) == BODY


def test_a_person_beats_a_rule_beats_a_model_beats_the_body() -> None:
    model = label("m", source=LabelSource.MODEL, confidence=0.9, success=True, response_quality=4.0)
    rule = label("r", LabelVerdict.REJECT, LabelSource.RULE, 0.8)
    person = label("ann", LabelVerdict.ACCEPT)
    by_model = in_force(BODY, [model])
    assert (by_model.success, by_model.response_quality, by_model.validation_confidence) == (True, 4.0, 0.9)
    by_rule = in_force(BODY, [model, rule])
    assert (by_rule.success, by_rule.correct_tool_selection, by_rule.response_quality) == (False, True, 4.0)
    assert by_rule.validation_confidence == 0.8
    by_person = in_force(BODY, [person, rule, model])
    assert (by_person.success, by_person.correct_tool_selection, by_person.response_quality) == (True, True, 4.0)
    assert by_person.validation_confidence == 1.0


def test_the_latest_of_each_person_counts_and_what_was_undone_does_not() -> None:
    first, second = label("ann", LabelVerdict.ACCEPT), label("ann", LabelVerdict.REJECT)
    assert in_force(BODY, [second, first]).success is False
    undone = second.model_copy(update={"undone_at": START})
    assert in_force(BODY, [first, undone]).success is True
    assert in_force(BODY, [undone]) == BODY


def test_most_people_hold_and_a_tie_goes_to_the_latest_where_one_is_enough() -> None:
    ann, bob = label("ann", LabelVerdict.ACCEPT), label("bob", LabelVerdict.REJECT)
    assert in_force(BODY, [ann, bob]).success is False
    cid = label("cid", LabelVerdict.ACCEPT)
    assert in_force(BODY, [ann, bob, cid]).success is True
    later = label("bob", LabelVerdict.REJECT)
    assert in_force(BODY, [ann, later, cid]).success is True


def test_by_the_two_person_rule_only_what_two_say_holds() -> None:
    body = BODY.model_copy(update={"success": None})
    ann = label("ann", LabelVerdict.ACCEPT, response_quality=4.0)
    assert in_force(body, [ann], needed=2) == body
    bob = label("bob", LabelVerdict.ACCEPT, response_quality=1.0)
    both = in_force(body, [ann, bob], needed=2)
    assert both.success is True
    assert both.response_quality is None, "4 and 1 are no agreement, and both contradict the body's"
    cid = label("cid", LabelVerdict.REJECT, response_quality=4.5)
    assert in_force(body, [ann, bob, cid], needed=2).success is True
    assert in_force(body, [ann, bob, cid], needed=2).response_quality == 4.0
    dan = label("dan", LabelVerdict.REJECT)
    assert in_force(body, [ann, bob, cid, dan], needed=2).success is None, "two against two is no agreement"


def test_a_weak_label_fills_what_is_empty_and_never_touches_a_persons() -> None:
    empty = Labels()
    weak = label("x", LabelVerdict.REJECT, LabelSource.PROPAGATED, 0.55, response_quality=0.0)
    assert in_force(empty, [weak]).success is False
    assert in_force(empty, [weak]).validation_confidence == 0.55
    assert in_force(BODY, [weak]) == BODY
    person = label("ann", LabelVerdict.RATE, response_quality=3.0)
    found = in_force(empty, [weak, person])
    assert (found.success, found.response_quality, found.validation_confidence) == (None, 3.0, 1.0)


SOURCES = st.sampled_from([LabelSource.RULE, LabelSource.MODEL, LabelSource.PROPAGATED])


@given(
    st.lists(st.tuples(SOURCES, st.sampled_from([*LabelVerdict]), st.floats(0, 1), st.sampled_from("abc"))),
    st.sampled_from([LabelVerdict.ACCEPT, LabelVerdict.REJECT]),
)
def test_nothing_but_a_person_changes_what_a_person_said(others: list[Any], verdict: LabelVerdict) -> None:
    person = label("ann", verdict, response_quality=2.5, correct_tool_selection=True)
    more = [label(by, v, source, c, success=True, response_quality=1.0) for source, v, c, by in others]
    alone, among = in_force(BODY, [person]), in_force(BODY, [*more, person])
    assert among == alone
    assert among.validation_confidence == 1.0


def test_an_answer_about_a_recovery_says_nothing_of_the_example() -> None:
    answer = label("ann", LabelVerdict.CORRECT, recovery=RecoveryAnswer(strategy=RecoveryStrategy.RETRY))
    assert in_force(BODY, [answer]) == BODY


def corrected(name: str, by: str, arguments: dict[str, Any]) -> LabelRecord:
    call = ToolCall(id="c", name=name, arguments=arguments)
    return label(by, LabelVerdict.CORRECT, messages=(Message(role="assistant", tool_calls=(call,)),))


@pytest.mark.parametrize(
    ("labels", "needed", "status"),
    [
        ([], 1, "open"),
        ([label("ann")], 1, "done"),
        ([label("ann")], 2, "open"),
        ([label("ann"), label("ann")], 2, "open"),
        ([label("ann"), label("bob")], 2, "done"),
        ([label("ann"), label("bob", LabelVerdict.REJECT)], 2, "conflict"),
        ([label("ann"), label("bob", LabelVerdict.REJECT), label("cid")], 2, "done"),
        ([label("ann"), label("bob", LabelVerdict.REJECT), label("cid"), label("dan", LabelVerdict.REJECT)], 2,
         "conflict"),
        ([corrected("a", "ann", {"x": 1}), corrected("a", "bob", {"x": 1})], 2, "done"),
        ([corrected("a", "ann", {"x": 1}), corrected("a", "bob", {"x": 2})], 2, "conflict"),
        ([label("ann", LabelVerdict.RATE, response_quality=3.0), label("bob", LabelVerdict.RATE, response_quality=4.0)],
         2, "done"),
        ([label("ann", LabelVerdict.RATE, response_quality=1.0), label("bob", LabelVerdict.RATE, response_quality=4.0)],
         2, "conflict"),
        ([label("ann", LabelVerdict.RATE, success=True), label("bob", LabelVerdict.RATE, success=True)], 2, "done"),
    ],
)  # fmt: skip
def test_a_review_is_settled_when_enough_agree(labels: list[LabelRecord], needed: int, status: str) -> None:
    assert settled(labels, needed) is ReviewStatus(status)


def test_what_is_taken_over_keeps_its_source_and_loses_confidence() -> None:
    given_label = label("ann", LabelVerdict.ACCEPT, confidence=0.9, response_quality=5.0)
    similar = {"e1": 1.0, "e2": 0.8, "e3": 0.5}
    (weak,) = propagated(given_label, similar, START)
    assert (weak.example_id, weak.source, weak.verdict) == ("e2", LabelSource.PROPAGATED, LabelVerdict.ACCEPT)
    assert weak.confidence == pytest.approx(0.72)
    assert weak.by == f"label:{given_label.id}"
    assert "e1" in weak.note
    assert "ann" in weak.note
    assert propagated(weak, {"e4": 1.0}, START) == [], "a weak label is taken over by nobody"
    assert propagated(given_label.model_copy(update={"undone_at": START}), similar, START) == []


def test_a_correction_is_taken_over_as_a_rejection_without_its_messages() -> None:
    (weak,) = propagated(corrected("a", "ann", {}), {"e2": 0.95}, START)
    assert (weak.verdict, weak.messages) == (LabelVerdict.REJECT, ())


def test_the_quality_is_a_reviewers_then_the_mean_rating_then_a_rules_then_the_bodys() -> None:
    given = Labels(success=True, response_quality=4.9, validation_confidence=0.9)
    rule = label("r", LabelVerdict.RATE, LabelSource.RULE, response_quality=2.0)
    person = label("ann", LabelVerdict.RATE, confidence=0.8, response_quality=3.0)
    assert in_force(given, [], rating=2.5) == given.model_copy(update={"response_quality": 2.5})
    assert in_force(given, [rule], rating=2.5).response_quality == 2.5
    assert in_force(given, [rule]).response_quality == 2.0
    assert in_force(given, [rule, person], rating=2.5).response_quality == 3.0
    assert in_force(Labels(), [], rating=4.5) == Labels(response_quality=4.5)


@pytest.mark.parametrize(
    ("success", "quality", "verdict", "left"),
    [
        (False, 1.1, LabelVerdict.ACCEPT, None),
        (False, 1.1, LabelVerdict.REJECT, 1.1),
        (True, 4.9, LabelVerdict.REJECT, None),
        (True, 4.9, LabelVerdict.ACCEPT, 4.9),
        (None, 1.25, LabelVerdict.ACCEPT, None),
        (None, 4.5, LabelVerdict.ACCEPT, 4.5),
        (None, 4.5, LabelVerdict.RATE, 4.5),
    ],
)
def test_a_written_quality_gives_way_to_a_verdict_that_contradicts_it(
    success: bool | None, quality: float, verdict: LabelVerdict, left: float | None
) -> None:
    body = Labels(success=success, response_quality=quality, validation_confidence=0.8)
    assert in_force(body, [label("ann", verdict)]).response_quality == left
