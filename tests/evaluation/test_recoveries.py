"""Errors are found in examples, and how each was met where the example shows it."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation.error_shapes import error_in
from evaluation.ledger.collected import RecoveryRecord, RecoveryStatus
from evaluation.records import (
    ErrorRecovery,
    Example,
    Labels,
    Message,
    RecoveryStrategy,
    Validation,
    Verdict,
)
from evaluation.recoveries import recoveries_of
from tests.evaluation.making import calls, result, says, talk, user

BROKE = {"error": "the index is down"}


def only(example: Example) -> RecoveryRecord:
    (found,) = recoveries_of(example)
    return found


def test_where_nothing_went_wrong_there_is_nothing_to_recover_from() -> None:
    assert recoveries_of(talk(user(), calls(("search", {"q": "a"})), result({"hits": 3}), says("Three."))) == []
    assert recoveries_of(talk(user(), says("I made an error in my youth"))) == []


def test_the_call_that_was_made_again_and_worked_is_the_recovery() -> None:
    made = talk(
        user(),
        calls(("search", {"deep": 1})),
        result({"error": "invalid arguments for search: 'q' is a required property"}),
        calls(("search", {"q": "it"})),
        result({"hits": 1}),
        says("Found."),
        labels=Labels(success=False),
    )
    found = only(made)
    assert (found.error_type, found.turn, found.query) == ("invalid_arguments", 1, "Find it")
    assert (found.strategy, found.status) == (RecoveryStrategy.RETRY, RecoveryStatus.LABELLED)
    assert found.incorrect_response == 'search({"deep": 1})'
    assert found.correct_response == 'search({"q": "it"})'
    assert found == only(made), "the same example gives the same recovery"


FIRST = (user(), calls(("search", {"q": "it"})), result(BROKE))


@pytest.mark.parametrize(
    ("after", "strategy"),
    [
        ((calls(("search", {"q": "it"})), result({"hits": 1}), says("Found.")), "retry"),
        (
            (calls(("search", {"q": "x"})), result(BROKE), calls(("search", {"q": "y"})), result({}), says("Ok")),
            "retry",
        ),
        ((calls(("browse", {"q": "it"})), result({"hits": 1}, name="browse"), says("Found.")), "fallback"),
        ((says("Which index do you mean?"),), "clarify"),
        ((says("Sorry, the search is not available."),), "graceful_fail"),
        ((calls(("browse", {"q": "it"})), result({"hits": 0}), says("Sorry, I could not find it.")), "graceful_fail"),
        ((says("It is in the box."),), None),
        ((), None),
        ((user("Hello?"), says("Sorry, it failed.")), None),
    ],
)
def test_what_followed_tells_how_it_was_met(after: tuple[Message, ...], strategy: str | None) -> None:
    found = recoveries_of(talk(*FIRST, *after))[0]
    assert found.error_type == "tool_error"
    assert (found.strategy and found.strategy.value) == strategy
    assert found.status is (RecoveryStatus.LABELLED if strategy else RecoveryStatus.QUEUED)
    assert (found.confidence > 0) == (found.correct_response is not None) == bool(strategy)


@pytest.mark.parametrize("text", ["Sorry, the search is not available.", "Which index do you mean?"])
def test_an_excuse_that_ended_in_failure_is_no_model_to_follow(text: str) -> None:
    failed = talk(*FIRST, says(text), labels=Labels(success=False))
    assert only(failed).status is RecoveryStatus.QUEUED


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        ((user(), calls(("serach", {"q": "it"})), result({"error": "there is no tool serach"})), "unknown_tool"),
        ((user(), calls(("search", {"q": 7}))), "invalid_arguments"),
        (
            (user(), calls(("search", {"q": "a"})), result({"error": "search did not finish within 5 s"})),
            "tool_timeout",
        ),
        ((user(), calls(("search", {"q": "a"})), result("Error: 500")), "tool_error"),
        ((user(), calls(("search", {"q": "a"})), result({"isError": True, "message": "no"})), "tool_error"),
    ],
)
def test_errors_have_their_kind(made: tuple[Message, ...], kind: str) -> None:
    assert only(talk(*made)).error_type == kind


@pytest.mark.parametrize(
    "content", ['{"error": null}', '{"error": ""}', '{"hits": 0}', "[1]", "{not json", "No errors found", '"Error"', ""]
)
def test_what_is_no_error_is_not_taken_for_one(content: str) -> None:
    assert error_in(content) is None


def test_output_that_cannot_be_read_is_found_by_what_looks_like_a_call() -> None:
    said = says('<tool_call>{"name": "search", "arguments": {"q": "it"</tool_call>')
    made = talk(user(), said, error="malformed_output: expected JSON")
    found = only(made)
    assert (found.error_type, found.turn, found.error) == ("malformed_output", 1, "expected JSON")
    assert found.incorrect_response == said.content
    better = talk(user(), said, calls(("search", {"q": "it"})), result({}), error="malformed_output: expected JSON")
    assert only(better).correct_response == 'search({"q": "it"})'


def test_unreadable_arguments_are_one_error_and_not_two() -> None:
    refused = result({"error": "invalid arguments for search: 'q' is a required property"})
    made = talk(user(), calls(("search", {})), refused, says("Hm."), error="malformed_output: arguments of search")
    assert only(made).error_type == "invalid_arguments"


def test_several_errors_have_ids_of_their_own_though_call_ids_come_again() -> None:
    twice = talk(user(), calls(("search", {"q": "a"}), ("search", {"q": "b"})), result(BROKE), result(BROKE, 1),
                 calls(("search", {"q": "c"})), result(BROKE), says("Sorry, it failed."))  # fmt: skip
    found = recoveries_of(twice)
    assert [one.turn for one in found] == [1, 1, 4]
    assert len({one.id for one in found}) == 3
    assert [one.incorrect_response for one in found] == [
        'search({"q": "a"})',
        'search({"q": "b"})',
        'search({"q": "c"})',
    ]


def judged(verdict: Verdict, strategy: RecoveryStrategy, reference: str | None) -> dict[str, Any]:
    recovery = ErrorRecovery(
        query="q", error_type="tool_error", correct_response=reference, incorrect_response=None, strategy=strategy
    )
    return {
        "validations": (Validation(name="recovery", verdict=verdict, confidence=0.8, reason="r"),),
        "recovery": recovery,
        "labels": Labels(success=verdict is Verdict.PASSED),
    }


@pytest.mark.parametrize(
    ("strategy", "reference", "response"),
    [
        (RecoveryStrategy.RETRY, None, 'search({"q": "it"})'),
        (RecoveryStrategy.GRACEFUL_FAIL, "The search is down.", "The search is down."),
        (RecoveryStrategy.CLARIFY, None, None),
        (RecoveryStrategy.FALLBACK, "Found it.", None),
    ],
)
def test_where_it_was_met_wrongly_the_scenario_may_tell(
    strategy: RecoveryStrategy, reference: str | None, response: str | None
) -> None:
    wrong = talk(*FIRST, says("Which one?"), **judged(Verdict.FAILED, strategy, reference))
    found = only(wrong)
    assert found.correct_response == response
    assert found.strategy == (strategy if response else None)
    assert found.confidence == (0.8 if response else 0.0)


def test_where_it_was_met_rightly_the_example_shows_it() -> None:
    right = talk(*FIRST, says("Sorry, it is down."), **judged(Verdict.PASSED, RecoveryStrategy.GRACEFUL_FAIL, None))
    assert only(right).correct_response == "Sorry, it is down."
