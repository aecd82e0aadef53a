"""Queues: leases without collisions, answers in one transaction, the two-person rule."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from evaluation.ledger import Ledger, LedgerError
from evaluation.ledger.collected import (
    LabelRecord,
    LabelSource,
    LabelVerdict,
    RecoveryAnswer,
    RecoveryRecord,
    RecoveryStatus,
    ReviewItem,
    ReviewKind,
    ReviewStatus,
)
from evaluation.ledger.reviews import NoReview, ReviewTaken, review_id
from evaluation.records import Labels, RecoveryStrategy
from tests.evaluation.ledger.making import START, Clock, example
from tests.evaluation.ledger.test_labelling import label

EMPTY = Labels()


def item(number: int, queue: str = "q", needed: int = 1, **more: Any) -> ReviewItem:
    example_id = f"e{number:04d}"
    values: dict[str, Any] = {"id": review_id(queue, example_id), "priority": float(number), "reason": "unsure"}
    return ReviewItem(
        **values | {"queue": queue, "example_id": example_id, "needed": needed, "enqueued_at": START} | more
    )


def answer(to: ReviewItem, by: str, verdict: LabelVerdict = LabelVerdict.ACCEPT, **more: Any) -> LabelRecord:
    return label(by, verdict, example_id=to.example_id, review_id=to.id, **more)


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    ledger.add_examples([example(n, EMPTY) for n in range(1, 6)])
    ledger.enqueue([item(n) for n in range(1, 6)])
    return ledger


def test_queueing_twice_adds_nothing_and_unknown_examples_nothing_at_all(filled: Ledger) -> None:
    assert filled.enqueue([item(1), item(2)]) == 0
    with pytest.raises(LedgerError, match="No example e0099"):
        filled.enqueue([item(1, "other"), item(99, "other")])
    assert filled.review_counts() == {"q": {ReviewStatus.OPEN: 5}}


def test_the_lowest_priority_comes_first_and_nobody_gets_what_another_has(filled: Ledger, clock: Clock) -> None:
    ann = filled.lease_review("q", "ann", 60)
    bob = filled.lease_review("q", "bob", 60)
    assert ann is not None
    assert bob is not None
    assert (ann.example_id, bob.example_id) == ("e0001", "e0002")
    assert (ann.lease_owner, ann.lease_until) == ("ann", START + timedelta(seconds=60))
    again = filled.lease_review("q", "ann", 60)
    assert again is not None
    assert again.id == ann.id, "what one has comes first"
    passed_over = filled.lease_review("q", "ann", 60, excluded=[ann.id])
    assert passed_over is not None
    assert passed_over.example_id == "e0003"
    assert filled.lease_review("empty", "ann", 60) is None


def test_a_lease_ends_by_itself_and_can_be_renewed_or_given_back(filled: Ledger, clock: Clock) -> None:
    first = filled.lease_review("q", "ann", 60)
    assert first is not None
    assert filled.renew_review(first.id, "bob", 60) is False
    clock.now += timedelta(seconds=59)
    assert filled.renew_review(first.id, "ann", 60) is True
    clock.now += timedelta(seconds=59)
    assert filled.renew_review(first.id, "bob", 60) is False
    clock.now += timedelta(seconds=1)
    taken = filled.lease_review("q", "bob", 60)
    assert taken is not None
    assert taken.id == first.id
    assert filled.release_review(first.id, "ann") is False
    assert filled.release_review(first.id, "bob") is True
    assert filled.review(first.id).lease_owner is None


def test_an_answer_is_label_status_and_columns_together(filled: Ledger) -> None:
    first = filled.lease_review("q", "ann", 60)
    assert first is not None
    said = answer(first, "ann", LabelVerdict.REJECT)
    done = filled.answer_review(first.id, said)
    assert (done.status, done.done_at, done.lease_owner) == (ReviewStatus.DONE, START, None)
    assert filled.example("e0001").labels.success is False
    assert filled.labels("e0001") == (said,)
    assert filled.answer_review(first.id, said) == done, "sent twice is given once"
    with pytest.raises(ReviewTaken, match="is done and takes no further answer"):
        filled.answer_review(first.id, answer(first, "bob"))
    assert filled.waiting_reviews("q", "ann") == 4


def test_what_another_has_cannot_be_answered_until_the_lease_is_over(filled: Ledger, clock: Clock) -> None:
    first = filled.lease_review("q", "ann", 60)
    assert first is not None
    with pytest.raises(ReviewTaken, match="is with ann until"):
        filled.answer_review(first.id, answer(first, "bob"))
    clock.now += timedelta(seconds=61)
    assert filled.answer_review(first.id, answer(first, "bob")).status is ReviewStatus.DONE
    with pytest.raises(ReviewTaken):
        filled.answer_review(first.id, answer(first, "ann"))


def test_an_answer_has_to_be_to_the_item(filled: Ledger) -> None:
    with pytest.raises(NoReview, match="expected the id of an item"):
        filled.answer_review("nothing", answer(item(1), "ann"))
    with pytest.raises(LedgerError, match="expected an answer to review"):
        filled.answer_review(item(1).id, answer(item(2), "ann"))
    said = answer(item(1), "ann")
    filled.answer_review(item(1).id, said)
    with pytest.raises(LedgerError, match="take back the answer there"):
        filled.undo_label(said.id)


def test_taking_back_opens_the_item_again(filled: Ledger) -> None:
    before = filled.example("e0001").labels
    filled.answer_review(item(1).id, answer(item(1), "ann"))
    with pytest.raises(NoReview, match="bob has given no answer"):
        filled.undo_review(item(1).id, "bob")
    assert filled.undo_review(item(1).id, "ann").undone_at == START
    assert filled.review(item(1).id).status is ReviewStatus.OPEN
    assert filled.example("e0001").labels == before
    assert filled.answer_review(item(1).id, answer(item(1), "ann", LabelVerdict.REJECT)).status is ReviewStatus.DONE
    assert len(filled.labels("e0001")) == 2, "the trail keeps both"


def test_two_persons_have_to_agree_and_a_third_settles_a_conflict(ledger: Ledger) -> None:
    ledger.add_examples([example(1, EMPTY)])
    both = item(1, needed=2)
    ledger.enqueue([both])
    assert ledger.answer_review(both.id, answer(both, "ann")).status is ReviewStatus.OPEN
    assert ledger.example("e0001").labels.success is None, "one voice is not in force"
    assert ledger.lease_review("q", "ann", 60) is None, "nobody is asked twice"
    with pytest.raises(ReviewTaken, match="ann has answered"):
        ledger.answer_review(both.id, answer(both, "ann"))
    assert ledger.answer_review(both.id, answer(both, "bob", LabelVerdict.REJECT)).status is ReviewStatus.CONFLICT
    assert ledger.lease_review("q", "bob", 60) is None
    third = ledger.lease_review("q", "cid", 60)
    assert third is not None
    assert ledger.answer_review(both.id, answer(both, "cid", LabelVerdict.REJECT)).status is ReviewStatus.DONE
    assert ledger.example("e0001").labels.success is False
    ledger.undo_review(both.id, "cid")
    assert ledger.review(both.id).status is ReviewStatus.CONFLICT
    assert ledger.example("e0001").labels.success is None


def test_a_withdrawn_item_is_asked_of_nobody(filled: Ledger) -> None:
    filled.lease_review("q", "ann", 60)
    gone = filled.withdraw_review(item(1).id)
    assert (gone.status, gone.lease_owner) == (ReviewStatus.WITHDRAWN, None)
    with pytest.raises(ReviewTaken):
        filled.answer_review(item(1).id, answer(item(1), "ann"))
    assert {one.example_id for one in filled.reviews("q", ReviewStatus.OPEN)} == {"e0002", "e0003", "e0004", "e0005"}


def test_only_examples_of_one_task_key_on_demand(filled: Ledger) -> None:
    other = example(9, EMPTY).model_copy(update={"task_key": "summarizer"})
    filled.add_examples([other])
    filled.enqueue([item(9)])
    found = filled.lease_review("q", "ann", 60, task_key="summarizer")
    assert found is not None
    assert found.example_id == "e0009"
    assert filled.waiting_reviews("q", "ann", "summarizer") == 1
    assert filled.waiting_reviews("q", "ann") == 6


def test_reviewers_at_once_never_get_the_same_item(ledger: Ledger) -> None:
    ledger.add_examples([example(n, EMPTY) for n in range(24)])
    ledger.enqueue([item(n) for n in range(24)])
    taken: list[str] = []

    def work(name: str) -> None:
        while found := ledger.lease_review("q", name, 600):
            taken.append(found.id)
            ledger.answer_review(found.id, answer(found, name))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, ["ann", "bob", "cid", "dan"]))
    assert Counter(taken) == Counter(item(n).id for n in range(24))
    assert ledger.review_counts() == {"q": {ReviewStatus.DONE: 24}}


def test_answers_come_by_item_over_batches(filled: Ledger) -> None:
    for number in range(1, 6):
        filled.answer_review(item(number).id, answer(item(number), "ann"))
    filled.undo_review(item(3).id, "ann")
    said = list(filled.review_answers("q", batch=2))
    assert sorted(one.example_id for one in said) == ["e0001", "e0002", "e0004", "e0005"]
    assert list(filled.review_answers("other")) == []


def recovery(status: RecoveryStatus = RecoveryStatus.QUEUED) -> RecoveryRecord:
    return RecoveryRecord(
        id="r1",
        example_id="e0001",
        error_type="tool_error",
        turn=1,
        query="Wo?",
        incorrect_response="search({})",
        status=status,
        confidence=0.0,
        at=START,
    )


def test_reviewers_say_how_an_error_should_have_been_met(ledger: Ledger) -> None:
    ledger.add_examples([example(1)])
    before = ledger.example("e0001").labels
    assert ledger.put_recoveries([recovery(), recovery()]) == 1
    asked = item(1, "recoveries", id="r1", kind=ReviewKind.RECOVERY)
    ledger.enqueue([asked])
    with pytest.raises(LedgerError, match="recovery of example"):
        ledger.answer_review("r1", answer(asked, "ann"))
    told = RecoveryAnswer(strategy=RecoveryStrategy.CLARIFY, correct_response="Where to?")
    ledger.answer_review("r1", answer(asked, "ann", LabelVerdict.CORRECT, recovery=told))
    (found,) = ledger.recoveries(status=RecoveryStatus.LABELLED)
    assert (found.strategy, found.correct_response) == (RecoveryStrategy.CLARIFY, "Where to?")
    assert (found.source, found.confidence) == (LabelSource.REVIEW, 1.0)
    assert ledger.example("e0001").labels == before
    assert ledger.put_recoveries([recovery()]) == 0, "found again, it stays as the reviewer left it"
    assert ledger.recovery("r1") == found
    ledger.undo_review("r1", "ann")
    assert ledger.recovery("r1") == recovery()
    ledger.answer_review("r1", answer(asked, "ann", LabelVerdict.REJECT, recovery=RecoveryAnswer()))
    assert ledger.recovery("r1").status is RecoveryStatus.REJECTED
    assert ledger.recovery_counts() == {(RecoveryStatus.REJECTED, "tool_error"): 1}


def test_recoveries_stream_and_are_looked_up(ledger: Ledger) -> None:
    ledger.add_examples([example(n) for n in range(1, 6)])
    many = [recovery().model_copy(update={"id": f"r{n}", "example_id": f"e{n:04d}", "at": START}) for n in range(1, 6)]
    stray = recovery().model_copy(update={"id": "r9", "example_id": "e0099"})
    assert ledger.put_recoveries([*many, stray]) == 5
    for batch in (1, 2, 5, 9):
        assert [one.id for one in ledger.recoveries(batch=batch)] == ["r1", "r2", "r3", "r4", "r5"]
    assert [one.id for one in ledger.recoveries(example_id="e0002")] == ["r2"]
    assert list(ledger.recoveries(task_key="other")) == []
    assert len(list(ledger.recoveries(task_key="planner"))) == 5
    with pytest.raises(LedgerError, match="No error recovery r9"):
        ledger.recovery("r9")
