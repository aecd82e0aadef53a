"""The errors inside examples are in the ledger with the examples, however those came, and queued for whoever looks."""

from __future__ import annotations

import re

import pytest

from evaluation.ledger import Ledger
from evaluation.ledger.collected import RecoveryStatus, ReviewStatus
from evaluation.ledger.errors import RowRefused
from evaluation.ledger.recoveries import RECOVERIES
from evaluation.records import Example, Message, RecoveryStrategy
from tests.evaluation.ledger.making import START
from tests.evaluation.making import calls, result, says, talk, user

BROKE = result({"error": {"code": 503, "message": "the index is down"}})
AGAIN = (calls(("search", {"q": "it"})), result({"hits": 1}), says("Found."))
ROUND = (calls(("browse", {"q": "it"})), result({"hits": 1}, name="browse"), says("Found."))


def broken(name: str, *after: Message) -> Example:
    made = talk(user(), calls(("search", {"q": "it"})), BROKE, *after)
    return made.model_copy(update={"id": name, "timestamp": START})


SHOWN = {
    RecoveryStrategy.RETRY: broken("retried", *AGAIN),
    RecoveryStrategy.CLARIFY: broken("asked", says("Which index do you mean?")),
    RecoveryStrategy.FALLBACK: broken("round", *ROUND),
    RecoveryStrategy.GRACEFUL_FAIL: broken("excused", says("Sorry, the search is down.")),
}
HIDDEN = broken("hidden", says("It is blue."))


def test_every_error_is_a_candidate_as_soon_as_its_example_is_written(ledger: Ledger) -> None:
    ledger.add_examples([*SHOWN.values(), HIDDEN])
    found = {one.example_id: one for one in ledger.recoveries()}
    for strategy, example in SHOWN.items():
        one = found[example.id]
        assert (one.strategy, one.status) == (strategy, RecoveryStatus.LABELLED)
        assert (one.error_type, one.error) == ("tool_error", "503: the index is down")
        assert one.incorrect_response == 'search({"q": "it"})'
        assert one.correct_response
        assert 0.5 < one.confidence < 1
    assert (found["hidden"].status, found["hidden"].strategy) == (RecoveryStatus.QUEUED, None)


def test_what_comes_twice_is_one_candidate_and_that_of_the_body_which_was_kept(ledger: Ledger) -> None:
    ledger.add_examples([HIDDEN])
    ledger.add_examples([HIDDEN, HIDDEN.model_copy(update={"messages": SHOWN[RecoveryStrategy.RETRY].messages})])
    ledger.add_examples([broken("twin"), broken("twin", *AGAIN)])
    assert [one.status for one in ledger.recoveries()] == [RecoveryStatus.QUEUED] * 2


def test_an_example_that_is_refused_leaves_no_candidate(ledger: Ledger) -> None:
    late = HIDDEN.model_copy(update={"timestamp": START.replace(year=9000)})
    with pytest.raises(RowRefused):
        ledger.add_examples([SHOWN[RecoveryStrategy.RETRY], late])
    assert list(ledger.recoveries()) == []


def test_what_nothing_explains_is_queued_once_for_as_many_as_have_to_agree(ledger: Ledger) -> None:
    ledger.add_examples([*SHOWN.values(), HIDDEN])
    assert ledger.reviews(RECOVERIES) == (), "how many have to agree is not the collector's to say"
    assert (ledger.queue_recoveries(2), ledger.queue_recoveries(1)) == (1, 0)
    (item,) = ledger.reviews(RECOVERIES)
    assert (item.example_id, item.needed) == ("hidden", 2)
    ledger.withdraw_review(item.id)
    assert ledger.queue_recoveries(2) == 0
    assert ledger.reviews(RECOVERIES)[0].status is ReviewStatus.WITHDRAWN


@pytest.mark.parametrize("parameters", [
    {"type": "object", "properties": {"q": {"type": "string", "pattern": "(a+)+$"}}},
    {"$ref": "http://127.0.0.1:9/schema"},
    {"type": 5},
    {"properties": {"q": {"$ref": "#/nowhere"}}},
])  # fmt: skip
def test_no_schema_of_a_client_keeps_an_example_from_being_written(
    ledger: Ledger, parameters: dict[str, object]
) -> None:
    tool = talk(user()).tools[0].model_copy(update={"parameters": parameters})
    made = talk(user(), calls(("search", {"q": "a" * 40 + "!"})), BROKE, says("Hm."))
    assert ledger.add_examples([made.model_copy(update={"id": "e", "tools": (tool,), "timestamp": START})]) == 1
    assert [one.error_type for one in ledger.recoveries()] == ["tool_error"]


def test_any_text_may_stand_in_an_error(ledger: Ledger) -> None:
    said = result({"error": "down \ud800 \x00"})
    made = talk(user("x\ud800y"), calls(("search", {"q": "a\ud800"})), said, says("Hm."))
    ledger.add_examples([made.model_copy(update={"id": "e", "timestamp": START})])
    (one,) = ledger.recoveries()
    assert re.search("\ud800.*\x00", one.error)
