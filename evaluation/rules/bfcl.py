"""Calls by the rules of the Berkeley leaderboard: the same verdict and error type as its checker gives.

Decisions: what differs between its categories is read from the scenario: calls in any order are `parallel`, one call
`simple`, or `multiple` where several tools are on offer; no call is irrelevance, any call relevance. Several calls in a
strict order, which the leaderboard does not know, are judged as calls in any order. An output that is no list of calls
is an error of its own, but where no call is right it is none.
Source: the public description and verdicts of the leaderboard, version 4 (github.com/ShishirPatil/gorilla).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from evaluation.rules.base import VALID, Call, Finding, Ruling, calls_of, invalid
from evaluation.rules.bfcl_values import value_mistake
from evaluation.scenarios import ExpectedCall, Scenario
from evaluation.validators.accepted import LEFT_OUT
from evaluation.validators.calls import shown
from evaluation.validators.values import properties


class _Wanted(NamedTuple):
    """An expected call as the leaderboard knows it."""

    name: str
    accepted: Mapping[str, Sequence[Any]]
    """Acceptable values by parameter, in the leaderboard's notation."""
    schema: Mapping[str, Any]
    """The JSON Schema of the tool's arguments."""


def judge(scenario: Scenario, output: Any) -> Ruling:
    """Return the leaderboard's verdict on a recorded output. Never raises."""
    calls, expected = calls_of(output), scenario.expected
    if expected.any_call:
        said = "expected a call, found none"
        return VALID if calls else invalid(Finding(error="relevance_error:decoder_failed", message=said))
    if not expected.calls:
        said = f"expected no call, found {shown([call.name for call in calls or ()])}"
        return invalid(Finding(error="irrelevance_error:decoder_success", message=said)) if calls else VALID
    if calls is None:
        said = f"expected a list of objects with one key each, {{name: arguments}}, found {shown(output)}"
        return invalid(Finding(error="ast_decoder:decoder_wrong_output_format", message=said))
    schemas = {tool.name: tool.parameters for tool in scenario.tools}
    wanted = [_Wanted(call.name, _accepted(call), schemas.get(call.name, {})) for call in expected.calls]
    checker = _checker(scenario)
    if len(calls) != len(wanted):
        said = f"expected {len(wanted)} calls, found {len(calls)}"
        return invalid(Finding(error=f"{checker}:wrong_count", message=said))
    if checker == "parallel_function_checker_no_order":
        return _in_any_order(wanted, calls)
    found = _call_mistake(wanted[0], calls[0], 0)
    return VALID if found is None else invalid(found)


def _checker(scenario: Scenario) -> str:
    """Return the name that the leaderboard's errors of this kind of scenario begin with."""
    if scenario.expected.order == "any" or len(scenario.expected.calls) > 1:
        return "parallel_function_checker_no_order"
    several = len(scenario.tools) > 1 or any(tag.endswith("multiple") for tag in scenario.tags)
    return "multiple_function_checker" if several else "simple_function_checker"


def _in_any_order(wanted: Sequence[_Wanted], calls: Sequence[Call]) -> Ruling:
    """Let each expected call, in turn, take the first call left that fits it."""
    left = dict(enumerate(calls))
    for want in wanted:
        mistakes: list[Finding] = []
        for at, call in left.items():
            mistake = _call_mistake(want, call, at)
            if mistake is None:
                del left[at]
                break
            mistakes.append(mistake)
        else:
            said = f"expected a call of {want.name} that fits, found none among those left"
            return invalid(
                Finding(error="parallel_function_checker_no_order:cannot_find_match", message=said), *mistakes
            )
    return VALID


def _call_mistake(want: _Wanted, call: Call, at: int) -> Finding | None:
    """Return the first mistake in the leaderboard's order: name, required, each argument given, each left out."""
    declared, checker = properties(want.schema), "simple_function_checker"

    def found(error: str, message: str, parameter: str | None = None) -> Finding:
        return Finding(error=error, call=at, parameter=parameter, message=message)

    if call.name != want.name:
        return found(f"{checker}:wrong_func_name", f"expected {want.name}, found {call.name}")
    for name in want.schema.get("required", ()):
        if name not in call.arguments:
            return found(f"{checker}:missing_required", "expected a value, found none", name)
    for name, value in call.arguments.items():
        if name not in declared or name not in want.accepted:
            return found(f"{checker}:unexpected_param", f"expected no such argument, found {shown(value)}", name)
        mistake = value_mistake(value, want.accepted[name], declared[name])
        if mistake is not None:
            return found(mistake.error, mistake.message, name)
    for name, accepted in want.accepted.items():
        if name not in call.arguments and LEFT_OUT not in accepted:
            return found(f"{checker}:missing_optional", "expected a value, found none", name)
    return None


def _accepted(call: ExpectedCall) -> dict[str, Sequence[Any]]:
    """Return the acceptable values in the leaderboard's notation."""
    if call.notation == "bfcl":
        return {name: argument.any_of for name, argument in call.arguments.items()}
    return {
        name: (*map(_keyed, argument.any_of), *([LEFT_OUT] if argument.optional else []))
        for name, argument in call.arguments.items()
    }


def _keyed(value: Any) -> Any:
    """Return a plain value with each key's value in a list of its own."""
    if isinstance(value, Mapping):
        return {key: [one] for key, one in value.items()}
    return [_keyed(item) if isinstance(item, Mapping) else item for item in value] if isinstance(value, list) else value
