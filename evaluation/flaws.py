"""Agents that err in one respect: the oracle's script with one edit.

They show that the validators catch what they must, and serve as known-bad candidates where a judgement is tried out.
An edit that does not suit a scenario (no call to change, no other tool, nothing forbidden) raises `LookupError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from evaluation.oracle import Script
from evaluation.records import Message, ToolCall
from evaluation.scenarios import ExpectedAnswer, ExpectedCall, Policy, Scenario
from evaluation.validators.accepted import argument_likeness, first_accepted
from evaluation.validators.values import DIFFERENT, properties


def other_tool(scenario: Scenario, turns: Script) -> Script:
    """Call another one of the offered tools, with the right one's arguments."""
    at, call = _first_call(turns)
    expected = {wanted.name for wanted in scenario.expected.calls}
    others = [tool.name for tool in scenario.tools if tool.name not in expected]
    if not others:
        raise LookupError(f"{scenario.id} offers no tool but the expected ones")
    return _with_call(turns, at, call.model_copy(update={"name": others[0]}))


def dropped_argument(scenario: Scenario, turns: Script) -> Script:
    """Leave out the first call's first argument."""
    at, call = _first_call(turns)
    first = _first_argument(call)
    return _with_call(turns, at, _arguments(call, {k: v for k, v in call.arguments.items() if k != first}))


def changed_value(scenario: Scenario, turns: Script) -> Script:
    """Give the first call's first argument another value of the same type."""
    at, call = _first_call(turns)
    first = _first_argument(call)
    value = call.arguments[first]
    for other in _others(value):
        if not _accepted(scenario, call, first, other):
            return _with_call(turns, at, _arguments(call, call.arguments | {first: other}))
    raise LookupError(f"every value of {call.name}.{first} near {value!r} is acceptable")


def prose_only(scenario: Scenario, turns: Script) -> Script:
    """Claim the result without any call."""
    _first_call(turns)
    return (Message(role="assistant", content=turns[-1].content or "Done."),)


def extra_call(scenario: Scenario, turns: Script) -> Script:
    """Make the last call once more, or, where none is right, call the first tool offered."""
    with_calls = [turn for turn in turns if turn.tool_calls]
    if with_calls:
        call = with_calls[-1].tool_calls[-1]
    elif scenario.tools:
        call = ToolCall(id="", name=scenario.tools[0].name, arguments={})
    else:
        raise LookupError(f"{scenario.id} offers no tool")
    again = Message(role="assistant", tool_calls=(call.model_copy(update={"id": "call_again"}),))
    return (*with_calls, again, *(turn for turn in turns if not turn.tool_calls))


def silent(scenario: Scenario, turns: Script) -> Script:
    """Make the calls and answer nothing."""
    return (*(turn for turn in turns if turn.tool_calls), Message(role="assistant"))


def swapped_calls(scenario: Scenario, turns: Script) -> Script:
    """Make the first two calls that differ in each other's place."""
    _strict(scenario)
    at = [index for index, turn in enumerate(turns) if turn.tool_calls]
    for one, other in pairwise(at):
        if _said(turns[one]) != _said(turns[other]):
            swapped = list(turns)
            swapped[one], swapped[other] = turns[other], turns[one]
            return tuple(swapped)
    raise LookupError(f"{scenario.id} has no two calls in a row that differ")


def last_call_dropped(scenario: Scenario, turns: Script) -> Script:
    """Stop before the last call, and answer as if it had been made."""
    _first_call(turns)
    last = max(index for index, turn in enumerate(turns) if turn.tool_calls)
    left = (*turns[:last], *turns[last + 1 :])
    return left or (Message(role="assistant", content="Done."),)


def forbidden_call(scenario: Scenario, turns: Script) -> Script:
    """Begin with a call that the scenario forbids, or its policy."""
    policy = scenario.policy or Policy()
    banned = (*scenario.expected.forbidden, *policy.never)
    if not banned:
        raise LookupError(f"{scenario.id} forbids no call")
    call = ToolCall(id="call_forbidden", name=banned[0].name, arguments=_in_full(scenario, banned[0]))
    return (Message(role="assistant", tool_calls=(call,)), *turns)


def unasked(scenario: Scenario, turns: Script) -> Script:
    """Ask the user nothing: neither what is missing nor whether to go ahead."""
    left = tuple(turn for turn in turns[:-1] if turn.tool_calls)
    if len(left) == len(turns) - 1:
        raise LookupError(f"{scenario.id} needs no question")
    return (*left, turns[-1])


def unprepared(scenario: Scenario, turns: Script) -> Script:
    """Leave out the calls that the policy puts before others."""
    policy = scenario.policy or Policy()
    first = {name for needed in policy.first.values() for name in needed}
    left = tuple(turn for turn in turns if not any(call.name in first for call in turn.tool_calls))
    if len(left) == len(turns):
        raise LookupError(f"no call of {scenario.id} has to come before another")
    return left


def dawdling(scenario: Scenario, turns: Script) -> Script:
    """Make the first call again and again, beyond the turns that a good attempt takes."""
    at, _ = _first_call(turns)
    if scenario.expected.turns is None:
        raise LookupError(f"{scenario.id} does not count turns")
    return (*turns[:at], *[turns[at]] * (scenario.expected.turns + 1), *turns[at:])


def wordy(scenario: Scenario, turns: Script) -> Script:
    """Answer at more length than a good attempt takes."""
    most = scenario.expected.output_tokens
    if most is None or turns[-1].tool_calls:
        raise LookupError(f"{scenario.id} does not count output tokens, or has no answer")
    return (*turns[:-1], turns[-1].model_copy(update={"content": turns[-1].content + " indeed" * (most + 1)}))


def other_answer(scenario: Scenario, turns: Script) -> Script:
    """Make the calls and answer something else: what must not be said, where the scenario says what that is."""
    wanted = scenario.expected.answer or ExpectedAnswer()
    asked = wanted.model_copy(update={"reference": ""}) != ExpectedAnswer()
    if not asked or turns[-1].tool_calls:
        raise LookupError(f"{scenario.id} asks for no answer in particular")
    said = turns[-1].content + " " + wanted.excludes[0] if wanted.excludes else "Something else altogether"
    return (*turns[:-1], Message(role="assistant", content=said))


def other_case(scenario: Scenario, turns: Script) -> Script:
    """Change the case of a text that is compared to the character."""
    for at, turn in enumerate(turns):
        for call in turn.tool_calls[:1]:
            for name, value in call.arguments.items():
                other = value.swapcase() if isinstance(value, str) else value
                if other != value and not _accepted(scenario, call, name, other):
                    return _with_call(turns, at, _arguments(call, call.arguments | {name: other}))
    raise LookupError(f"no text of {scenario.id} is compared to the character")


def _first_call(turns: Script) -> tuple[int, ToolCall]:
    for at, turn in enumerate(turns):
        if turn.tool_calls:
            return at, turn.tool_calls[0]
    raise LookupError("the script has no call")


def _first_argument(call: ToolCall) -> str:
    if not call.arguments:
        raise LookupError(f"{call.name} is called without arguments")
    return next(iter(call.arguments))


def _arguments(call: ToolCall, arguments: dict[str, Any]) -> ToolCall:
    return call.model_copy(update={"arguments": arguments})


def _with_call(turns: Script, at: int, call: ToolCall) -> Script:
    turn = turns[at].model_copy(update={"tool_calls": (call, *turns[at].tool_calls[1:])})
    return (*turns[:at], turn, *turns[at + 1 :])


def _in_full(scenario: Scenario, wanted: ExpectedCall) -> dict[str, Any]:
    """Return arguments that the call describes, with what else the tool requires."""
    named = first_accepted(wanted)
    alike = [first_accepted(call) for call in scenario.expected.calls if call.name == wanted.name]
    schema = next(tool.parameters for tool in scenario.tools if tool.name == wanted.name)
    known = (alike[0] if alike else {}) | named
    return {
        name: known.get(name, _any(properties(schema).get(name, {}))) for name in schema.get("required", ())
    } | named


def _any(schema: Mapping[str, Any]) -> Any:
    by_type = {"integer": 1, "number": 1.0, "boolean": True, "array": [], "object": {}}
    return schema["enum"][0] if schema.get("enum") else by_type.get(str(schema.get("type")), "x")


def _strict(scenario: Scenario) -> None:
    if scenario.expected.order != "strict":
        raise LookupError(f"{scenario.id} takes its calls in any order")


def _said(turn: Message) -> list[tuple[str, dict[str, Any]]]:
    return [(call.name, call.arguments) for call in turn.tool_calls]


def _accepted(scenario: Scenario, call: ToolCall, name: str, value: Any) -> bool:
    """Say whether some expected call of the tool takes the value."""
    schemas = {tool.name: properties(tool.parameters) for tool in scenario.tools}
    schema = schemas.get(call.name, {}).get(name)
    wanted = [one for one in scenario.expected.calls if one.name == call.name and name in one.arguments]
    return any(argument_likeness(one, name, value, schema) > DIFFERENT for one in wanted)


def _others(value: Any) -> list[Any]:
    """Return values of the same type, each further from `value`."""
    match value:
        case bool():
            return [not value]
        case int() | float():
            return [value + 1, value + 1000, -value - 1_000_000]
        case str():
            return [value + " x", "x", "?"]
        case list():
            return [[*value, *value] or ["x"], [], ["x"]]
        case _:
            return [{"x": "x"}]
