from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.agents.parsing import Extracted, Move, choice, extracted, json_object, lines, move, some_text, yes_or_no
from evaluation.agents.similarity import similarity

NUMBERS = {"get_rate": 1, "get_rates": 2, "known": 0, "nothing": -1}
SCHEMAS = [{}, *({"type": kind} for kind in ("integer", "number", "boolean", "array", "object")), {"enum": ["a", 2]}]
TEXTS = st.text() | st.text(alphabet='{}[]",:\\-01eE \nAction Observation: Thought Answer yes no {"a": 1}')
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(TEXTS)
def test_no_text_raises_and_what_is_read_can_be_written(text: str) -> None:
    some_text(text), yes_or_no(text), lines(text)
    assert choice(text, NUMBERS) in {*NUMBERS.values(), None}
    for schema in SCHEMAS:
        extracted(text, schema)
    found, decided = json_object(text), move(text)
    json.dumps([found, decided.arguments if decided else None], allow_nan=False)


@settings(max_examples=50)
@given(st.dictionaries(st.text(), JSON, max_size=4), st.sampled_from(["", "Here: ", "```json\n"]))
def test_an_object_is_read_whatever_stands_around_it(value: dict, before: str) -> None:
    text = json.dumps(value)
    assert json_object(f"{before}{text}\n``` as asked {{1}}") == value


@settings(max_examples=50)
@given(st.dictionaries(st.text(), JSON, min_size=1, max_size=4))
def test_braces_that_are_missing_are_put_there(value: dict) -> None:
    text = json.dumps(value)
    assert json_object(text[1:-1]) == value
    assert json_object(text.rstrip("}]")) == value or not text.endswith("}")


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "{]", '{"a": NaN}', '{"a": 1e999}', "{" * 50_000, '{"a": 1, }'])
def test_what_is_no_object_is_none_and_read_in_no_time(text: str) -> None:
    assert json_object(text) in (None, {})


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2", 2),
        ("-1", -1),
        ("Tool 1, I think; not 2.", 1),
        ("get_rates", 2),
        ("I take get_rate.", 1),
        ("99", None),
        ("get_rate or get_rates", None),
        ("1.5", None),
        ("9" * 5000, None),
        ("", None),
        ("v2", None),
    ],
)
def test_a_number_or_the_only_name_is_chosen(text: str, number: int | None) -> None:
    assert choice(text, NUMBERS) == number


@pytest.mark.parametrize(
    ("text", "value"),
    [("Yes.", True), ("no", False), ("yes, or no", None), ("yesterday", None), ("I know", None), ("", None)],
)
def test_yes_and_no_are_words(text: str, value: bool | None) -> None:
    assert yes_or_no(text) is value


def test_questions_stand_one_a_line() -> None:
    said = "Questions:\n```\n1. Who, what, and where?\n2) Why?\n- Who,  what, and where?\n(3) When?\n\n* x\n```"
    assert lines(said) == ("Who, what, and where?", "Why?", "When?")
    assert lines("4 apples cost what?") == ("4 apples cost what?",)
    assert lines("\n- \n") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('Thought: so\nAction: f {"a": 1}', Move("so", "f", {"a": 1})),
        ('Thought 2: so\nAction 2: f[{"a": [1]}]', Move("so", "f", {"a": [1]})),
        ('Action: f({"a": 1})\nObservation: 3\nAnswer: 3', Move("", "f", {"a": 1})),
        ('Action: f\nAction Input: {"a": 1}', Move("", "f", {"a": 1})),
        ("Action: f[]", Move("", "f", {})),
        ("Action: f", Move("", "f", {})),
        ("Thought: well\nover two lines\nFinal Answer: 3, 4", Move("well\nover two lines", answer="3, 4")),
        ('Answer: no\nAction: f {"a": 1}', Move("", answer='no\nAction: f {"a": 1}')),
        ("Action: f pen", None),
        ("Answer:", None),
        ("Observation: 3\nAnswer: 3", None),
        ("The answer is 3.", None),
    ],
)
def test_a_step_decides_for_a_call_or_an_answer(text: str, found: Move | None) -> None:
    assert move(text) == found


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("'Oslo'", {"type": "string"}, "Oslo"),
        ("7", {}, "7"),
        ("1,234 pens", {"type": "integer"}, 1234),
        ("007", {"type": "integer"}, 7),
        ("-3.50", {"type": "number"}, -3.5),
        ("4", {"type": "number"}, 4),
        ("True", {"type": "boolean"}, True),
        ("no", {"type": "boolean"}, False),
        ("[1, 2]", {"type": "array"}, [1, 2]),
        ("POUND", {"type": "string", "enum": ["pound", "mile"]}, "pound"),
    ],
)
def test_a_value_is_read_as_its_schema_has_it(text: str, schema: dict, value: object) -> None:
    found = extracted(text, schema)
    assert found == Extracted(value, given=True)
    assert type(found.value) is type(value)


@pytest.mark.parametrize("text", ["none", "None.", "", "unknown"])
def test_a_value_may_be_said_to_be_missing(text: str) -> None:
    assert extracted(text, {"type": "integer"}) == Extracted(None, given=False)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("2 or 3", "integer"), ("2.5", "integer"), ("some", "number"), ("yes and no", "boolean"), ("[1", "array")],
)
def test_a_value_of_another_type_cannot_be_read(text: str, kind: str) -> None:
    assert extracted(text, {"type": kind}) is None


@given(st.text(), st.text())
def test_likeness_is_a_symmetric_share(one: str, other: str) -> None:
    assert similarity(one, one) == 1.0
    assert 0 <= similarity(one, other) <= 1
    assert similarity(one, other) == pytest.approx(similarity(other, one))


def test_a_restated_question_is_alike_and_another_is_not() -> None:
    asked = "How many people live in the capital of Norway?"
    assert similarity(asked, " how many  People live in the capital of norway?") == 1
    assert 0.9 < similarity(asked, asked + "!") < 1
    assert similarity(asked, "What is the capital of Norway?") < 0.8
    assert similarity(asked, "Xylophone") < 0.1
