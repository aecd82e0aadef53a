"""The part of a tool's schema that one argument has to fit, so that a call stays valid when its values are replaced.

Decisions: what limits a string (`pattern`, `format`, lengths, `const`) is looked up along `properties`, `items` and
`additionalProperties`; an argument that broke its schema before limits nothing.
Not covered: limits inside `$ref`, `anyOf` and the like, and those between several arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError

from evaluation.records import ToolCall, ToolSpec

_LIMITS = ("pattern", "format", "maxLength", "minLength", "const")
_FORMATS = FormatChecker()


class Limited(NamedTuple):
    """A string argument with a limit that it keeps to."""

    text: str
    label: str
    fits: Callable[[str], bool]


def limited(call: ToolCall, tools: Mapping[str, ToolSpec]) -> Iterator[Limited]:
    """Yield the string arguments of a call that its tool's schema limits."""
    tool = tools.get(call.name)
    if tool is not None:
        yield from _walk(call.arguments, tool.parameters, "")


def _walk(value: Any, schema: Any, label: str) -> Iterator[Limited]:
    if not isinstance(schema, Mapping):
        return
    if isinstance(value, str):
        limits = {name: schema[name] for name in _LIMITS if name in schema}
        fits = _fits(limits) if limits else None
        if fits is not None and fits(value):
            yield Limited(value, label, fits)
    elif isinstance(value, dict):
        properties = schema.get("properties")
        known = properties if isinstance(properties, Mapping) else {}
        for key, item in value.items():
            yield from _walk(item, known.get(key, schema.get("additionalProperties")), key)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(item, schema.get("items"), label)


def _fits(limits: dict[str, Any]) -> Callable[[str], bool] | None:
    try:
        Draft202012Validator.check_schema(limits)
    except SchemaError:
        return None
    validator = Draft202012Validator(limits, format_checker=_FORMATS)
    return lambda text: bool(validator.is_valid(text))
