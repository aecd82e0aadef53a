"""What an expected argument accepts, in either notation of an expected call.

Decisions: the leaderboard's notation is read as it means: an empty text says that the value may be left out and is no
value itself, unless the value has to be there, or is an empty text by default; so is an empty list. Only an object that
is the argument, or stands right in its list, holds acceptable values for each key: what is deeper are values. Patterns,
tolerances and other ways to compare belong to the plain notation; a loader refuses them in the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.records import ToolCall
from evaluation.scenarios import ExpectedArgument, ExpectedCall
from evaluation.validators.pairing import in_any_order
from evaluation.validators.patterns import matches_whole
from evaluation.validators.values import (
    DIFFERENT,
    EXACT,
    LOOSE,
    How,
    best_likeness,
    items_of,
    likeness,
    properties,
)

LEFT_OUT = ""
"""Among the leaderboard's acceptable values: the value may be left out."""


def argument_likeness(call: ExpectedCall, name: str, found: Any, schema: Mapping[str, Any] | None = None) -> float:
    """Return how surely `found` is an acceptable value of the call's argument `name` (see `values.likeness`).

    `schema`: the JSON Schema of the argument, where known.
    """
    argument = call.arguments[name]
    if call.notation == "plain":
        return _plain(argument, found, schema or {})
    values = _values(argument.any_of, found, schema or {}, required=not argument.optional)
    return max((_option(option, found, schema or {}) for option in values), default=DIFFERENT)


def describes(call: ExpectedCall, made: ToolCall, schema: Mapping[str, Any]) -> bool:
    """Say whether `made` is one of the calls that `call` describes: each argument that it names is there and
    acceptable, the others are as they like.

    `schema`: the JSON Schema of the tool's arguments.
    """
    inner = properties(schema)
    return call.name == made.name and all(
        argument.optional
        if name not in made.arguments
        else argument_likeness(call, name, made.arguments[name], inner.get(name)) > DIFFERENT
        for name, argument in call.arguments.items()
    )


def first_accepted(call: ExpectedCall) -> dict[str, Any]:
    """Return the call's arguments, each its first acceptable value; what may be left out is left out.

    Raises `LookupError` where an argument is described by a regular expression alone.
    """
    for name, argument in call.arguments.items():
        if argument.regex is not None and not argument.any_of and not argument.optional:
            described = f"{call.name}.{name} is described by a regular expression alone"
            raise LookupError(f"expected an acceptable value (`any_of`), found that {described}")
    wanted = {name: argument.any_of[0] for name, argument in call.arguments.items() if _is_wanted(argument)}
    return wanted if call.notation == "plain" else {name: _first(option) for name, option in wanted.items()}


def options(values: Any) -> Sequence[Any]:
    """Return the acceptable values of an object's key, in the leaderboard's notation; one without a list is alone."""
    return values if isinstance(values, list | tuple) else [values]


def _plain(argument: ExpectedArgument, found: Any, schema: Mapping[str, Any]) -> float:
    how = How(argument.tolerance, argument.compare == "exact")
    if argument.compare == "set":
        like = max((_as_sets(option, found, schema, how) for option in argument.any_of), default=DIFFERENT)
    else:
        like = best_likeness(argument.any_of, found, schema, how)
    if like == EXACT or argument.regex is None or not isinstance(found, str):
        return like
    return EXACT if matches_whole(argument.regex, found) else like


def _as_sets(option: Any, found: Any, schema: Mapping[str, Any], how: How) -> float:
    """Return the likeness of two lists whose order does not count; an item that stands twice has to stand twice."""
    if not isinstance(option, list | tuple) or not isinstance(found, list) or len(option) != len(found):
        return DIFFERENT
    inner = items_of(schema)
    alike = [[likeness(one, other, inner, how) for other in found] for one in option]
    for least in (EXACT, LOOSE):
        if len(in_any_order([[like >= least for like in row] for row in alike])) == len(option):
            return least
    return DIFFERENT


def _values(any_of: Sequence[Any], found: Any, schema: Mapping[str, Any], *, required: bool) -> list[Any]:
    """Return the values among `any_of`; with them `found` where it is empty, may be left out, and is the default."""
    default = schema.get("default")
    stands_for_none = LEFT_OUT in any_of and _is_empty(found) and type(default) is type(found) and default == found
    return [one for one in any_of if one != LEFT_OUT or required] + ([found] if stands_for_none else [])


def _option(option: Any, found: Any, schema: Mapping[str, Any]) -> float:
    if isinstance(option, Mapping) and isinstance(found, Mapping):
        return _keyed(option, found, schema)
    if isinstance(option, list) and isinstance(found, list) and any(isinstance(item, Mapping) for item in option):
        items = schema.get("items")
        inner = items if isinstance(items, Mapping) else {}
        pairs = zip(option, found, strict=False)
        return min((_option(o, f, inner) for o, f in pairs), default=EXACT) if len(option) == len(found) else DIFFERENT
    return likeness(option, found, schema)


def _keyed(accepted: Mapping[str, Any], found: Mapping[str, Any], schema: Mapping[str, Any]) -> float:
    """Return the likeness of an object to one that holds acceptable values for each key."""
    required, inner = schema.get("required") or (), properties(schema)
    missing = (key for key in accepted if key not in found)
    if found.keys() - accepted.keys() or any(LEFT_OUT not in options(accepted[key]) for key in missing):
        return DIFFERENT
    return min((_key(accepted[k], found[k], inner.get(k, {}), required=k in required) for k in found), default=EXACT)


def _key(accepted: Any, found: Any, schema: Mapping[str, Any], *, required: bool) -> float:
    return best_likeness(_values(options(accepted), found, schema, required=required), found, schema)


def _first(option: Any) -> Any:
    if isinstance(option, Mapping):
        wanted = {key: options(values) for key, values in option.items() if LEFT_OUT not in options(values)}
        return {key: values[0] for key, values in wanted.items() if values}
    if isinstance(option, list):
        return [_first(item) if isinstance(item, Mapping) else item for item in option]
    return option


def _is_wanted(argument: ExpectedArgument) -> bool:
    return bool(argument.any_of) and not argument.optional


def _is_empty(value: Any) -> bool:
    return isinstance(value, str | list) and not value
