"""What types cannot say of a scenario: tools that exist, patterns that compile, expectations that something can meet.

Each mistake is yielded with its place inside the scenario; `evaluation/load.py` adds file and line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evaluation.located import Location
from evaluation.records import RecoveryStrategy, ToolCall
from evaluation.scenarios import Expected, ExpectedArgument, ExpectedCall, Fault, Policy, Scenario, ScriptedUser
from evaluation.template_checks import tool_mistakes
from evaluation.validators.accepted import describes, first_accepted
from evaluation.validators.calls import call_shown
from evaluation.validators.patterns import pattern_mistake
from evaluation.validators.schemas import unusable
from evaluation.validators.values import is_number

Mistake = tuple[Location, str]
"""Where in the scenario, and what."""


def scenario_mistakes(scenario: Scenario) -> Iterator[Mistake]:
    """Yield all that is wrong with a scenario that has the right types."""
    for index, tool in enumerate(scenario.tools):
        yield from ((("tools", index, name), text) for name, text in tool_mistakes(tool))
    yield from _unknown_tools(scenario)
    for at, call in _calls(scenario):
        for name, argument in call.arguments.items():
            yield from (((*at, "arguments", name, *w), text) for w, text in _argument(call, argument))
    names = [tool.name for tool in scenario.tools]
    if len(set(names)) < len(names):
        yield ("tools",), f"expected each tool once, found {_offered(scenario)}"
    if not any(message.role == "user" for message in scenario.messages):
        yield ("messages",), "expected a user message (or `query: text`), found none"
    yield from (((("faults", name, *w), text)) for name, fault in scenario.faults.items() for w, text in _fault(fault))
    yield from _expected(scenario, scenario.expected)
    if scenario.policy is not None:
        yield from _policy(scenario, scenario.policy)
    if isinstance(scenario.user, ScriptedUser):
        yield from _slots(scenario.user)


def _calls(scenario: Scenario) -> Iterator[tuple[Location, ExpectedCall]]:
    """Yield every call that the scenario describes, with its place."""
    expected, policy = scenario.expected, scenario.policy or Policy()
    for at, calls in (
        (("expected", "calls"), expected.calls),
        (("expected", "forbidden"), expected.forbidden),
        (("policy", "never"), policy.never),
    ):
        yield from (((*at, index), call) for index, call in enumerate(calls))


def _unknown_tools(scenario: Scenario) -> Iterator[Mistake]:
    names = {tool.name for tool in scenario.tools}
    policy = scenario.policy or Policy()
    named: list[tuple[Location, str]] = [((*at, "name"), call.name) for at, call in _calls(scenario)]
    named += [(("faults", name), name) for name in scenario.faults]
    named += [(("policy", "first", name), name) for name in policy.first]
    named += [
        (("policy", "first", tool, i), name) for tool, first in policy.first.items() for i, name in enumerate(first)
    ]
    named += [(("policy", "consent", i), name) for i, name in enumerate(policy.consent)]
    for at, name in named:
        if name not in names:
            yield at, f"expected an offered tool ({_offered(scenario)}), found unknown tool {name!r}"


def _offered(scenario: Scenario) -> str:
    return ", ".join(tool.name for tool in scenario.tools) or "none"


def _argument(call: ExpectedCall, argument: ExpectedArgument) -> Iterator[Mistake]:
    # The leaderboard's files have arguments without a value: no output is right there, and they are kept as they are.
    if call.notation == "plain" and not argument.any_of and argument.regex is None and not argument.optional:
        yield (), "expected an acceptable value (`any_of`), a `regex` or `optional: true`, found none"
    if argument.regex is not None and (wrong := pattern_mistake(argument.regex)):
        yield ("regex",), f"expected a regular expression, found {argument.regex!r}: {wrong}"
    if argument.compare == "set" and not all(isinstance(value, list | tuple) for value in argument.any_of):
        yield ("any_of",), f"expected lists, since they are compared as sets, found {list(argument.any_of)!r}"
    if argument.tolerance and not any(map(_has_number, argument.any_of)):
        yield ("tolerance",), f"expected a number that it is for, found {list(argument.any_of)!r}"
    plain = argument.regex is None and not argument.tolerance and argument.compare == "like"
    if call.notation == "bfcl" and not plain:
        yield (), "expected notation `plain` for regex, tolerance and compare, found `bfcl`"


def _has_number(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_has_number, value))
    return any(map(_has_number, value.values())) if isinstance(value, dict) else is_number(value)


def _fault(fault: Fault) -> Iterator[Mistake]:
    if fault.kind == "slow" and not fault.seconds:
        yield (), "expected `seconds` that a slow call takes longer, found none"
    if fault.kind != "slow" and fault.seconds:
        yield ("seconds",), f"expected seconds for kind slow only, found {fault.seconds:g} for {fault.kind}"
    if fault.times is not None and fault.times < 1:
        yield ("times",), f"expected at least 1 call that it strikes (left out: all), found {fault.times}"


def _expected(scenario: Scenario, expected: Expected) -> Iterator[Mistake]:
    if expected.any_call and expected.calls:
        yield ("expected", "any_call"), f"expected no calls where any call will do, found {len(expected.calls)}"
    if expected.world is not None and scenario.stop == "calls":
        yield ("expected", "world"), "expected no final state where calls are not executed (`stop: calls`), found one"
    if expected.recovery == RecoveryStrategy.CLARIFY and expected.calls and scenario.user is None:
        yield ("user",), "expected a user who answers the question, so that the calls can follow, found none"
    yield from _contradicted(scenario)
    answer = expected.answer
    if answer is not None and answer.regex is not None and (wrong := pattern_mistake(answer.regex)):
        at = ("expected", "answer", "regex")
        yield at, f"expected a regular expression, found {answer.regex!r}: {wrong}"
    if answer is not None and answer.json_schema is not None:
        yield from ((("expected", "answer", "json_schema"), text) for text in unusable(answer.json_schema))


def _contradicted(scenario: Scenario) -> Iterator[Mistake]:
    """Yield each expected call that is forbidden as well."""
    banned = (*scenario.expected.forbidden, *(scenario.policy or Policy()).never)
    schemas = {tool.name: tool.parameters for tool in scenario.tools}
    for index, call in enumerate(scenario.expected.calls if banned else ()):
        try:
            made = ToolCall(id="", name=call.name, arguments=first_accepted(call))
        except LookupError:
            continue
        if any(describes(ban, made, schemas.get(ban.name, {})) for ban in banned if not any(_unsound(ban))):
            yield ("expected", "calls", index), f"expected a call that is not forbidden, found {call_shown(made)}"


def _unsound(call: ExpectedCall) -> Iterator[Mistake]:
    return (mistake for argument in call.arguments.values() for mistake in _argument(call, argument))


def _policy(scenario: Scenario, policy: Policy) -> Iterator[Mistake]:
    reported: set[str] = set()
    for tool in policy.first:
        circle = _circle(policy, tool)
        if circle and not reported & set(circle):
            reported |= set(circle)
            way = " before ".join([*circle, circle[0]])
            yield ("policy", "first", tool), f"expected an order in which all can be called, found a circle: {way}"
    consented = [call.name for call in scenario.expected.calls if call.name in policy.consent]
    asked = scenario.user is not None or any(message.role == "assistant" for message in scenario.messages)
    if consented and not asked:
        yield ("user",), f"expected a user who can agree to {consented[0]} (`policy.consent`), found none"


def _circle(policy: Policy, tool: str) -> list[str]:
    """Return the tools of a circle on which `tool` stands, or nothing."""
    ways, seen = [[tool]], set()
    while ways:
        way = ways.pop()
        for needed in policy.first.get(way[-1], ()):
            if needed == tool:
                return way
            if needed not in seen:
                seen.add(needed)
                ways.append([*way, needed])
    return []


def _slots(user: ScriptedUser) -> Iterator[Mistake]:
    for name, slot in user.slots.items():
        if not slot.asked or not all(word.strip() for word in slot.asked):
            yield ("user", "slots", name, "asked"), f"expected words that ask for it, found {list(slot.asked)!r}"
        if not slot.say.strip():
            yield ("user", "slots", name, "say"), "expected what the user says, found nothing"
