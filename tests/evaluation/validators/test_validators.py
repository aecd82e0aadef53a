from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.oracle import oracle
from evaluation.records import FailureKind, RecoveryStrategy, Verdict
from evaluation.scenarios import Expected, ExpectedAnswer, ExpectedArgument, ExpectedCall, Fault, Kind, ScriptedUser
from evaluation.validators import exact_calls, is_unjudged, judge, protocol_clean, task_success, tool_accuracy, validate
from evaluation.validators.calls import shown
from evaluation.validators.recovery import admits, asks
from evaluation.validators.stated import says
from tests.evaluation.attempts import (
    BY_ID,
    TEXT,
    TOOLS,
    call,
    calling,
    failed,
    follow,
    run,
    saying,
    scenario,
    tool,
    verdicts,
    want,
)

PEN, CUP = call("stock", item="pen"), call("stock", item="cup")
SORRY, DONE = saying("Sorry, that failed."), saying("Done.")


def reason(one, episode, name):
    return next(v.reason for v in validate(one, episode) if v.name == name)


def test_reasons_name_parameter_expected_and_found() -> None:
    one = BY_ID["one_call"]
    episode = follow(one, calling(call("order", item="cup", count=3)), DONE)
    assert reason(one, episode, "arguments") == "order.count: expected 2, found 3"
    assert reason(one, follow(one, calling(call("order", item="cup")), DONE), "arguments") == (
        "order.count: expected 2, found nothing"
    )
    more = follow(one, calling(call("order", item="cup", count=2, why="x")), DONE)
    assert reason(one, more, "arguments") == 'order.why: expected no such argument, found "x"'
    assert reason(one, follow(one, calling(PEN), DONE), "tool_selection") == "expected order, found stock"


def test_optional_arguments_may_be_left_out_but_not_be_wrong() -> None:
    arguments = {
        "item": ExpectedArgument(any_of=("pen", "pens")),
        "near": ExpectedArgument(any_of=(2.5,), optional=True),
    }
    one = scenario(Kind.ONE_CALL, Expected(calls=(ExpectedCall(name="stock", arguments=arguments),)))
    assert not failed(one, follow(one, calling(PEN), DONE))
    assert not failed(one, follow(one, calling(call("stock", item="pen", near=2.5)), DONE))
    assert failed(one, follow(one, calling(call("stock", item="pen", near=1.0)), DONE)) == {"arguments"}


def test_order_counts_unless_it_does_not() -> None:
    chain = BY_ID["chain"]
    turned = follow(chain, calling(call("order", item="pen", count=1234)), calling(PEN), saying("1,234"))
    assert failed(chain, turned) == {"arguments"}
    both = BY_ID["imported"]
    assert not failed(both, follow(both, calling(CUP, PEN)))
    assert failed(both, follow(both, calling(CUP, CUP))) == {"arguments"}
    assert failed(both, follow(both, calling(PEN, CUP, PEN))) == {"arguments"}


@given(st.permutations(["a", "b", "c"]))
def test_any_order_finds_the_pairing_that_fits(items) -> None:
    """Greedy pairing would give `a` away to the call that accepts everything."""

    def one_of(*values: str) -> ExpectedCall:
        return ExpectedCall(name="note", arguments={"item": ExpectedArgument(any_of=values)})

    expected = Expected(calls=(one_of("a", "b", "c"), one_of("a", "b"), one_of("a")), order="any")
    one = scenario(Kind.IMPORTED, expected, tools=(tool("note", item=TEXT),), stop="calls")
    assert not failed(one, follow(one, calling(*(call("note", id=i, item=i) for i in items))))


def test_a_loose_match_lowers_the_confidence() -> None:
    one = scenario(
        Kind.ONE_CALL, Expected(calls=(want("note", item="New York"),)), tools=(tool("note", item=TEXT),), stop="calls"
    )
    found = {v.name: v for v in validate(one, follow(one, calling(call("note", item="new york"))))}
    assert found["arguments"].verdict == Verdict.PASSED
    assert found["arguments"].confidence < found["tool_selection"].confidence == 1


@pytest.mark.parametrize(
    ("text", "part", "said"),
    [
        ("There are 1,234 left", "1234", True),
        ("There are 1234 left", "1,234", True),
        ("There are 1\u202f234 left", "1234", True),
        ("12345 left", "1234", False),
        ("It is 5.3", "5", False),
        ("It is 3.5", "5", False),
        ("It is 5.", "5", True),
        ("It is 5, then 6", "5", True),
        ("21°C", "21 °c", True),
        ("new   YORK", "New York", True),
        ("at 10:30", "10:30", True),
        ("at 10:305", "10:30", False),
        ("unavailable now", "unavail", True),
        ("order A-17 is on its way", "a-17", True),
        ("order A-170", "A-17", False),
        ("anything", "", True),
    ],
)
def test_what_an_answer_says(text, part, said) -> None:
    assert says(text, part) is said


@given(st.text(), st.text(max_size=5), st.text(max_size=5))
def test_an_answer_says_each_text_that_stands_in_it_alone(part, before, after) -> None:
    assert says(f"{before} \n {part} \n {after}", part)


def test_retry_needs_the_same_call_a_working_one_and_an_answer() -> None:
    one = BY_ID["tool_error"]
    assert not failed(one, follow(one, calling(PEN), calling(PEN), calling(PEN), DONE))
    assert "recovery" in failed(one, follow(one, calling(PEN), calling(PEN), DONE)), "it still failed"
    assert "recovery" in failed(one, follow(one, calling(PEN), calling(CUP), calling(CUP), DONE))
    assert "recovery" in failed(one, follow(one, calling(PEN), calling(PEN), calling(PEN), saying(" ")))
    assert {"recovery", "answer", "protocol"} <= failed(one, follow(one, *[calling(PEN)] * 6))


def test_graceful_fail_needs_no_repetition_and_an_admission() -> None:
    one = BY_ID["graceful"]
    assert not failed(one, follow(one, calling(PEN), SORRY))
    assert failed(one, follow(one, calling(PEN), saying("There are 7 pens."))) == {"recovery"}
    assert "recovery" in failed(one, follow(one, calling(PEN), calling(PEN), SORRY))
    assert "recovery" in failed(one, follow(one, SORRY)), "nothing had failed yet"


def test_in_a_dialogue_the_admission_may_come_before_the_last_answer() -> None:
    user = ScriptedUser(then=("Thanks anyway.",))
    one = BY_ID["graceful"].model_copy(update={"user": user})
    assert not failed(one, follow(one, calling(PEN), SORRY, saying("Goodbye.")))
    assert failed(one, follow(one, calling(PEN), saying("There are 7."), saying("Goodbye."))) == {"recovery"}


def test_fallback_goes_on_another_way() -> None:
    one = scenario(
        Kind.TOOL_ERROR,
        Expected(
            calls=(want("stock", item="pen"), want("order", item="cup", count=1)), recovery=RecoveryStrategy.FALLBACK
        ),
        faults={"stock": Fault(kind="malformed")},
    )
    assert not failed(one, run(one, oracle(one)))
    assert "recovery" in failed(one, follow(one, calling(PEN), calling(PEN), DONE))


def test_a_missing_argument_asks_for_a_question_and_no_call() -> None:
    one = BY_ID["missing_argument"]
    assert not failed(one, follow(one, saying("Which item?")))
    assert failed(one, follow(one, saying("Done."))) == {"recovery"}
    assert {"recovery", "tool_selection"} <= failed(one, follow(one, calling(PEN), saying("Which item?")))


@pytest.mark.parametrize("text", ["Which one?", "Please tell me the city", "I need the date.", "Sure. Which city"])
def test_questions(text) -> None:
    assert asks(text)


@pytest.mark.parametrize("text", ["Done.", "I see what you mean.", "It is sunny where you are."])
def test_statements_are_no_questions_and_admit_nothing(text) -> None:
    assert not asks(text)
    assert not admits(text)


@pytest.mark.parametrize("text", ["Sorry!", "I couldn't do it", "I can’t", "It is not available", "The tool failed"])
def test_admissions(text) -> None:
    assert admits(text)


def test_protocol_sees_unknown_tools_and_broken_schemas_even_where_nothing_ran() -> None:
    one = BY_ID["imported"]
    assert "protocol" in failed(one, follow(one, calling(PEN, call("nope"))))
    assert "protocol" in failed(one, follow(one, calling(PEN, call("stock", item=5))))
    assert protocol_clean(validate(one, follow(one, calling(PEN, CUP)))) is True


def test_a_model_that_never_answers_is_right_about_nothing() -> None:
    one = BY_ID["no_tool"]
    assert failed(one, follow(one)) == {"tool_selection", "answer", "protocol"}


def test_what_does_not_apply_is_said_to_be_so() -> None:
    found = verdicts(BY_ID["no_tool"], follow(BY_ID["no_tool"], saying("Hello")))
    silent = {name for name, v in found.items() if v == Verdict.NOT_APPLICABLE}
    assert silent == {"arguments", "recovery", "world", "policy", "limits", "stop"}


def test_a_validator_that_raises_has_no_say_and_is_recorded() -> None:
    def broken(*_):
        raise ZeroDivisionError("by zero")

    one = BY_ID["near_twin"]
    right = follow(one, calling(PEN), DONE)
    judged = judge(one, right, {"tool_selection": broken})
    assert is_unjudged(judged.validations[0])
    assert "ZeroDivisionError: by zero" in judged.validations[0].reason
    assert [f.kind for f in judged.episode.failures] == [FailureKind.SCORER_ERROR]
    assert tool_accuracy(judged.validations) is None
    assert task_success(judged.validations) is None
    assert judge(one, right).episode is right


def test_nothing_judged_is_never_success() -> None:
    assert task_success(()) is exact_calls(()) is tool_accuracy(()) is protocol_clean(()) is None


def test_the_answer_may_be_asked_for_one_of_several_texts() -> None:
    one = scenario(Kind.NO_TOOL, Expected(answer=ExpectedAnswer(contains=("7",), any_of=("am", "pm"))))
    assert not failed(one, follow(one, saying("7 PM")))
    assert failed(one, follow(one, saying("7 o'clock"))) == {"answer"}
    assert failed(one, follow(one, saying("pm"))) == {"answer"}


def test_where_any_call_will_do_one_has_to_be_made() -> None:
    one = scenario(Kind.IMPORTED, Expected(any_call=True), stop="calls")
    assert not failed(one, follow(one, calling(call("stock", item="whatever"))))
    assert failed(one, follow(one, saying("I can look that up."))) == {"tool_selection"}
    assert verdicts(one, run(one, oracle(one)))["arguments"] == Verdict.NOT_APPLICABLE


def test_what_the_tool_itself_asks_for_counts_whatever_the_scenario_says() -> None:
    left_out = scenario(Kind.ONE_CALL, Expected(calls=(want("order", item="cup"),)), stop="calls")
    found = {v.name: v for v in validate(left_out, follow(left_out, calling(call("order", item="cup"))))}
    assert found["arguments"].verdict == Verdict.FAILED
    assert found["arguments"].reason == "order.count: expected a value, as the tool requires, found nothing"
    unknown = scenario(Kind.ONE_CALL, Expected(calls=(want("stock", item="cup", shelf=3),)), stop="calls")
    found = {v.name: v for v in validate(unknown, follow(unknown, calling(call("stock", item="cup", shelf=3))))}
    assert found["arguments"].reason == "stock.shelf: expected none that the tool does not have, found 3"
    schema = TOOLS[0].parameters | {"additionalProperties": True}
    free = unknown.model_copy(update={"tools": (TOOLS[0].model_copy(update={"parameters": schema}),)})
    assert not failed(free, follow(free, calling(call("stock", item="cup", shelf=3))))


def test_a_reason_quotes_no_value_at_length() -> None:
    one = scenario(Kind.ONE_CALL, Expected(calls=(want("stock", item="cup"),)), stop="calls")
    found = {v.name: v for v in validate(one, follow(one, calling(call("stock", item="x" * 10_000))))}
    assert len(found["arguments"].reason) < 300
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert shown(deep) == "a value in too many layers"
