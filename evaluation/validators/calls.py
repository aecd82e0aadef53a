"""Were the right tools called, and with the right arguments?

Decisions: `tool_selection` compares sets of names; `arguments` compares the calls themselves, one by one, and so also
catches a call too many. A call that broke through no fault of the model and was made again counts once. What the tool
itself asks for counts, too, whatever the scenario says: an argument that it requires, none that it does not have.
Where any call will do, nothing but that there is one is judged. Where further calls are no mistake (`partial`), each
expected call has to be among those that worked, in the order of the scenario. A forbidden call is a mistake whether or
not its tool then worked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from evaluation.records import Episode, FailureKind, RecoveryStrategy, StopReason, ToolCall, Validation
from evaluation.scenarios import ExpectedArgument, ExpectedCall, Scenario
from evaluation.validators import base
from evaluation.validators.accepted import LEFT_OUT, argument_likeness, describes
from evaluation.validators.pairing import in_any_order, in_order
from evaluation.validators.values import DIFFERENT, EXACT, properties

_Schemas = Mapping[str, Mapping[str, Any]]
"""The JSON Schema of each tool's arguments."""

MOST_SHOWN = 200
"""Characters of a value that a reason quotes."""


def tool_selection(scenario: Scenario, episode: Episode) -> Validation:
    """Judge whether the set of called tools is the expected one; none where none fits."""
    name = "tool_selection"
    expected = {call.name for call in scenario.expected.calls}
    found = {made.call.name for made in base.made_calls(episode)}
    banned = {call.name for call in scenario.expected.forbidden if not call.arguments} & found
    if banned:
        return base.failed(name, f"expected no call of {_names(banned)}, found {_names(found)}")
    if scenario.expected.any_call:
        said = f"expected a call of any tool, found {_names(found)}"
        return base.passed(name, said) if found else base.failed(name, said)
    if scenario.expected.partial:
        return _selected_among_others(expected, found)
    compared = f"expected {_names(expected)}, found {_names(found)}"
    if expected != found:
        return base.failed(name, compared)
    if not found and episode.stop_reason == StopReason.MODEL_ERROR:
        return base.failed(name, "expected an answer without a tool, found that the model gave none")
    garbled = any(f.kind == FailureKind.MALFORMED_OUTPUT for f in episode.failures)
    return base.passed(name, compared, 0.5 if garbled else 1.0)


def arguments(scenario: Scenario, episode: Episode) -> Validation:
    """Judge whether the calls are the expected ones, in their order unless the scenario says `any`, and none of the
    forbidden ones.
    """
    name = "arguments"
    wanted = scenario.expected
    made = base.made_calls(episode)
    schemas = {tool.name: tool.parameters for tool in scenario.tools}
    mistakes = [
        f"expected no call of {_described(ban)}, found {call_shown(one.call)}"
        for one in made
        for ban in wanted.forbidden
        if describes(ban, one.call, schemas.get(ban.name, {}))
    ]
    expected, found = expected_calls(scenario), _counted(scenario, made)
    if not wanted.any_call and (expected or (found and not wanted.partial)):
        paired = _paired(scenario, expected, found, schemas)
        mistakes += _mistakes(expected, paired, schemas)
        sure = min((_call_likeness(e, f, schemas) for e, f in zip(expected, paired, strict=False)), default=EXACT)
        note = "" if sure == EXACT else ", but for case or punctuation"
        count = f"all {len(expected)} calls as expected{note}"
    elif wanted.forbidden:
        sure, count = EXACT, "no forbidden call"
    else:
        return base.not_applicable(name, _unjudged(scenario))
    return base.failed(name, "; ".join(mistakes)) if mistakes else base.passed(name, count, sure)


def expected_calls(scenario: Scenario) -> list[ExpectedCall]:
    """Return the expected calls; a call that is listed again because it must be retried, once."""
    calls = list(scenario.expected.calls)
    if scenario.expected.recovery != RecoveryStrategy.RETRY:
        return calls
    return calls[:1] + [later for one, later in pairwise(calls) if one != later or later.name not in scenario.faults]


def _selected_among_others(expected: set[str], found: set[str]) -> Validation:
    if not expected:
        return base.not_applicable("tool_selection", "no tool in particular was expected, and further ones are allowed")
    said = f"expected {_names(expected)} among the called tools, found {_names(found)}"
    return base.passed("tool_selection", said) if expected <= found else base.failed("tool_selection", said)


def _unjudged(scenario: Scenario) -> str:
    if scenario.expected.any_call:
        return "any call will do"
    return "no call was expected, and " + ("any may be made" if scenario.expected.partial else "none was made")


def _counted(scenario: Scenario, made: list[base.MadeCall]) -> list[ToolCall]:
    """Return the calls that are compared with the expected ones."""
    if scenario.expected.recovery not in (None, RecoveryStrategy.RETRY):
        return [one.call for one in made]
    if scenario.expected.partial:
        return [one.call for one in made if not one.broke]
    return base.without_retries(made)


def _paired(
    scenario: Scenario, expected: Sequence[ExpectedCall], found: Sequence[ToolCall], schemas: _Schemas
) -> list[ToolCall | None]:
    """Return what stands beside each expected call, and what is left over; None: nothing."""
    partial, strict = scenario.expected.partial, scenario.expected.order == "strict"
    if strict and not partial:
        return list(found)
    fits = [[_call_likeness(e, f, schemas) > DIFFERENT for f in found] for e in expected]
    partner = in_order(fits) if strict else in_any_order(fits)
    left = [call for got, call in enumerate(found) if got not in partner.values()]
    placed: dict[int, ToolCall | None] = {want: found[got] for want, got in partner.items()}
    for want, call in ((w, e) for w, e in enumerate(expected) if w not in placed):
        # Same names first: what is wrong with its arguments says more than that it is another call.
        left.sort(key=lambda spare: spare.name != call.name)
        placed[want] = left.pop(0) if left and (not partial or _tells(call, left, schemas)) else None
    beside = [placed[want] for want in sorted(placed)]
    return beside if partial else [*(call for call in beside if call is not None), *left]


def _tells(want: ExpectedCall, left: Sequence[ToolCall], schemas: _Schemas) -> bool:
    """Say whether what is wrong with the first of `left` tells why `want` is missing: the same tool, and none that is
    just in the wrong place.
    """
    return want.name == left[0].name and all(_call_likeness(want, got, schemas) == DIFFERENT for got in left)


def _mistakes(expected: Sequence[ExpectedCall], found: Sequence[ToolCall | None], schemas: _Schemas) -> Iterator[str]:
    if len(expected) != len(found):
        yield f"expected {len(expected)} calls, found {len(found)}"
    for at, (want, got) in enumerate(zip(expected, found, strict=False), start=1):
        where = f"call {at}: " if len(expected) > 1 else ""
        if got is None:
            yield f"{where}expected {_described(want)}, found no such call in its place that worked"
        elif want.name != got.name:
            yield f"{where}expected {want.name}, found {got.name}"
        else:
            yield from (f"{where}{mistake}" for mistake in _argument_mistakes(want, got, schemas.get(want.name, {})))


def _argument_mistakes(want: ExpectedCall, got: ToolCall, schema: Mapping[str, Any]) -> Iterator[str]:
    declared = properties(schema)
    for name, argument in want.arguments.items():
        if name not in got.arguments:
            if not argument.optional:
                yield f"{got.name}.{name}: expected {_wanted(want, argument)}, found nothing"
        elif declared and name not in declared and not schema.get("additionalProperties"):
            yield f"{got.name}.{name}: expected none that the tool does not have, found {shown(got.arguments[name])}"
        elif argument_likeness(want, name, got.arguments[name], declared.get(name)) == DIFFERENT:
            yield f"{got.name}.{name}: expected {_wanted(want, argument)}, found {shown(got.arguments[name])}"
    for name in sorted(got.arguments.keys() - want.arguments.keys()):
        yield f"{got.name}.{name}: expected no such argument, found {shown(got.arguments[name])}"
    for name in schema.get("required", ()):
        if name not in want.arguments and name not in got.arguments:
            yield f"{got.name}.{name}: expected a value, as the tool requires, found nothing"


def _call_likeness(want: ExpectedCall, got: ToolCall | None, schemas: _Schemas) -> float:
    """Return `DIFFERENT` where `_argument_mistakes` finds any, else the least likeness of the arguments."""
    schema = schemas.get(want.name, {})
    if got is None or want.name != got.name or any(_argument_mistakes(want, got, schema)):
        return DIFFERENT
    given, declared = got.arguments, properties(schema)
    return min(
        (argument_likeness(want, n, given[n], declared.get(n)) for n in want.arguments if n in given), default=EXACT
    )


def _names(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "no tool"


def _wanted(call: ExpectedCall, argument: ExpectedArgument) -> str:
    left_out = call.notation == "bfcl" and argument.optional
    how = {"exact": " to the character", "set": " in any order", "like": ""}[argument.compare]
    how += f" ± {argument.tolerance:g}" if argument.tolerance else ""
    values = [shown(value) + how for value in argument.any_of if not (left_out and value == LEFT_OUT)]
    pattern = [] if argument.regex is None else [f"a text like /{argument.regex}/"]
    return " or ".join([*values, *pattern, *(["nothing"] if argument.optional else [])]) or "nothing"


def _described(call: ExpectedCall) -> str:
    return f"{call.name}({', '.join(f'{name}: {_wanted(call, one)}' for name, one in call.arguments.items())})"


def call_shown(call: ToolCall) -> str:
    """Return a call as a reason quotes it."""
    return f"{call.name}({shown(call.arguments)})"


def shown(value: Any) -> str:
    """Return a JSON value as a reason quotes it: in JSON, and not at length."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except RecursionError:
        text = "a value in too many layers"
    return text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "…"
