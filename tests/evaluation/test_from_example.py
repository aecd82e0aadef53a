from __future__ import annotations

from typing import Any

import pytest

from evaluation.from_example import PinError, scenario_of_example
from evaluation.records import (
    ErrorRecovery,
    Example,
    Feedback,
    Labels,
    Message,
    Metrics,
    Provenance,
    RecoveryStrategy,
    Source,
    ToolCall,
    ToolSpec,
)
from evaluation.scenarios import Expected, ExpectedAnswer
from tests.evaluation.attempts import call, calling, failed, follow, saying, verdicts, want
from tests.evaluation.ledger.making import START

CITY = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}
TAGS = {"type": "object", "properties": {"tags": {"type": "array"}}, "required": ["tags"]}
TOOLS = tuple(
    ToolSpec(name=name, description=f"{name} it", parameters=schema)
    for name, schema in (("forecast", CITY), ("climate", CITY), ("tag", TAGS))
)
EARLIER = (Message(role="user", content="Hi"), saying("Hello!"))
ASKED = Message(role="user", content="How warm is it in Oslo?")


def said(*calls: ToolCall, result: str = '{"degrees": 7}', answer: str = "It is mild.") -> tuple[Message, ...]:
    results = (Message(role="tool", content=result, tool_call_id=one.id, name=one.name) for one in calls)
    return (*((calling(*calls), *results) if calls else ()), saying(answer))


def production(*after: Message, success: bool | None = False, correct: str | None = None) -> Example:
    recovery = None
    if correct is not None:
        recovery = ErrorRecovery(query=ASKED.content, error_type="tool_error", correct_response=correct,
                                 incorrect_response=None, strategy=RecoveryStrategy.RETRY)  # fmt: skip
    return Example(
        id="e1",
        task_key="planner",
        query=ASKED.content,
        user_hash="secret-user",
        conversation="secret-talk",
        timestamp=START,
        messages=(*EARLIER, ASKED, *after),
        tools=TOOLS,
        response=after[-1].content if after else "",
        tools_used=(),
        labels=Labels(success=success),
        metrics=Metrics(latency_ms=1, tokens_in=1, tokens_out=1, cost=0, model_calls=1),
        provenance=Provenance(source=Source.PRODUCTION),
        recovery=recovery,
    )


def feedback(**fields: Any) -> Feedback:
    return Feedback(id="f1", example_id="e1", rating=1, rater="secret-rater", timestamp=START, **fields)


WRONG = production(*said(call("climate", city="Oslo")))


def test_a_person_s_word_makes_a_scenario_of_the_calls() -> None:
    made = scenario_of_example(WRONG, expected=Expected(calls=(want("forecast", city="Oslo"),)))
    assert made.messages == (*EARLIER, ASKED)
    assert (made.stop, made.part, made.tags, made.task_key) == ("calls", "held_out", ("regression",), "planner")
    assert all(tool.function is None for tool in made.tools)
    assert not failed(made, follow(made, calling(call("forecast", city="Oslo"))))
    assert "arguments" in failed(made, follow(made, calling(call("forecast", city="Bergen"))))
    assert "secret" not in made.model_dump_json()


def test_recorded_results_answer_where_the_expected_calls_have_them() -> None:
    expected = Expected(calls=(want("forecast", city="Oslo"),), answer=ExpectedAnswer(contains=("7",)))
    made = scenario_of_example(production(*said(call("forecast", city="Oslo"))), expected=expected)
    assert made.stop == "answer"
    right = follow(made, calling(call("forecast", city="Oslo")), saying("It is 7 degrees."))
    assert '"degrees": 7' in right.messages[-2].content
    assert not failed(made, right)
    assert failed(made, follow(made, calling(call("forecast", city="Oslo")), saying("It is mild."))) == {"answer"}
    with pytest.raises(PinError, match="recorded results of the calls that the answer needs, found none of forecast"):
        scenario_of_example(WRONG, expected=expected)


def test_a_suggested_tool_is_expected_whatever_its_arguments() -> None:
    made = scenario_of_example(WRONG, [feedback(suggested_tools=("forecast",))])
    for arguments in ({"city": "Oslo"}, {"city": "New\nYork", "days": 3}):
        assert not failed(made, follow(made, calling(call("forecast", **arguments))))
    assert "arguments" in failed(made, follow(made, calling(call("forecast", days=3))))
    assert "tool_selection" in failed(made, follow(made, calling(call("climate", city="Oslo"))))
    with pytest.raises(PinError, match=r'expect-call .\{"name": "tag"'):
        scenario_of_example(WRONG, [feedback(suggested_tools=("tag",))])
    with pytest.raises(PinError, match=r"was offered \(forecast, climate, tag\), found 'ask'"):
        scenario_of_example(WRONG, [feedback(suggested_tools=("ask",))])


def test_a_suggested_response_has_to_state_its_figures() -> None:
    example = production(*said(call("forecast", city="Oslo")))
    made = scenario_of_example(example, [feedback(suggested_response="Between 7 and 12.5 degrees on 2024-05-01.")])
    assert made.expected.answer is not None
    assert made.expected.answer.contains == ("7", "12.5", "2024-05-01")
    assert [one.name for one in made.expected.calls] == ["forecast"]
    short = scenario_of_example(production(*said()), [feedback(suggested_response="Ask the office.")])
    assert verdicts(short, follow(short, saying("Please ask the office.")))["answer"] == "passed"
    assert failed(short, follow(short, saying("I do not know."))) == {"answer"}
    with pytest.raises(PinError, match="--expect-answer WORDS"):
        scenario_of_example(example, [feedback(suggested_response="Tell them kindly that nobody can know such things")])
    with pytest.raises(PinError, match="selection is rated 1"):
        scenario_of_example(example, [feedback(suggested_response="7 degrees", tool_selection=1)])


def test_the_latest_suggestion_counts_and_a_person_s_word_more() -> None:
    later = feedback(suggested_tools=("forecast",)).model_copy(update={"id": "f2"})
    given = [later, feedback(suggested_tools=("climate",)), feedback().model_copy(update={"id": "f3"})]
    assert scenario_of_example(WRONG, given).expected.calls[0].name == "forecast"
    word = Expected(calls=(want("climate", city="Rome"),))
    assert scenario_of_example(WRONG, given, expected=word).expected == word


def test_a_corrected_response_is_read_as_it_is_written() -> None:
    made = scenario_of_example(production(correct='forecast({"city": "Oslo"}); climate({"city": "Oslo"})'))
    assert [one.name for one in made.expected.calls] == ["forecast", "climate"]
    assert made.stop == "calls"
    answer = scenario_of_example(production(correct="It is 7 degrees."))
    assert answer.expected.answer is not None
    assert answer.expected.answer.contains == ("7",)
    kept = scenario_of_example(production(*said(call("forecast", city="Oslo")), success=True))
    assert kept.expected.calls[0].arguments["city"].any_of == ("Oslo",)
    assert kept.stop == "answer"


def test_where_nothing_tells_what_is_right_it_says_how_to() -> None:
    for example, given in ((WRONG, []), (WRONG, [feedback(comment="no!")]), (production(), [])):
        with pytest.raises(PinError, match="found none; say it with --expect-call JSON"):
            scenario_of_example(example, given)
    silent = WRONG.model_copy(update={"messages": (saying("Hello"),)})
    with pytest.raises(PinError, match="expected a user's message"):
        scenario_of_example(silent, expected=Expected())
    with pytest.raises(PinError, match=r"makes no scenario: .*unknown tool 'fly'"):
        scenario_of_example(WRONG, expected=Expected(calls=(want("fly"),)))


def test_the_id_tells_the_example_and_what_is_expected() -> None:
    one, other = (Expected(calls=(want("forecast", city=city),)) for city in ("Oslo", "Bergen"))
    first = scenario_of_example(WRONG, expected=one)
    assert scenario_of_example(WRONG, expected=one) == first
    second = scenario_of_example(WRONG, expected=other)
    assert first.id != second.id
    assert first.group == second.group
