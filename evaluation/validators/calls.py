"""Were the right tools called, and with the right arguments?

Decisions: `tool_selection` compares sets of names; `arguments` compares the calls themselves, one by one, and so also
catches a call too many. A call that broke through no fault of the model and was made again counts once. What the tool
itself asks for counts, too, whatever the scenario says: an argument that it requires, none that it does not have.
Where any call will do, nothing but that there is one is judged.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from evaluation.records import Episode, FailureKind, RecoveryStrategy, StopReason, ToolCall, Validation
from evaluation.scenarios import ExpectedArgument, ExpectedCall, Scenario
from evaluation.validators import base
from evaluation.validators.accepted import LEFT_OUT, argument_likeness
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
    if scenario.expected.any_call:
        said = f"expected a call of any tool, found {_names(found)}"
        return base.passed(name, said) if found else base.failed(name, said)
    compared = f"expected {_names(expected)}, found {_names(found)}"
    if expected != found:
        return base.failed(name, compared)
    if not found and episode.stop_reason == StopReason.MODEL_ERROR:
        return base.failed(name, "expected an answer without a tool, found that the model gave none")
    garbled = any(f.kind == FailureKind.MALFORMED_OUTPUT for f in episode.failures)
    return base.passed(name, compared, 0.5 if garbled else 1.0)


def arguments(scenario: Scenario, episode: Episode) -> Validation:
    """Judge whether the calls are the expected ones, in their order unless the scenario says `any`."""
    name = "arguments"
    if scenario.expected.any_call:
        return base.not_applicable(name, "any call will do")
    expected = expected_calls(scenario)
    made = base.made_calls(episode)
    strict = scenario.expected.recovery in (RecoveryStrategy.GRACEFUL_FAIL, RecoveryStrategy.FALLBACK)
    found = [one.call for one in made] if strict else base.without_retries(made)
    if not expected and not found:
        return base.not_applicable(name, "no call was expected, and none was made")
    schemas = {tool.name: tool.parameters for tool in scenario.tools}
    paired = _in_any_order(expected, found, schemas) if scenario.expected.order == "any" else found
    mistakes = list(_mistakes(expected, paired, schemas))
    if mistakes:
        return base.failed(name, "; ".join(mistakes))
    sure = min(_call_likeness(e, f, schemas) for e, f in zip(expected, paired, strict=True))
    note = "" if sure == EXACT else ", but for case or punctuation"
    return base.passed(name, f"all {len(found)} calls as expected{note}", sure)


def expected_calls(scenario: Scenario) -> list[ExpectedCall]:
    """Return the expected calls; a call that is listed again because it must be retried, once."""
    calls = list(scenario.expected.calls)
    if scenario.expected.recovery != RecoveryStrategy.RETRY:
        return calls
    return calls[:1] + [later for one, later in pairwise(calls) if one != later or later.name not in scenario.faults]


def _mistakes(expected: Sequence[ExpectedCall], found: Sequence[ToolCall], schemas: _Schemas) -> Iterator[str]:
    if len(expected) != len(found):
        yield f"expected {len(expected)} calls, found {len(found)}"
    for at, (want, got) in enumerate(zip(expected, found, strict=False), start=1):
        where = f"call {at}: " if len(expected) > 1 else ""
        if want.name != got.name:
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


def _call_likeness(want: ExpectedCall, got: ToolCall, schemas: _Schemas) -> float:
    """Return `DIFFERENT` where `_argument_mistakes` finds any, else the least likeness of the arguments."""
    schema = schemas.get(want.name, {})
    if want.name != got.name or any(_argument_mistakes(want, got, schema)):
        return DIFFERENT
    given, declared = got.arguments, properties(schema)
    return min(
        (argument_likeness(want, n, given[n], declared.get(n)) for n in want.arguments if n in given), default=EXACT
    )


def _in_any_order(expected: Sequence[ExpectedCall], found: Sequence[ToolCall], schemas: _Schemas) -> list[ToolCall]:
    """Return `found` so that as many calls as possible stand beside the expected call that they match.

    Maximum bipartite matching by augmenting paths (Kuhn); calls without a partner fill the gaps, same names first.
    """
    fits = [[_call_likeness(e, f, schemas) > DIFFERENT for f in found] for e in expected]
    partner: dict[int, int] = {}

    def augment(want: int, seen: set[int]) -> bool:
        for got in (g for g, fit in enumerate(fits[want]) if fit and g not in seen):
            seen.add(got)
            if got not in partner or augment(partner[got], seen):
                partner[got] = want
                return True
        return False

    for want in range(len(expected)):
        augment(want, set())
    placed = {want: found[got] for got, want in partner.items()}
    left = [call for got, call in enumerate(found) if got not in partner]
    for want, call in ((w, e) for w, e in enumerate(expected) if w not in placed):
        left.sort(key=lambda spare: spare.name != call.name)
        if left:
            placed[want] = left.pop(0)
    return [placed[want] for want in sorted(placed)] + left


def _names(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "no tool"


def _wanted(call: ExpectedCall, argument: ExpectedArgument) -> str:
    left_out = call.notation == "bfcl" and argument.optional
    values = [shown(value) for value in argument.any_of if not (left_out and value == LEFT_OUT)]
    return " or ".join([*values, *(["nothing"] if argument.optional else [])]) or "nothing"


def shown(value: Any) -> str:
    """Return a JSON value as a reason quotes it: in JSON, and not at length."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except RecursionError:
        text = "a value in too many layers"
    return text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "…"
