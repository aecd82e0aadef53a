"""Agents that err in one respect: the oracle's script with one edit.

They show that the validators catch what they must, and serve as known-bad candidates where a judgement is tried out.
An edit that does not suit a scenario (no call to change, no other tool) raises `LookupError`.
"""

from __future__ import annotations

from typing import Any

from evaluation.oracle import Script
from evaluation.records import Message, ToolCall
from evaluation.scenarios import Scenario


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
    return _with_call(turns, at, _arguments(call, call.arguments | {first: _other(call.arguments[first])}))


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


def _other(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return value + " x"
        case list():
            return [*value, *value] or ["x"]
        case _:
            return {"x": "x"}
