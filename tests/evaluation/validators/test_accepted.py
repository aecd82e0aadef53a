from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.scenarios import ExpectedArgument, ExpectedCall
from evaluation.validators.accepted import argument_likeness, first_accepted, options
from evaluation.validators.values import DIFFERENT, EXACT, LOOSE

TEXT = {"type": "string"}
GUEST = {"type": "object", "properties": {"name": TEXT, "age": {"type": "integer"}}, "required": ["age"]}
ANY_GUEST = {"name": ["Ann", "Anna", ""], "age": [30, 31]}


def call(*any_of: Any, notation: str = "bfcl", optional: bool = False) -> ExpectedCall:
    argument = ExpectedArgument(any_of=any_of, optional=optional)
    return ExpectedCall.model_validate({"name": "book", "arguments": {"it": argument}, "notation": notation})


@pytest.mark.parametrize(
    ("found", "sure"),
    [
        ({"name": "Anna", "age": 31}, EXACT),
        ({"age": 31, "name": "Ann"}, EXACT),
        ({"age": 30}, EXACT),
        ({"name": "anna", "age": 31}, LOOSE),
        ({"name": "Annie", "age": 31}, DIFFERENT),
        ({"name": "", "age": 31}, DIFFERENT),
        ({"name": "Ann"}, DIFFERENT),
        ({"name": "Ann", "age": 30.0}, DIFFERENT),
        ({"name": "Ann", "age": "30"}, DIFFERENT),
        ({"name": "Ann", "age": 30, "size": 2}, DIFFERENT),
        ({"name": ["Ann", "Anna", ""], "age": [30, 31]}, DIFFERENT),
        ([{"age": 30}], DIFFERENT),
        ({}, DIFFERENT),
    ],
)
def test_an_object_has_acceptable_values_for_each_key(found: Any, sure: float) -> None:
    assert argument_likeness(call(ANY_GUEST), "it", found, GUEST) == sure
    in_list = call([ANY_GUEST, {"age": [5]}])
    assert argument_likeness(in_list, "it", [found, {"age": 5}], {"type": "array", "items": GUEST}) == sure
    assert argument_likeness(in_list, "it", [{"age": 5}, found], {"type": "array", "items": GUEST}) == DIFFERENT
    assert argument_likeness(in_list, "it", [found], {"type": "array", "items": GUEST}) == DIFFERENT


def test_in_the_plain_notation_an_object_is_a_value() -> None:
    one = call({"name": ["Ann", ""]}, notation="plain")
    assert argument_likeness(one, "it", {"name": ["Ann", ""]}) == EXACT
    assert argument_likeness(one, "it", {"name": "Ann"}) == DIFFERENT
    assert argument_likeness(call("", "x", notation="plain", optional=True), "it", "", TEXT) == EXACT


def test_what_is_deeper_in_an_object_are_values() -> None:
    one = call({"cards": [["7", "8"]], "who": [{"name": ["Ann"]}]})
    assert argument_likeness(one, "it", {"cards": ["7", "8"], "who": {"name": ["Ann"]}}) == EXACT
    assert argument_likeness(one, "it", {"cards": ["7", "8"], "who": {"name": "Ann"}}) == DIFFERENT


def test_an_empty_text_is_no_value_of_what_may_be_left_out() -> None:
    optional = call("", "double", optional=True)
    assert argument_likeness(optional, "it", "", TEXT) == DIFFERENT
    assert argument_likeness(optional, "it", "", TEXT | {"default": ""}) == EXACT
    assert argument_likeness(optional, "it", "double", TEXT | {"default": ""}) == EXACT
    assert argument_likeness(call("", ["a"], optional=True), "it", [], {"type": "array", "default": []}) == EXACT
    assert argument_likeness(call("", ["a"], optional=True), "it", [], {"type": "array"}) == DIFFERENT
    assert argument_likeness(call("", 0, optional=True), "it", False, {"default": False}) == DIFFERENT


def test_an_empty_text_is_a_value_of_what_has_to_be_there() -> None:
    assert argument_likeness(call("", "double"), "it", "", TEXT) == EXACT
    required = GUEST | {"required": ["name"]}
    assert argument_likeness(call(ANY_GUEST), "it", {"name": "", "age": 30}, required) == EXACT


def test_the_first_acceptable_values_leave_out_what_may_be_left_out() -> None:
    values: dict[str, tuple[bool, tuple[Any, ...]]] = {
        "city": (False, ("Oslo", "Rome")),
        "type": (True, ("", "double")),
        "guest": (False, (ANY_GUEST,)),
        "guests": (False, ([ANY_GUEST, {"age": [5]}], [])),
        "note": (False, ("", "x")),
        "unknown": (False, ()),
    }
    arguments = {name: ExpectedArgument(any_of=given, optional=may) for name, (may, given) in values.items()}
    one = ExpectedCall(name="book", arguments=arguments, notation="bfcl")
    first = first_accepted(one)
    assert first == {"city": "Oslo", "guest": {"age": 30}, "guests": [{"age": 30}, {"age": 5}], "note": ""}
    for name, value in first.items():
        assert argument_likeness(one, name, value) == EXACT
    plain = ExpectedCall(name="book", arguments={"guest": ExpectedArgument(any_of=(ANY_GUEST,))})
    assert first_accepted(plain) == {"guest": ANY_GUEST}


def test_a_value_without_a_list_stands_alone() -> None:
    assert (options("Oslo"), options(["Oslo"])) == (["Oslo"], ["Oslo"])
    assert argument_likeness(call({"city": "Oslo"}), "it", {"city": "Oslo"}) == EXACT


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
)
ARGUMENTS = st.builds(
    ExpectedArgument,
    any_of=st.lists(VALUES, max_size=3).map(tuple),
    regex=st.sampled_from([None, "a*", "[0-9]+"]),
    tolerance=st.sampled_from([0.0, 0.5, 1e300]),
    compare=st.sampled_from(["like", "exact", "set"]),
)


@given(ARGUMENTS, VALUES)
def test_whatever_a_model_gives_is_compared_and_what_is_expected_is_acceptable(argument, found) -> None:
    call = ExpectedCall(name="f", arguments={"x": argument})
    assert argument_likeness(call, "x", found) in (DIFFERENT, LOOSE, EXACT)
    for value in argument.any_of:
        sound = argument.compare != "set" or isinstance(value, list)
        if sound and value == value and "nan" not in repr(value):
            assert argument_likeness(call, "x", value) == EXACT
