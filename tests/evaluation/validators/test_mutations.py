"""The rules for calls, tested by changing right calls: each named change has the verdict that it must have.

Two halves: over the built-in suite, where a change is made to whatever call a scenario has; and over made calls, one
for each way in which an argument can be compared.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from evaluation.oracle import script
from evaluation.records import Message, ToolCall
from evaluation.rules import native
from evaluation.scenarios import Expected, ExpectedArgument, ExpectedCall, Kind, Part, ToolDef
from evaluation.suite import load
from evaluation.validators import exact_calls, validate
from tests.evaluation.attempts import BY_ID, follow, saying, scenario

Arguments = dict[str, Any]
Mutation = Callable[[list[ToolCall]], list[ToolCall] | None]
"""Changes the right calls; None where the change does not suit them."""


def of_value(kind: type, change: Callable[[Any], Any]) -> Mutation:
    """Change the first argument whose value is of the kind."""

    def mutated(calls: list[ToolCall]) -> list[ToolCall] | None:
        for at, one in enumerate(calls):
            for name, value in one.arguments.items():
                if type(value) is kind:
                    return swapped(calls, at, one.arguments | {name: change(value)})
        return None

    return mutated


def of_arguments(change: Callable[[Arguments], Arguments | None]) -> Mutation:
    """Change the arguments of the first call that has any."""

    def mutated(calls: list[ToolCall]) -> list[ToolCall] | None:
        at = next((at for at, one in enumerate(calls) if one.arguments), None)
        changed = None if at is None else change(dict(calls[at].arguments))
        return None if at is None or changed is None else swapped(calls, at, changed)

    return mutated


def swapped(calls: list[ToolCall], at: int, arguments: Arguments) -> list[ToolCall]:
    return [*calls[:at], calls[at].model_copy(update={"arguments": arguments}), *calls[at + 1 :]]


def without_first(arguments: Arguments) -> Arguments:
    return dict(list(arguments.items())[1:])


def merged(calls: list[ToolCall]) -> list[ToolCall] | None:
    if len(calls) < 2:
        return None
    return [calls[0].model_copy(update={"arguments": calls[1].arguments | calls[0].arguments}), *calls[2:]]


def renamed(calls: list[ToolCall]) -> list[ToolCall] | None:
    return [calls[0].model_copy(update={"name": calls[0].name + "s"}), *calls[1:]]


def turned(calls: list[ToolCall]) -> list[ToolCall] | None:
    differ = len(calls) > 1 and (calls[0].name, calls[0].arguments) != (calls[1].name, calls[1].arguments)
    return [calls[1], calls[0], *calls[2:]] if differ else None


def other_key(arguments: Arguments) -> Arguments:
    (first, value), *rest = arguments.items()
    return {first.upper() + "_": value, **dict(rest)}


def two_values_exchanged(arguments: Arguments) -> Arguments | None:
    names = list(arguments)
    for one, other in itertools.pairwise(names):
        if str(arguments[one]).lower() != str(arguments[other]).lower():
            return arguments | {one: arguments[other], other: arguments[one]}
    return None


SAME, WRONG = True, False

MUTATIONS: dict[str, tuple[Mutation, bool]] = {
    "nothing": (lambda calls: calls, SAME),
    "arguments in another order": (of_arguments(lambda a: dict(reversed(a.items()))), SAME),
    "another case": (of_value(str, str.upper), SAME),
    "spaces around a text": (of_value(str, lambda v: f" {v} "), SAME),
    "a full stop behind a text": (of_value(str, lambda v: v + "."), SAME),
    "another tool": (renamed, WRONG),
    "a call dropped": (lambda calls: calls[1:], WRONG),
    "a call too many": (lambda calls: [*calls, ToolCall(id="more", name="other", arguments={})], WRONG),
    "a call twice": (lambda calls: [*calls, calls[-1].model_copy(update={"id": "again"})], WRONG),
    "calls merged": (merged, WRONG),
    "calls turned": (turned, WRONG),
    "an argument dropped": (of_arguments(without_first), WRONG),
    "an argument that nobody knows": (of_arguments(lambda a: a | {"no_such_argument": 1}), WRONG),
    "an argument under another name": (of_arguments(other_key), WRONG),
    "two values exchanged": (of_arguments(two_values_exchanged), WRONG),
    "all arguments in one": (of_arguments(lambda a: {"arguments": a}), WRONG),
    "null for a value": (of_arguments(lambda a: a | {next(iter(a)): None}), WRONG),
    "an empty text for a value": (of_value(str, lambda v: ""), WRONG),
    "a text cut short": (of_value(str, lambda v: v[:-1]), WRONG),
    "a word too many": (of_value(str, lambda v: v + " please"), WRONG),
    "a text in a list": (of_value(str, lambda v: [v]), WRONG),
    "an exclamation mark": (of_value(str, lambda v: v + "!"), WRONG),
    "a line break in a text": (of_value(str, lambda v: v + "\n" + v), WRONG),
    "a whole number as text": (of_value(int, str), WRONG),
    "a whole number as a decimal": (of_value(int, float), WRONG),
    "one more": (of_value(int, lambda v: v + 1), WRONG),
    "the sign turned": (of_value(int, lambda v: -v - (v == 0)), WRONG),
}


@functools.cache
def suite() -> list[tuple[Any, list[ToolCall]]]:
    """Return scenarios of the built-in suite, of each intent one, each with its right calls."""
    groups: dict[str, list[Any]] = {}
    for one in load("tools", counts=dict.fromkeys(Part, 120)).scenarios:
        groups.setdefault(one.group.partition("#")[0], []).append(one)
    some = [group[0] for group in groups.values() if group[0].expected.calls and not group[0].faults]
    return [(one, [call for turn in script(one) for call in turn.tool_calls]) for one in some]


def right(one: Any, calls: list[ToolCall]) -> bool | None:
    """Judge the calls as if each had been made in a turn of its own, and had worked."""
    recorded = one.model_copy(update={
        "max_turns": 20, "faults": {},
        "tools": tuple(tool.model_copy(update={"function": None}) for tool in one.tools),
    })  # fmt: skip
    turns = [Message(role="assistant", tool_calls=(call,)) for call in calls]
    return exact_calls(validate(one, follow(recorded, *turns, saying("Done."))))


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_change_to_calls_of_the_built_in_suite_has_its_verdict(name: str) -> None:
    mutation, verdict = MUTATIONS[name]
    judged = [(one.id, right(one, changed)) for one, calls in suite() if (changed := mutation(calls)) is not None]
    assert judged, "the suite has calls that the change suits"
    assert [found for found in judged if found[1] is not verdict] == []


OBJECT = {"type": "object", "properties": {"city": {"type": "string"}, "floor": {"type": "integer"}}}
PARAMETERS = {
    "text": {"type": "string"},
    "count": {"type": "integer"},
    "size": {"type": "number"},
    "loud": {"type": "boolean"},
    "tags": {"type": "array", "items": {"type": "string"}},
    "sizes": {"type": "array", "items": {"type": "number"}},
    "place": OBJECT,
    "places": {"type": "array", "items": OBJECT},
}
TOOL = ToolDef(name="make", description="Makes.", parameters={"type": "object", "properties": PARAMETERS})
PLACE = {"city": "Oslo", "floor": 3}


def fits(name: str, given: Any, **wanted: Any) -> tuple[str, Any, dict[str, Any], bool]:
    return name, given, wanted, SAME


def fails(name: str, given: Any, **wanted: Any) -> tuple[str, Any, dict[str, Any], bool]:
    return name, given, wanted, WRONG


def code(given: Any) -> tuple[str, Any, dict[str, Any]]:
    return "text", given, {"regex": "[A-Z]{2}[0-9]{4}"}


NOTHING = object()

MADE = {
    "a text as it is": fits("text", "New York, NY", any_of=["New York, NY"]),
    "a text in another case": fits("text", "new york NY", any_of=["New York, NY"]),
    "a text without its space": fails("text", "NewYork", any_of=["New York"]),
    "one of several": fits("text", "NYC", any_of=["New York", "NYC"]),
    "none of several": fails("text", "York", any_of=["New York", "NYC"]),
    "a sign lost": fails("text", "5", any_of=["-5"]),
    "a path's slash lost": fails("text", "home/a.txt", any_of=["/home/a.txt"]),
    "to the character": fits("text", "New York", any_of=["New York"], compare="exact"),
    "to the character: case": fails("text", "new york", any_of=["New York"], compare="exact"),
    "to the character: a space behind": fails("text", "New York ", any_of=["New York"], compare="exact"),
    "to the character: a full stop": fails("text", "New York.", any_of=["New York"], compare="exact"),
    "to the character, in an object": fails("place", PLACE | {"city": "oslo"}, any_of=[PLACE], compare="exact"),
    "a pattern met": (*code("AB1234"), SAME),
    "a pattern nearly met": (*code("AB123"), WRONG),
    "a pattern met in the middle only": (*code("xAB1234"), WRONG),
    "a pattern met and more": (*code("AB1234\n"), WRONG),
    "a pattern's case": (*code("ab1234"), WRONG),
    "a number where a pattern is": (*code(1234), WRONG),
    "a value beside a pattern": fits("text", "none", any_of=["none"], regex="[0-9]+"),
    "a pattern beside a value": fits("text", "12", any_of=["none"], regex="[0-9]+"),
    "a whole number": fits("count", 5, any_of=[5]),
    "5.0 for a whole number": fails("count", 5.0, any_of=[5]),
    "5.0 for a number": fits("size", 5.0, any_of=[5]),
    "5 for 5.0": fits("size", 5, any_of=[5.0]),
    "text for a number": fails("size", "5", any_of=[5]),
    "true for 1": fails("count", True, any_of=[1]),
    "off without a tolerance": fails("size", 2.5 + 1e-9, any_of=[2.5]),
    "off within the tolerance": fits("size", 2.75, any_of=[2.5], tolerance=0.25),
    "off by just the tolerance, as it is written": fits("size", 1.3, any_of=[1.2], tolerance=0.1),
    "off by more than the tolerance": fails("size", 2.76, any_of=[2.5], tolerance=0.25),
    "a decimal within the tolerance of a whole number": fails("count", 5.5, any_of=[5], tolerance=1),
    "text within the tolerance": fails("size", "2.5", any_of=[2.5], tolerance=1),
    "a tolerance inside a list": fits("sizes", [1.05, 2], any_of=[[1, 2]], tolerance=0.1),
    "a list item beyond the tolerance": fails("sizes", [1.05, 2.2], any_of=[[1, 2]], tolerance=0.1),
    "NaN within any tolerance": fails("size", float("nan"), any_of=[2.5], tolerance=1e300),
    "infinity within any tolerance": fails("size", float("inf"), any_of=[2.5], tolerance=1e300),
    "a number of 400 digits": fails("count", 10**400, any_of=[2.5], tolerance=1),
    "a list in its order": fits("tags", ["a", "b"], any_of=[["a", "b"]]),
    "a list in another order": fails("tags", ["b", "a"], any_of=[["a", "b"]]),
    "a list with an item dropped": fails("tags", ["a"], any_of=[["a", "b"]]),
    "a list with an item twice": fails("tags", ["a", "b", "b"], any_of=[["a", "b"]]),
    "a list as text": fails("tags", "a, b", any_of=[["a", "b"]]),
    "an empty list": fails("tags", [], any_of=[["a", "b"]]),
    "a set in another order": fits("tags", ["b", "A"], any_of=[["a", "b"]], compare="set"),
    "a set with an item dropped": fails("tags", ["b"], any_of=[["a", "b"]], compare="set"),
    "a set with an item in place of another": fails("tags", ["b", "b"], any_of=[["a", "b"]], compare="set"),
    "a set with an item twice that has to be": fits("tags", ["a", "b", "a"], any_of=[["a", "a", "b"]], compare="set"),
    "a set with another item twice": fails("tags", ["a", "b", "b"], any_of=[["a", "a", "b"]], compare="set"),
    "a set as text": fails("tags", "ab", any_of=[["a", "b"]], compare="set"),
    "a set of objects": fits("places", [{"city": "Rome"}, PLACE], any_of=[[PLACE, {"city": "Rome"}]], compare="set"),
    "a set within the tolerance": fits("sizes", [2.1, 1], any_of=[[1, 2]], compare="set", tolerance=0.1),
    "a set beyond the tolerance": fails("sizes", [2.2, 1], any_of=[[1, 2]], compare="set", tolerance=0.1),
    "an object": fits("place", dict(reversed(PLACE.items())), any_of=[PLACE]),
    "an object with a key dropped": fails("place", {"city": "Oslo"}, any_of=[PLACE]),
    "an object with a key more": fails("place", PLACE | {"street": "x"}, any_of=[PLACE]),
    "an object with a number as text": fails("place", PLACE | {"floor": "3"}, any_of=[PLACE]),
    "an object with a decimal": fails("place", PLACE | {"floor": 3.0}, any_of=[PLACE]),
    "an object as text": fails("place", '{"city": "Oslo", "floor": 3}', any_of=[PLACE]),
    "a boolean": fits("loud", False, any_of=[False]),
    "a boolean turned": fails("loud", True, any_of=[False]),
    "0 for false": fails("loud", 0, any_of=[False]),
    "null for false": fails("loud", None, any_of=[False]),
    "null where null is right": fits("text", None, any_of=[None]),
    "an empty text for null": fails("text", "", any_of=[None]),
    "what may be left out, left out": fits("text", NOTHING, any_of=["a"], optional=True),
    "what may be left out, wrong": fails("text", "b", any_of=["a"], optional=True),
    "what may be left out, empty": fails("text", "", any_of=["a"], optional=True),
    "what must not be left out, left out": fails("text", NOTHING, any_of=["a"]),
    "a pattern that may be left out": fits("text", NOTHING, regex="a+", optional=True),
}  # fmt: skip


@pytest.mark.parametrize("name", MADE)
def test_a_change_to_a_made_call_has_its_verdict(name: str) -> None:
    parameter, given, wanted, verdict = MADE[name]
    expected = ExpectedCall(name="make", arguments={parameter: ExpectedArgument.model_validate(wanted)})
    one = scenario(Kind.IMPORTED, Expected(calls=(expected,)), tools=(TOOL,), stop="calls")
    arguments = {} if given is NOTHING else {parameter: given}
    ruling = native.judge(one, [{"make": arguments}])
    assert ruling.valid is verdict, ruling
    assert verdict or all(f"make.{parameter}: expected " in found.message for found in ruling.details)


def a(letter: str) -> dict[str, Any]:
    return {"make": {"text": letter}}


def calls_of(letters: str) -> tuple[ExpectedCall, ...]:
    return tuple(
        ExpectedCall(name="make", arguments={"text": ExpectedArgument(any_of=(letter,))}) for letter in letters
    )


PEN = ToolCall(id="1", name="stock", arguments={"item": "pen"})
WHOLE = ExpectedCall(name="make", arguments={})
FURTHER = [
    ("ab", "ab", {}, SAME),
    ("ab", "ba", {}, WRONG),
    ("ab", "ba", {"order": "any"}, SAME),
    ("ab", "bb", {"order": "any"}, WRONG),
    ("ab", "xaybz", {"partial": True}, SAME),
    ("ab", "xbya", {"partial": True}, WRONG),
    ("ab", "xbya", {"partial": True, "order": "any"}, SAME),
    ("aa", "xay", {"partial": True}, WRONG),
    ("aa", "aya", {"partial": True}, SAME),
    ("aab", "ba", {"partial": True, "order": "any"}, WRONG),
    ("", "xy", {"partial": True}, None),
    ("a", "ax", {"partial": True, "forbidden": calls_of("x")}, WRONG),
    ("a", "ay", {"partial": True, "forbidden": calls_of("x")}, SAME),
    ("", "xy", {"any_call": True, "forbidden": calls_of("x")}, WRONG),
    ("", "y", {"any_call": True, "forbidden": calls_of("x")}, SAME),
    ("", "y", {"partial": True, "forbidden": (WHOLE,)}, WRONG),
    ("", "", {"partial": True, "forbidden": (WHOLE,)}, SAME),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "given", "fields", "verdict"), FURTHER)
def test_which_calls_may_stand_beside_the_expected_ones(wanted, given, fields, verdict) -> None:
    one = scenario(Kind.IMPORTED, Expected(calls=calls_of(wanted), **fields), tools=(TOOL,), stop="calls")
    made = [ToolCall(id=str(i), name="make", arguments={"text": letter}) for i, letter in enumerate(given)]
    turn = Message(role="assistant", tool_calls=tuple(made), content="" if made else "Done.")
    assert exact_calls(validate(one, follow(one, turn))) is verdict


def test_a_forbidden_call_is_named_and_a_missing_one_too() -> None:
    one = scenario(Kind.IMPORTED, Expected(calls=calls_of("ab"), partial=True, forbidden=calls_of("x")), tools=(TOOL,),
                   stop="calls")  # fmt: skip
    made = [ToolCall(id=letter, name="make", arguments={"text": letter}) for letter in "xba"]
    found = {v.name: v.reason for v in validate(one, follow(one, Message(role="assistant", tool_calls=tuple(made))))}
    assert found["arguments"] == (
        'expected no call of make(text: "x"), found make({"text": "x"}); '
        'call 2: expected make(text: "b"), found no such call in its place that worked'
    )  # fmt: skip


def test_an_expected_call_beside_others_has_to_have_worked() -> None:
    one = BY_ID["graceful"].model_copy(
        update={"expected": Expected(calls=BY_ID["graceful"].expected.calls, partial=True)}
    )
    broke = follow(one, Message(role="assistant", tool_calls=(PEN,)), saying("Sorry."))
    reason = next(v.reason for v in validate(one, broke) if v.name == "arguments")
    assert reason == 'expected stock(item: "pen"), found no such call in its place that worked'
