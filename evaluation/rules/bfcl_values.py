"""Values by the rules of the Berkeley leaderboard: is the type right, and is the value an acceptable one?

A parity target, not advice: what users should know of it stands in docs/verdicts.md. Python's own types and equality
are the rule: `5` and `5.0` are two types and one value, `True == 1`.
Decisions: schemas are JSON Schema; `number` is the leaderboard's `float`, and no type its `any`, which counts as text.
Source: the public description and verdicts of the leaderboard, version 4 (github.com/ShishirPatil/gorilla).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from evaluation.validators.accepted import LEFT_OUT, options
from evaluation.validators.calls import shown

_TYPES: dict[str, type] = {
    "string": str, "integer": int, "number": float, "boolean": bool, "array": list, "object": dict, "null": type(None),
}  # fmt: skip
_DROPPED = str.maketrans("'", '"', " ,./-_*^")


class Mistake(NamedTuple):
    """Why a value does not pass."""

    error: str
    message: str


def value_mistake(value: Any, accepted: Sequence[Any], schema: Mapping[str, Any]) -> Mistake | None:
    """Return why `value` is none of `accepted` (in the leaderboard's notation), or None where it is one.

    `schema`: the parameter's JSON Schema.
    """
    declared, items = _declared(schema), _declared_items(schema)
    if declared is float and type(value) is int:
        value = _as_float(value)
    wanted = _first_type(accepted)
    if type(value) is declared:
        if items is not None and not any(_items_fit(value, option, items) for option in accepted):
            error = "type_error:nested" if wanted is list else "type_error:simple"
            return Mistake(error, f"expected items of type {items.__name__}, found {shown(value)}")
    elif type(value) is not wanted:
        return Mistake("type_error:simple", f"expected type {declared.__name__}, found {shown(value)}")
    if wanted not in (None, declared) or type(value) is not declared:
        return _plain_mistake(value, accepted)
    if isinstance(value, dict):
        return _object_mistake(value, accepted)
    if isinstance(value, list):
        return _objects_mistake(value, accepted) if items is dict else _list_mistake(value, accepted)
    return _text_mistake(value, accepted) if isinstance(value, str) else _plain_mistake(value, accepted)


def standardized(value: Any) -> Any:
    r"""Return a text without spaces and `,./-_*^`, in lower case, with `"` for `'`; any other value as it is."""
    return value.translate(_DROPPED).lower() if isinstance(value, str) else value


def _declared(schema: Mapping[str, Any]) -> type:
    named = schema.get("type", "any")
    kinds = [str(kind) for kind in (named if isinstance(named, list) else [named])]
    return _TYPES.get(next((kind for kind in kinds if kind != "null"), "null"), str)


def _declared_items(schema: Mapping[str, Any]) -> type | None:
    """Return the type of an array's items; None where it is no array, or its items are not described."""
    items = schema.get("items")
    return _declared(items) if _declared(schema) is list and isinstance(items, Mapping) else None


def _first_type(accepted: Sequence[Any]) -> type | None:
    """Return the type of the first acceptable value; None where there is none but to leave the value out."""
    return next((type(option) for option in accepted if option != LEFT_OUT), None)


def _items_fit(value: Any, option: Any, declared: type) -> bool:
    """Say whether each item has the declared type, or the type of the acceptable list's first item."""
    if not isinstance(option, list):
        return True
    allowed = (declared, _first_type(option))
    return all(type(item) in allowed for item in value)


def _plain_mistake(value: Any, accepted: Sequence[Any]) -> Mistake | None:
    return None if value in accepted else _unlike("value_error:others", value, accepted)


def _text_mistake(value: str, accepted: Sequence[Any]) -> Mistake | None:
    same = any(standardized(value) == standardized(option) for option in accepted if isinstance(option, str))
    return None if same else _unlike("value_error:string", value, accepted)


def _list_mistake(value: list[Any], accepted: Sequence[Any]) -> Mistake | None:
    found = [standardized(item) for item in value]
    # An empty text among the acceptable values counts as an empty list, too.
    same = any(
        found == [standardized(item) for item in option] for option in accepted if isinstance(option, list | str)
    )
    return None if same else _unlike("value_error:list/tuple", value, accepted)


def _objects_mistake(value: list[Any], accepted: Sequence[Any]) -> Mistake | None:
    """Return the mistake against the last acceptable list where there is no list that fits."""
    mistake: Mistake | None = _unlike("list_dict_checker:unclear", value, accepted)
    # An empty text among the acceptable values counts as an empty list here, too.
    for option in (one for one in accepted if isinstance(one, list | str)):
        mistake = _objects_option(value, option)
        if mistake is None:
            return None
    return mistake


def _objects_option(value: list[Any], option: Sequence[Any]) -> Mistake | None:
    if len(value) != len(option):
        return Mistake("value_error:list_dict_count", f"expected {len(option)} objects, found {len(value)}")
    pairs = zip(value, option, strict=True)
    return next((mistake for item, one in pairs if (mistake := _object_mistake(item, [one]))), None)


def _object_mistake(value: Any, accepted: Sequence[Any]) -> Mistake | None:
    """Return the mistake against the last acceptable object where there is none that fits."""
    if not isinstance(value, dict):
        return Mistake("type_error:nested", f"expected an object, found {shown(value)}")
    mistake: Mistake | None = _unlike("dict_checker:unclear", value, accepted)
    for option in (one for one in accepted if isinstance(one, Mapping)):
        # Of a value that is wrong and a key that is missing, the leaderboard names the key.
        mistake = next(_missing_keys(value, option), None) or next(_key_mistakes(value, option), None)
        if mistake is None:
            return None
    return mistake


def _key_mistakes(value: Mapping[str, Any], option: Mapping[str, Any]) -> Iterator[Mistake]:
    for key, found in value.items():
        if key not in option:
            yield Mistake("value_error:dict_key", f"expected no key {key!r}, found {shown(found)}")
        elif standardized(found) not in [standardized(one) for one in options(option[key])]:
            yield _unlike("value_error:dict_value", found, options(option[key]), f"{key}: ")


def _missing_keys(value: Mapping[str, Any], option: Mapping[str, Any]) -> Iterator[Mistake]:
    for key in option:
        if key not in value and LEFT_OUT not in options(option[key]):
            yield Mistake("value_error:dict_key", f"expected a key {key!r}, found none")


def _unlike(error: str, value: Any, accepted: Sequence[Any], where: str = "") -> Mistake:
    wanted = " or ".join(shown(option) for option in accepted if option != LEFT_OUT) or "it to be left out"
    return Mistake(error, f"{where}expected {wanted}, found {shown(value)}")


def _as_float(value: int) -> int | float:
    try:
        return float(value)
    except OverflowError:
        return value
