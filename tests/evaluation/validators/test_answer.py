from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.scenarios import Expected, ExpectedAnswer, Kind
from evaluation.validators import is_unjudged, validate
from evaluation.validators.patterns import MOST_SECONDS, matches_whole, occurs, pattern_mistake
from evaluation.validators.schemas import schema_mistakes, unusable
from evaluation.validators.stated import json_in, numbers_in, same_words
from tests.evaluation.attempts import follow, saying, scenario

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def found(text: str, **wanted):
    one = scenario(Kind.NO_TOOL, Expected(answer=ExpectedAnswer.model_validate(wanted)))
    return next(v for v in validate(one, follow(one, saying(text))) if v.name == "answer")


@pytest.mark.parametrize(("text", "wanted"), [
    ("The Nile.", {"excludes": ["Rhine"]}),
    ("It flows north.", {"regex": "FLOWS (north|south)"}),
    ("the  nile!", {"equals": ["A Nile", "Rhine"]}),
    ("It is 3.5 km", {"equals": ["it is 3.5 km."]}),
    ("about 1,234.5 km", {"number": {"value": 1234.5}}),
    ("Minus: −5", {"number": {"value": -5}}),
    ("1.3 of A17 at 10:30", {"number": {"value": 1.2, "tolerance": 0.1}}),
    ('{"n": 5}', {"json_schema": SCHEMA}),
    ('Here:\n```json\n{"n": 5}\n```\nand\n```\n{"m": 5}\n```', {"json_schema": SCHEMA}),
])  # fmt: skip
def test_an_answer_as_it_should_be(text, wanted) -> None:
    assert found(text, **wanted).verdict == "passed", found(text, **wanted)


@pytest.mark.parametrize(("text", "wanted", "reason"), [
    ("The Rhine.", {"excludes": ["rhine"]}, "expected no 'rhine' in the answer, found 'The Rhine.'"),
    ("It flows.", {"regex": "flows north"}, "expected a text like /flows north/, found 'It flows.'"),
    ("The White Nile", {"equals": ["Nile", "Rhine"]}, "expected just 'Nile' or 'Rhine', found "),
    ("-5", {"equals": ["5"]}, "expected just '5', found "),
    ("35", {"equals": ["3.5"]}, "expected just '3.5', found "),
    ("It is 15.", {"number": {"value": 5}}, "expected the number 5, where 15 is stated, found "),
    ("I do not know", {"number": {"value": 5, "tolerance": 1}}, "expected the number 5 ± 1, where none is stated"),
    ("order A5 of 2024-05-05 at 5:05", {"number": {"value": 5}}, "expected the number 5, where 2024 is stated, found "),
    ("n is 5", {"json_schema": SCHEMA}, "expected JSON, alone or in a code fence, found 'n is 5'"),
    ('{"n": NaN}', {"json_schema": SCHEMA}, "expected JSON, alone or in a code fence, found "),
    ('{"n": "5"}', {"json_schema": SCHEMA}, "expected JSON that fits the schema (not so: n: '5' is not of type"),
    ("no", {"contains": ["5"], "regex": "y"}, "expected '5' in the answer; a text like /y/, found 'no'"),
])  # fmt: skip
def test_an_answer_that_is_wrong_is_told_why(text, wanted, reason) -> None:
    assert found(text, **wanted).verdict == "failed"
    assert found(text, **wanted).reason.startswith(reason)


def test_a_number_among_others_and_words_are_less_sure() -> None:
    assert found("5", number={"value": 5}).confidence > found("5 of 6", number={"value": 5}).confidence
    assert found("Nile", equals=["nile"]).confidence == 1
    assert found("Nile", equals=["nile"], any_of=["nile"]).confidence == 0.8


@given(st.floats(-1e9, 1e9).map(lambda value: round(value, 4)))
def test_a_number_is_stated_as_it_is_written(value) -> None:
    assert numbers_in(f"so: {value:.4f}, then") == [value]
    assert numbers_in(f"so {value:,.4f}.") == [value]


@given(st.text())
def test_texts_of_any_kind_are_read(text) -> None:
    assert same_words(same_words(text)) == same_words(text)
    assert all(isinstance(number, float) for number in numbers_in(text))
    json_in(text)


def test_a_pattern_without_end_has_no_say() -> None:
    verdict = found("a" * 60 + "b", regex="^(a|aa)+$")
    assert is_unjudged(verdict)
    assert f"took more than {MOST_SECONDS:g} s on a text of 61 characters" in verdict.reason
    assert matches_whole("a.c", "abc")
    assert not matches_whole("a.c", "abcd")
    assert occurs("B", "abc", ignore_case=True)
    assert pattern_mistake("(") == "missing ) at position 1"
    assert pattern_mistake("a+") is None


@pytest.mark.parametrize(("schema", "said"), [
    ({"type": "dict"}, "expected a JSON Schema, found: 'dict' is not valid"),
    ({"$ref": "https://example.com/a"}, "expected a reference within the schema (#/$defs/…), found 'https:"),
    ({"properties": {"a": {"$ref": "#/$defs/b"}}}, "expected a reference to something that is there, found "),
    ({"$ref": "#"}, "expected references that come to an end, found that '#' leads back to itself"),
    ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}, "expected references that come to an end"),
    ({"pattern": "("}, "expected a JSON Schema, found: '(' is not a 'regex'"),
])  # fmt: skip
def test_a_schema_that_cannot_be_used_is_told_why(schema, said) -> None:
    assert unusable(schema)[0].startswith(said)


def test_a_schema_may_describe_a_tree_and_its_patterns_come_to_an_end() -> None:
    tree = {"properties": {"next": {"$ref": "#"}, "id": {"type": "string", "pattern": "^(a|aa)+$"}}}
    assert unusable(tree) == []
    assert schema_mistakes(tree, {"next": {"id": "b"}}) == ["next.id: 'b' does not match '^(a|aa)+$'"]
    with pytest.raises(TimeoutError):
        schema_mistakes(tree, {"id": "a" * 60 + "b"})
