"""What an expected argument accepts, in either notation of an expected call.

Decisions: the leaderboard's notation is read as it means: an empty text says that the value may be left out and is no
value itself, unless the value has to be there, or is an empty text by default; so is an empty list. Only an object that
is the argument, or stands right in its list, holds acceptable values for each key: what is deeper are values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.scenarios import ExpectedArgument, ExpectedCall
from evaluation.validators.values import DIFFERENT, EXACT, best_likeness, likeness, properties

LEFT_OUT = ""
"""Among the leaderboard's acceptable values: the value may be left out."""


def argument_likeness(call: ExpectedCall, name: str, found: Any, schema: Mapping[str, Any] | None = None) -> float:
    """Return how surely `found` is an acceptable value of the call's argument `name` (see `values.likeness`).

    `schema`: the JSON Schema of the argument, where known.
    """
    argument = call.arguments[name]
    if call.notation == "plain":
        return best_likeness(argument.any_of, found, schema)
    values = _values(argument.any_of, found, schema or {}, required=not argument.optional)
    return max((_option(option, found, schema or {}) for option in values), default=DIFFERENT)


def first_accepted(call: ExpectedCall) -> dict[str, Any]:
    """Return the call's arguments, each its first acceptable value; what may be left out is left out."""
    wanted = {name: argument.any_of[0] for name, argument in call.arguments.items() if _is_wanted(argument)}
    return wanted if call.notation == "plain" else {name: _first(option) for name, option in wanted.items()}


def options(values: Any) -> Sequence[Any]:
    """Return the acceptable values of an object's key, in the leaderboard's notation; one without a list is alone."""
    return values if isinstance(values, list | tuple) else [values]


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
