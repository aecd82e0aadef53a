"""Agreement of reviewers and raters, from what the ledger keeps."""

from __future__ import annotations

from datetime import timedelta

from evaluation.agreement import raters_agreement, reading, reviewers_agreement
from evaluation.ledger.collected import LabelVerdict, RecoveryAnswer
from evaluation.records import Feedback, RecoveryStrategy
from tests.evaluation.ledger.making import START
from tests.evaluation.ledger.test_labelling import label

ACCEPT, REJECT = LabelVerdict.ACCEPT, LabelVerdict.REJECT


def test_reviewers_are_compared_item_by_item_by_their_latest_word() -> None:
    said = [label(by, verdict, review_id=f"r{n}") for n, pair in enumerate([(ACCEPT, ACCEPT), (REJECT, REJECT)] * 10)
            for by, verdict in zip(("ann", "bob"), pair, strict=True)]  # fmt: skip
    changed = [label("bob", REJECT, review_id="r0"), label("bob", ACCEPT, review_id="r0")]
    found = reviewers_agreement([*said, *changed])
    assert found["verdict"].alpha.value == 1.0
    assert found["verdict"].alpha.n == 20
    assert found["success"].percent == 1.0
    assert "response_quality" not in found
    assert reading(found["verdict"]) == "reliable"


def test_strategies_are_compared_apart_from_verdicts() -> None:
    ways = [RecoveryStrategy.RETRY, RecoveryStrategy.CLARIFY, None]
    said = [
        label(by, LabelVerdict.CORRECT, review_id=f"r{n}", recovery=RecoveryAnswer(strategy=ways[(n + shift) % 3]))
        for n in range(9)
        for shift, by in ((0, "ann"), (n % 2, "bob"))
    ]
    found = reviewers_agreement(said)
    assert list(found) == ["strategy"]
    assert found["strategy"].percent == 5 / 9


def feedback(name: str, example: str, rater: str, rating: int, speed: int | None = None, at: int = 0) -> Feedback:
    when = START + timedelta(seconds=at)
    return Feedback(id=name, example_id=example, rating=rating, rater=rater, speed=speed, timestamp=when)


def test_of_each_rater_the_latest_word_counts() -> None:
    given = {
        "e1": [feedback("1", "e1", "u", 1), feedback("2", "e1", "v", 5, 4), feedback("3", "e1", "u", 5, at=1)],
        "e2": [feedback("4", "e2", "u", 2), feedback("5", "e2", "v", 2)],
        "e3": [feedback("6", "e3", "u", 2)],
    }
    found = raters_agreement(given)
    assert list(found) == ["rating"], "speed was rated by one alone"
    assert found["rating"].alpha.value == 1.0
    assert found["rating"].judgements == 4


def test_a_low_alpha_is_read_as_one() -> None:
    said = [label(by, ACCEPT if n % every else REJECT, review_id=f"r{n}") for n in range(12)
            for by, every in (("ann", 2), ("bob", 3))]  # fmt: skip
    assert reading(reviewers_agreement(said)["verdict"]).startswith("too little")
    assert reading(reviewers_agreement([label(b, ACCEPT, review_id="r") for b in "ab"])["verdict"]).startswith("cannot")
