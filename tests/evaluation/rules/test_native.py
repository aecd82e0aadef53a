"""Our own rules: expected calls, changed in one respect each, and whether that is still right."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.rules import native
from evaluation.rules.base import VALID
from evaluation.scenarios import Scenario
from tests.evaluation.rules.making import calls, scenario

PARAMETERS = {
    "hotel": "string",
    "city": "string",
    "nights": "integer",
    "price": "number",
    "breakfast": "boolean",
    "tags": ["string"],
    "ratings": ["number"],
    "guest": {"name": "string", "age": "integer"},
    "room": "string",
}
RIGHT: dict[str, Any] = {
    "hotel": "Grand Hotel",
    "city": "Oslo",
    "nights": 3,
    "price": 99.5,
    "breakfast": True,
    "tags": ["sea view", "quiet"],
    "ratings": [4.0, 5.0],
    "guest": {"name": "Ann", "age": 30},
    "room": "double",
}
ACCEPTED = {name: [value] for name, value in RIGHT.items()} | {
    "guest": [{"name": ["Ann"], "age": [30]}],
    "room": ["double", ""],
}
ONE = scenario(PARAMETERS, [ACCEPTED], names=("f", "g"))
TWO = scenario(PARAMETERS, [ACCEPTED, ACCEPTED | {"nights": [5], "city": ["Rome"]}], names=("f", "g"))
FIRST, SECOND = RIGHT, RIGHT | {"nights": 5, "city": "Rome"}
STRICT = TWO.model_copy(update={"expected": TWO.expected.model_copy(update={"order": "strict"})})


def changed(**arguments: Any) -> list[dict[str, Any]]:
    return calls(RIGHT | arguments)


def without(name: str) -> list[dict[str, Any]]:
    return calls({key: value for key, value in RIGHT.items() if key != name})


def renamed(old: str, new: str) -> list[dict[str, Any]]:
    return calls({new if key == old else key: value for key, value in RIGHT.items()})


ONE_CALL: dict[str, tuple[list[dict[str, Any]], str | None]] = {
    "unchanged": (calls(RIGHT), None),
    "other tool": ([{"g": RIGHT}], "tool_selection"),
    "unknown tool": ([{"h": RIGHT}], "tool_selection"),
    "name of the tool in other case": ([{"F": RIGHT}], "tool_selection"),
    "no call": ([], "tool_selection"),
    "the same call twice": (calls(RIGHT, RIGHT), "arguments"),
    "a further call of another tool": ([*calls(RIGHT), {"g": {}}], "tool_selection"),
    "no arguments": (calls({}), "arguments"),
    "arguments in another order": (calls(dict(reversed(RIGHT.items()))), None),
    "required argument left out": (without("nights"), "arguments"),
    "optional argument left out": (without("room"), None),
    "optional argument empty": (changed(room=""), "arguments"),
    "optional argument null": (changed(room=None), "arguments"),
    "optional argument wrong": (changed(room="single"), "arguments"),
    "argument that nobody knows": (changed(floor=2), "arguments"),
    "name of an argument in other case": (renamed("city", "City"), "arguments"),
    "values of two arguments exchanged": (changed(city="Grand Hotel", hotel="Oslo"), "arguments"),
    "another text": (changed(city="Bergen"), "arguments"),
    "text cut off": (changed(city="Osl"), "arguments"),
    "text in other case": (changed(city="OSLO", hotel="grand hotel"), None),
    "spaces around a text": (changed(city="  Oslo "), None),
    "full stop after a text": (changed(city="Oslo."), None),
    "exclamation mark after a text": (changed(city="Oslo!"), "arguments"),
    "line break after a text": (changed(city="Oslo\n"), "arguments"),
    "punctuation in a word": (changed(city="Os-lo"), "arguments"),
    "space in a word": (changed(city="Os lo"), "arguments"),
    "space taken out": (changed(hotel="GrandHotel"), "arguments"),
    "accent": (changed(city="Osló"), "arguments"),
    "empty text": (changed(city=""), "arguments"),
    "null for a text": (changed(city=None), "arguments"),
    "number for a text": (changed(city=5), "arguments"),
    "text in a list": (changed(city=["Oslo"]), "arguments"),
    "another whole number": (changed(nights=4), "arguments"),
    "sign of a number": (changed(nights=-3), "arguments"),
    "whole number as a text": (changed(nights="3"), "arguments"),
    "whole number with a fraction of nothing": (changed(nights=3.0), "arguments"),
    "true for a number": (changed(nights=True), "arguments"),
    "number a little off": (changed(price=99.5000001), "arguments"),
    "number cut off": (changed(price=99), "arguments"),
    "truth as a text": (changed(breakfast="true"), "arguments"),
    "truth as a number": (changed(breakfast=1), "arguments"),
    "truth turned round": (changed(breakfast=False), "arguments"),
    "list turned round": (changed(tags=["quiet", "sea view"]), "arguments"),
    "item of a list left out": (changed(tags=["sea view"]), "arguments"),
    "item of a list twice": (changed(tags=["sea view", "quiet", "quiet"]), "arguments"),
    "empty list": (changed(tags=[]), "arguments"),
    "list as a text": (changed(tags="sea view, quiet"), "arguments"),
    "list as JSON": (changed(tags=json.dumps(RIGHT["tags"])), "arguments"),
    "item of a list in other case": (changed(tags=["Sea View", "quiet"]), None),
    "whole numbers in a list of numbers": (changed(ratings=[4, 5]), None),
    "number in a list changed": (changed(ratings=[4.0, 4.0]), "arguments"),
    "numbers in a list as texts": (changed(ratings=["4.0", "5.0"]), "arguments"),
    "keys of an object in another order": (changed(guest={"age": 30, "name": "Ann"}), None),
    "key of an object left out": (changed(guest={"name": "Ann"}), "arguments"),
    "key of an object too many": (changed(guest={"name": "Ann", "age": 30, "size": 2}), "arguments"),
    "value in an object changed": (changed(guest={"name": "Ann", "age": 31}), "arguments"),
    "number in an object as a text": (changed(guest={"name": "Ann", "age": "30"}), "arguments"),
    "number in an object with a fraction of nothing": (changed(guest={"name": "Ann", "age": 30.0}), "arguments"),
    "object as JSON": (changed(guest=json.dumps(RIGHT["guest"])), "arguments"),
    "empty object": (changed(guest={}), "arguments"),
    "object with no key for the call": ([{}], "format"),
    "arguments that are no object": ([{"f": list(RIGHT.values())}], "format"),
    "call in the OpenAI format": ([{"name": "f", "arguments": RIGHT}], "format"),
}
TWO_CALLS: dict[str, tuple[list[dict[str, Any]], str | None]] = {
    "both": (calls(FIRST, SECOND), None),
    "turned round": (calls(SECOND, FIRST), None),
    "the first one alone": (calls(FIRST), "arguments"),
    "the first one twice": (calls(FIRST, FIRST), "arguments"),
    "a third one": (calls(FIRST, SECOND, FIRST), "arguments"),
    "arguments exchanged between them": (calls(FIRST | {"nights": 5}, SECOND | {"nights": 3}), "arguments"),
    "one of another tool": ([*calls(FIRST), {"g": SECOND}], "tool_selection"),
    "both in one object": ([{"f": FIRST, "g": SECOND}], "format"),
}


@pytest.mark.parametrize("change", ONE_CALL)
def test_one_call_with_one_change(change: str) -> None:
    output, wrong = ONE_CALL[change]
    ruling = native.judge(ONE, output)
    assert ruling.error == wrong
    assert ruling.valid == (wrong is None)


@pytest.mark.parametrize("change", TWO_CALLS)
def test_two_calls_with_one_change(change: str) -> None:
    output, wrong = TWO_CALLS[change]
    assert native.judge(TWO, output).error == wrong


def test_in_a_strict_order_calls_may_not_be_turned_round() -> None:
    assert native.judge(STRICT, calls(FIRST, SECOND)) == VALID
    assert native.judge(STRICT, calls(SECOND, FIRST)).error == "arguments"


@pytest.mark.parametrize("output", ["I booked it.", None, 5, {"f": RIGHT}, [{}], ["f"]])
def test_what_is_no_list_of_calls_is_no_call(output: Any) -> None:
    assert native.judge(ONE, output).error == "format"
    assert native.judge(scenario({}, []), output) == VALID
    assert native.judge(scenario({}, [], any_call=True), output).error == "format"


def test_no_call_and_any_call() -> None:
    assert native.judge(scenario({}, []), [{"f": {}}]).error == "tool_selection"
    assert native.judge(scenario({}, [], any_call=True), [{"unheard_of": {}}]) == VALID
    assert native.judge(scenario({}, [], any_call=True), []).error == "tool_selection"


def test_details_name_parameter_expected_and_found() -> None:
    (found,) = native.judge(ONE, changed(nights=4, room="")).details
    assert found.message == 'f.nights: expected 3, found 4; f.room: expected "double" or nothing, found ""'


@pytest.mark.parametrize("judge_of", [ONE, TWO, STRICT])
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["f", "city"]), inner, max_size=2),
        max_leaves=10,
    )
)
@settings(deadline=None)
def test_whatever_the_output_is_there_is_a_verdict(judge_of: Scenario, output: Any) -> None:
    assert native.judge(judge_of, output).valid is False


def layers(make: Callable[[Any], Any], count: int) -> Any:
    value: Any = 1
    for _ in range(count):
        value = make(value)
    return value


@pytest.mark.parametrize("make", [lambda inner: [inner], lambda inner: {"name": inner}], ids=["lists", "objects"])
def test_a_value_in_very_many_layers_is_another_value(make: Callable[[Any], Any]) -> None:
    assert native.judge(ONE, changed(guest=layers(make, 100_000))).error == "arguments"
