"""Values fit their schema, whatever the schema is, and are said so that they can be read back."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import hypothesis
import jsonschema
import pytest
from hypothesis import strategies as st

from evaluation.generate.patterns import text_for
from evaluation.generate.saying import date_in_words, said, says_all
from evaluation.generate.values import Hint, NoValue, draw
from evaluation.generate.vocabulary import draw as draw_topic
from evaluation.generate.vocabulary import examples_in, topic_of, topics

CHECK = jsonschema.Draft202012Validator.FORMAT_CHECKER


def fits(schema: dict[str, Any], value: Any) -> bool:
    return bool(jsonschema.Draft202012Validator(schema, format_checker=CHECK).is_valid(value))


def draws(schema: dict[str, Any], name: str = "value", count: int = 40, edge: bool = False) -> list[Any]:
    return [
        draw(schema, Hint(name, "", schema.get("description", "")), Random(at), edge=edge).value for at in range(count)
    ]


NUMBERS = st.fixed_dictionaries(
    {"type": st.sampled_from(["integer", "number"])},
    optional={
        "minimum": st.integers(-1000, 1000),
        "exclusiveMinimum": st.integers(-1000, 1000),
        "multipleOf": st.sampled_from([1, 2, 5, 0.5, 25]),
        "description": st.text(max_size=40),
    },
)
TEXTS = st.fixed_dictionaries(
    {"type": st.just("string")},
    optional={"minLength": st.integers(0, 40), "maxLength": st.integers(40, 80), "description": st.text(max_size=60)},
)
LEAVES = st.one_of(
    NUMBERS,
    TEXTS,
    st.just({"type": "boolean"}),
    st.just({"type": ["string", "null"]}),
    st.just({}),
    st.fixed_dictionaries({"enum": st.lists(st.one_of(st.integers(), st.text(min_size=1), st.none()), min_size=1)}),
    st.fixed_dictionaries({"const": st.one_of(st.integers(), st.text(), st.booleans())}),
    st.sampled_from(["date", "date-time", "time", "email", "uri", "uuid", "ipv4", "ipv6", "hostname", "duration"]).map(
        lambda form: {"type": "string", "format": form}
    ),
)
NAMES = st.sampled_from(["name", "city", "user_id", "date", "x", "größe", "max_results", "items"])


def an_array(items: Any, least: int, extra: int, unique: bool) -> dict[str, Any]:
    out = {"type": "array", "items": items, "minItems": least, "maxItems": least + extra}
    return out | ({"uniqueItems": True} if unique and least < 2 else {})


def an_object(fields: dict[str, Any], closed: bool) -> dict[str, Any]:
    out = {"type": "object", "properties": fields, "required": sorted(fields)[:2]}
    return out | ({"additionalProperties": False} if closed else {})


SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(an_array, inner, st.integers(0, 3), st.integers(0, 3), st.booleans()),
        st.builds(an_object, st.dictionaries(NAMES, inner, max_size=4), st.booleans()),
        st.builds(lambda several: {"anyOf": several}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda one: {"oneOf": [one, {"type": "null"}]}, inner),
    ),
    max_leaves=8,
)


@hypothesis.settings(max_examples=200)
@hypothesis.given(SCHEMAS, st.integers(0, 1000), st.booleans())
def test_every_value_fits_its_schema(schema: dict[str, Any], seed: int, edge: bool) -> None:
    try:
        found = draw(schema, Hint("value"), Random(seed), edge=edge).value
    except NoValue:
        return
    assert fits(schema, found)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "minimum": 0, "maximum": 10, "multipleOf": 2.5},
        {"type": "integer", "minimum": 3, "maximum": 3},
        {"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 3},
        {"type": "number", "minimum": -2.5, "maximum": -1.5, "multipleOf": 0.5},
        {"type": "integer", "multipleOf": 15, "minimum": 100},
        {"type": "string", "minLength": 30, "maxLength": 31},
        {"type": "string", "maxLength": 2},
        {"type": "string", "pattern": "^[A-Z]{2}-\\d{4}(a|bc)?$"},
        {"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": True, "minItems": 3},
        {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
        {"type": "object", "minProperties": 2, "additionalProperties": {"type": "integer"}},
        {"allOf": [{"type": "string"}, {"minLength": 3}]},
        {"type": "string", "format": "uuid"},
        {"type": ["null", "integer"]},
        {"const": None},
        {"type": "string", "not": {"const": "Oslo"}},
    ],
)
def test_nothing_is_given_up_that_can_be_drawn(schema: dict[str, Any]) -> None:
    assert all(fits(schema, value) for value in draws(schema))
    assert all(fits(schema, value) for value in draws(schema, edge=True))


def test_what_cannot_be_drawn_is_said() -> None:
    for schema in (
        {"type": "integer", "minimum": 5, "maximum": 4},
        {"not": {}},
        {"type": "string", "pattern": "(?=a)b"},
    ):
        with pytest.raises(NoValue, match="value"):
            draws(schema, count=1)
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(60):
        deep = {"type": "object", "properties": {"a": deep}, "required": ["a"]}
    with pytest.raises(NoValue, match="layers"):
        draws(deep, count=1)


def test_edges_are_drawn_on_purpose() -> None:
    found = {
        draw({"type": "integer", "minimum": -3, "maximum": 8}, Hint("x"), Random(at), edge=True) for at in range(40)
    }
    assert {one.edge for one in found} == {"minimum", "maximum", "zero"}
    assert -7 in draws({"type": "number"}, "offset", edge=True)
    assert -7 not in draws({"type": "number"}, "guests", edge=True)
    texts = draws({"type": "string"}, "message", edge=True)
    assert any(not text.isascii() for text in texts)
    assert any('"' in text for text in texts)


def test_values_are_what_the_parameter_is_called_and_described_as() -> None:
    assert topic_of("destination_city") == "city"
    assert topic_of("name", "add_pet") == "pet"
    assert topic_of("where", "", "The email address of the customer") == "email"
    assert all(1990 <= value <= 2026 for value in draws({"type": "integer"}, "year"))
    assert set(examples_in("The team, e.g. 'Ajax', 'Real Madrid'. Not 'City, Country'.")) == {"Ajax", "Real Madrid"}
    assert examples_in("In the format 'YYYY-MM-DD', such as '2024-05-01'") == ("2024-05-01",)
    dates = draws({"type": "string", "description": "The day, as MM/DD/YYYY."}, "day")
    assert all(re.fullmatch(r"\d\d/\d\d/\d{4}", date) for date in dates)
    assert all(draw_topic(topic, Random(1)) for topic in topics())


@hypothesis.given(st.from_regex(r"\A[a-c]{1,3}(x|\d+)?\Z"), st.integers(0, 50))
def test_patterns_give_texts_that_they_match(example: str, seed: int) -> None:
    for pattern in (re.escape(example), f"^{re.escape(example)}[^a-z]$", r"^\w+@\w{2,}\.(com|org)$", r"[\d\s]{3}\W"):
        text = text_for(pattern, Random(seed))
        assert text is not None
        assert re.search(pattern, text)


def test_no_text_is_made_of_what_is_no_pattern() -> None:
    assert text_for("(", Random(1)) is None
    assert text_for("a{3}(?<!a)", Random(1)) is None


@hypothesis.given(SCHEMAS, st.integers(0, 100))
def test_every_value_stands_in_its_words(schema: dict[str, Any], seed: int) -> None:
    try:
        value = draw(schema, Hint("value"), Random(seed)).value
    except NoValue:
        return
    text = said(value, "value", schema, Random(seed))
    assert says_all(text, {"value": value}) == []


def test_a_value_that_is_not_said_is_found() -> None:
    assert says_all("Book it for 3 on March 5, 2025", {"guests": 3, "day": "2025-03-05"}) == []
    assert says_all("Book it", {"guests": 3, "who": {"name": "Anna"}}) == ["3", "Anna"]
    assert says_all("It is 12,000 in all", {"amount": 12000, "sure": True}) == []
    assert date_in_words("2025-02-30") == ""


def test_texts_are_marked_where_they_could_run_on() -> None:
    assert said("call me back when you can", "x", {}, Random(1)) == '"call me back when you can"'
    assert said('say "hi"', "x", {}, Random(1)) == "'say \"hi\"'"
    assert said("Oslo", "city", {}, Random(1)) == "Oslo"
    assert said(["a, b", "c"], "x", {}, Random(1)) == '"a, b" and "c"'
