"""The leaderboard's rules, one small case each, and a fuzz: whatever an output is, it gets a verdict."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.rules import bfcl
from evaluation.rules.base import VALID, calls_of
from evaluation.scenarios import Expected, ExpectedArgument, ExpectedCall, Scenario
from tests.evaluation.rules.making import calls, scenario

SIMPLE, PARALLEL = "simple_function_checker", "parallel_function_checker_no_order"
GUEST = {"name": ["Ann", "Anna"], "age": [30], "note": ["", "vip"]}


def error(one: Scenario, output: Any) -> str | None:
    ruling = bfcl.judge(one, output)
    assert ruling.valid == (ruling.error is None) == (ruling.details == ())
    return ruling.error


def value_error(kind: Any, accepted: list[Any], found: Any) -> str | None:
    return error(scenario({"x": kind}, [{"x": accepted}]), calls({"x": found}))


@pytest.mark.parametrize(
    ("kind", "accepted", "found", "wrong"),
    [
        ("integer", [5], 5, None),
        ("integer", [5], 5.0, "type_error:simple"),
        ("integer", [1], True, "type_error:simple"),
        ("integer", [5], "5", "type_error:simple"),
        ("integer", [5], None, "type_error:simple"),
        ("integer", [5], 6, "value_error:others"),
        ("integer", ["dontcare", ""], "dontcare", None),
        ("integer", ["dontcare", ""], "Dontcare", "value_error:others"),
        ("integer", ["dontcare", ""], 3, "value_error:others"),
        ("integer", [5.0], 5, None),
        ("number", [5.0], 5, None),
        ("number", [5], 5.0, None),
        ("number", [0.1], 0.1 + 1e-12, "value_error:others"),
        ("number", [5.0], True, "type_error:simple"),
        ("number", [5.0], 10**400, "type_error:simple"),
        ("boolean", [True], True, None),
        ("boolean", [True], 1, "type_error:simple"),
        ("boolean", [True], "True", "type_error:simple"),
        ("boolean", [True], False, "value_error:others"),
        ("string", ["New York, NY"], " new-york_ny. ", None),
        ("string", ["Let's"], 'LET"S', None),
        ("string", ["Oslo"], "Oslo!", "value_error:string"),
        ("string", ["Oslo"], "Oslo\n", "value_error:string"),
        ("string", ["Oslo"], "Osló", "value_error:string"),
        ("string", ["Oslo", ""], "", None),
        ("string", [""], "-", None),
        ("string", ["Oslo"], "", "value_error:string"),
        ("string", ["Oslo"], None, "type_error:simple"),
        ("string", ["", None], None, None),
        ("string", ["", None], "Oslo", "value_error:others"),
        ("string", ["", "Oslo", None], None, "type_error:simple"),
        ("string", [5], 5, None),
        ("string", [5], 5.0, "type_error:simple"),
        ("any", ["Say hi"], "say hi", None),
        ("any", [5], 5, None),
        ("any", [5], 5.0, "type_error:simple"),
        (["integer"], [[1, 2]], [1, 2], None),
        (["integer"], [[1, 2]], [2, 1], "value_error:list/tuple"),
        (["integer"], [[1, 2]], [1, 2.0], "type_error:nested"),
        (["integer"], [[1, 2]], [], "value_error:list/tuple"),
        (["integer"], [[1, 2]], "[1, 2]", "type_error:simple"),
        (["integer"], [[1, 2]], 1, "type_error:simple"),
        (["integer"], [[1, 2], ""], [1.0, 2], None),
        (["integer"], [[1, 2], ""], [], None),
        (["integer"], [], [], "type_error:simple"),
        (["number"], [[1.0]], [1], "type_error:nested"),
        (["number"], [[1]], [1], None),
        (["number"], [[1, 2.5]], [1, 2.5], None),
        (["number"], [[2.5, 1]], [2.5, 1], "type_error:nested"),
        (["number"], [[1.0], [2]], [2], None),
        (["string"], [["New York"]], ["newyork"], None),
        (["string"], [["New York"]], ["New York!"], "value_error:list/tuple"),
        (["string"], ["all"], "all", None),
        (["string"], ["all"], "All", "value_error:others"),
        ([["string"]], [[["a"]]], [["A"]], "value_error:list/tuple"),
        ({"type": "array"}, [[1, "a"]], [1, "A"], None),
        ({}, [GUEST], {"age": 30, "name": "ANN"}, None),
        ({}, [GUEST], {"name": "Anna", "age": 30.0, "note": "VIP"}, None),
        ({}, [GUEST], {"name": "Anna", "age": 30, "size": 1}, "value_error:dict_key"),
        ({}, [GUEST], {"name": "Ann"}, "value_error:dict_key"),
        ({}, [GUEST], {"name": "Bob"}, "value_error:dict_key"),
        ({}, [GUEST], {"name": "Bob", "age": 30}, "value_error:dict_value"),
        ({}, [GUEST], {"name": "Ann", "age": "30"}, "value_error:dict_value"),
        ({}, [GUEST], [], "type_error:simple"),
        ({}, [GUEST], '{"age": 30}', "type_error:simple"),
        ({}, [GUEST, {"age": [5]}], {"age": 5}, None),
        ({}, [GUEST, {"age": [5]}], {"age": 30, "name": "Ann"}, None),
        ({}, [GUEST, {"age": [5]}], {"age": 6}, "value_error:dict_value"),
        ({}, ["", {}], {}, None),
        ({}, [""], {}, "dict_checker:unclear"),
        ({}, [{"cards": [["Ace"]]}], {"cards": ["ace"]}, "value_error:dict_value"),
        ({}, [{"city": "Oslo"}], {"city": "oslo"}, None),
        ([{}], [[GUEST, {"age": [5]}]], [{"name": "ann", "age": 30}, {"age": 5}], None),
        ([{}], [[GUEST, {"age": [5]}]], [{"age": 5}, {"name": "Ann", "age": 30}], "value_error:dict_key"),
        ([{}], [[GUEST]], [{"name": "Bob", "age": 30}], "value_error:dict_value"),
        ([{}], [[GUEST]], [], "value_error:list_dict_count"),
        ([{}], [[GUEST], []], [], None),
        ([{}], [[GUEST], ""], [{"name": "Bob", "age": 30}], "value_error:list_dict_count"),
        ([{}], [[GUEST], ""], [], None),
        ([{}], [[GUEST], ""], ["Ann"], "value_error:list_dict_count"),
        ([{}], ["", [GUEST]], ["Ann"], "type_error:nested"),
    ],
)  # fmt: skip
def test_values(kind: Any, accepted: list[Any], found: Any, wrong: str | None) -> None:
    assert value_error(kind, accepted, found) == wrong


TRIP = scenario(
    {"from": "string", "to": "string", "class": "string"}, [{"from": ["Oslo"], "to": ["Rome"], "class": [""]}]
)
FULL = {"from": "Oslo", "to": "Rome"}


@pytest.mark.parametrize(
    ("output", "wrong"),
    [
        (calls(FULL), None),
        (calls({"to": "rome", "from": "oslo"}), None),
        (calls(FULL, FULL), f"{SIMPLE}:wrong_count"),
        ([], f"{SIMPLE}:wrong_count"),
        ([{"F": FULL}], f"{SIMPLE}:wrong_func_name"),
        (calls({"from": "Oslo"}), f"{SIMPLE}:missing_required"),
        (calls({"FROM": "Oslo", "to": "Rome"}), f"{SIMPLE}:missing_required"),
        (calls({**FULL, "via": "Bern"}), f"{SIMPLE}:unexpected_param"),
        (calls({"via": "Bern", "from": 5, "to": 5}), f"{SIMPLE}:unexpected_param"),
        (calls({"from": 5, "to": "Rome", "via": "Bern"}), "type_error:simple"),
        ([{}], "ast_decoder:decoder_wrong_output_format"),
        ([{"f": FULL, "g": FULL}], "ast_decoder:decoder_wrong_output_format"),
        ([{"f": FULL}, "f"], "ast_decoder:decoder_wrong_output_format"),
        ([{"f": "Oslo"}], "ast_decoder:decoder_wrong_output_format"),
        ({"f": FULL}, "ast_decoder:decoder_wrong_output_format"),
        ("f(from='Oslo')", "ast_decoder:decoder_wrong_output_format"),
        (None, "ast_decoder:decoder_wrong_output_format"),
    ],
)  # fmt: skip
def test_one_call(output: Any, wrong: str | None) -> None:
    assert error(TRIP, output) == wrong


def test_an_argument_that_is_not_required_needs_an_empty_text_to_be_left_out() -> None:
    one = scenario({"from": "string", "to": "string"}, [{"from": ["Oslo"], "to": ["Rome"]}], required=["from"])
    assert error(one, calls({"from": "Oslo"})) == f"{SIMPLE}:missing_optional"
    # Among the schema's, but not among the expected ones; and the other way round.
    one = scenario({"from": "string", "to": "string"}, [{"from": ["Oslo"]}], required=["from"])
    assert error(one, calls({"from": "Oslo", "to": "Rome"})) == f"{SIMPLE}:unexpected_param"
    one = scenario({"from": "string"}, [{"from": ["Oslo"], "to": ["Rome", ""]}])
    assert error(one, calls(FULL)) == f"{SIMPLE}:unexpected_param"
    assert error(one, calls({"from": "Oslo"})) is None


def test_a_required_argument_has_to_be_there_even_if_an_empty_text_is_acceptable() -> None:
    one = scenario({"from": "string"}, [{"from": ["Oslo", ""]}], required=["from"])
    assert error(one, calls({})) == f"{SIMPLE}:missing_required"
    assert error(one, calls({"from": ""})) is None


def test_with_several_tools_the_count_has_another_name() -> None:
    one = scenario({"from": "string"}, [{"from": ["Oslo"]}], names=("f", "g"))
    assert error(one, []) == "multiple_function_checker:wrong_count"
    assert error(one, [{"g": {"from": "Oslo"}}]) == f"{SIMPLE}:wrong_func_name"
    alone = scenario({"from": "string"}, [{"from": ["Oslo"]}]).model_copy(update={"tags": ("bfcl", "live_multiple")})
    assert error(alone, []) == "multiple_function_checker:wrong_count"


TWO = scenario({"city": "string"}, [{"city": ["Oslo", "Rome"]}, {"city": ["Oslo"]}])


@pytest.mark.parametrize(
    ("output", "wrong"),
    [
        (calls({"city": "Rome"}, {"city": "Oslo"}), []),
        (calls({"city": "Oslo"}, {"city": "Oslo"}), []),
        (calls({"city": "Oslo"}, {"city": "Rome"}), ["value_error:string"]),
        (calls({"city": "Bern"}, {"city": 5}), ["value_error:string", "type_error:simple"]),
        ([{"g": {"city": "Oslo"}}, *calls({"city": "Rome"})], [f"{SIMPLE}:wrong_func_name"]),
    ],
)
def test_each_expected_call_in_turn_takes_the_first_that_fits(output: Any, wrong: list[str]) -> None:
    ruling = bfcl.judge(TWO, output)
    assert ruling.error == (f"{PARALLEL}:cannot_find_match" if wrong else None)
    assert [one.error for one in ruling.details[1:]] == wrong


def test_the_number_of_parallel_calls_counts_first() -> None:
    assert error(TWO, calls({"city": "Rome"})) == f"{PARALLEL}:wrong_count"
    assert error(TWO, [{}]) == "ast_decoder:decoder_wrong_output_format"
    one = scenario({"city": "string"}, [{"city": ["Oslo"]}], order="any")
    assert error(one, []) == f"{PARALLEL}:wrong_count"


@pytest.mark.parametrize("output", [[], [{}], None, "I cannot.", {"f": {}}, [{"f": {}, "g": {}}], [{"f": 5}], [[]]])
def test_what_is_no_list_of_calls_is_no_call(output: Any) -> None:
    assert error(scenario({}, []), output) is None
    assert error(scenario({}, [], any_call=True), output) == "relevance_error:decoder_failed"


@pytest.mark.parametrize("output", [[{"f": {}}], [{"unheard_of": {"x": 5}}], [{"f": {}}, {"f": {}}]])
def test_any_call_is_a_call(output: Any) -> None:
    assert error(scenario({}, []), output) == "irrelevance_error:decoder_success"
    assert error(scenario({}, [], any_call=True), output) is None


def test_details_name_the_call_the_parameter_and_both_values() -> None:
    (found,) = bfcl.judge(TRIP, calls({"from": "Oslo", "to": "Bern"})).details
    assert (found.call, found.parameter, found.message) == (0, "to", 'expected "Rome", found "Bern"')
    (first, second) = bfcl.judge(TWO, calls({"city": "Rome"}, {"city": "x" * 10_000})).details
    assert (first.call, second.call, second.parameter) == (None, 1, "city")
    assert len(second.message) < 300


def test_a_scenario_in_the_plain_notation_is_judged_too() -> None:
    plain = ExpectedCall(
        name="f",
        arguments={
            "guest": ExpectedArgument(any_of=({"name": "Ann", "age": 30},)),
            "all": ExpectedArgument(any_of=([{"age": 30}], [1])),
            "unit": ExpectedArgument(any_of=("cm",), optional=True),
        },
    )
    one = scenario({"guest": {}, "all": [{}], "unit": "string"}, [], required=["guest"])
    one = one.model_copy(update={"expected": Expected(calls=(plain,))})
    right = {"guest": {"age": 30, "name": "ANN"}, "all": [{"age": 30}]}
    assert error(one, calls(right)) is None
    assert error(one, calls({**right, "unit": "CM"})) is None
    assert error(one, calls({**right, "unit": ""})) is None
    assert error(one, calls({**right, "guest": {"age": 30}})) == "value_error:dict_key"
    assert error(one, calls({**right, "guest": {"age": 31, "name": "Ann"}})) == "value_error:dict_value"
    chain = one.model_copy(update={"expected": Expected(calls=(plain, plain.model_copy(update={"name": "g"})))})
    assert error(chain, calls(right)) == f"{PARALLEL}:wrong_count"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "Oslo", "f", "x", "age", "name"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["f", "x", "age"]), inner, max_size=3),
    max_leaves=10,
)
KINDS = ["string", "integer", "number", "boolean", "any", "null", ["string"], ["number"], [{}], {}, {"type": "array"}]


@given(st.sampled_from(KINDS), st.lists(VALUES, max_size=3), VALUES)
@settings(max_examples=500, deadline=None)
def test_whatever_the_values_are_there_is_a_verdict(kind: Any, accepted: list[Any], found: Any) -> None:
    one = scenario({"x": kind}, [{"x": accepted}])
    assert error(one, calls({"x": found})) != ""
    assert (error(one, found) == "ast_decoder:decoder_wrong_output_format") == (calls_of(found) is None)


@given(st.sampled_from(KINDS), VALUES.filter(lambda value: value != ""))
def test_an_acceptable_value_of_a_text_passes(kind: Any, value: Any) -> None:
    if isinstance(value, str):
        assert value_error(kind, [value], value) is None


def test_there_is_one_valid_ruling() -> None:
    assert bfcl.judge(TRIP, calls(FULL)) == VALID
