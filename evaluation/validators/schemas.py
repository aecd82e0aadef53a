"""JSON Schemas that scenarios hold: whether one can be used, and what is wrong with a value by it.

Decisions: draft 2020-12; a schema refers only to itself, so that nothing is ever fetched; a `pattern` runs under the
time limit of `patterns.py`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from evaluation.validators.patterns import occurs

_NEVER_ENDS = "expected references that come to an end, found that {} leads back to itself"


def schema_mistakes(schema: Mapping[str, Any], value: Any) -> list[str]:
    """Return what is wrong with `value` by `schema`, one `path: text` each. Raises `TimeoutError` (see `patterns`)."""
    found = sorted(_validator(json.dumps(schema)).iter_errors(value), key=lambda error: error.json_path)
    return [f"{error.json_path.removeprefix('$.')}: {error.message}" for error in found]


def unusable(schema: Any) -> list[str]:
    """Return why `schema` cannot be used: it is none, or what it refers to is elsewhere, missing or without end."""
    try:
        return list(_unusable(json.dumps(schema, default=str)))
    except RecursionError:
        return ["expected a JSON Schema, found values in too many layers"]


@functools.lru_cache(maxsize=4096)
def _unusable(text: str) -> tuple[str, ...]:
    schema = json.loads(text)
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.exceptions.SchemaError as error:
        return (f"expected a JSON Schema, found: {error.message[:200]}",)
    references = list(dict.fromkeys(_references(schema)))
    if not references:
        return ()
    root = DRAFT202012.create_resource(schema)
    resolver = Registry().with_resource("", root).resolver_with_root(root)
    return tuple(wrong for reference in references if (wrong := _reference_mistake(resolver, reference)))


def _reference_mistake(resolver: Any, reference: str) -> str | None:
    """Return what is wrong with a reference, followed to where it leads."""
    seen: list[str] = []
    while reference not in seen:
        seen.append(reference)
        if not reference.startswith("#"):
            return f"expected a reference within the schema (#/$defs/…), found {reference!r}"
        try:
            target = resolver.lookup(reference).contents
        except Unresolvable:
            return f"expected a reference to something that is there, found {reference!r}"
        if not isinstance(target, Mapping) or not isinstance(target.get("$ref"), str):
            return None
        reference = target["$ref"]
    return _NEVER_ENDS.format(repr(reference))


def _references(schema: Any) -> Iterator[str]:
    """Yield what the schema refers to, at every depth, but not what stands in mere values."""
    if isinstance(schema, list):
        for item in schema:
            yield from _references(item)
    elif isinstance(schema, Mapping):
        for key, value in schema.items():
            if key == "$ref" and isinstance(value, str):
                yield value
            elif key not in ("enum", "const", "default", "examples"):
                yield from _references(value)


def _pattern(_: Any, pattern: str, value: Any, __: Any) -> Iterator[jsonschema.ValidationError]:
    if isinstance(value, str) and not occurs(pattern, value):
        yield jsonschema.ValidationError(f"{value[:200]!r} does not match {pattern!r}")


_Validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": _pattern})


@functools.lru_cache(maxsize=256)
def _validator(schema: str) -> Any:
    return _Validator(json.loads(schema), registry=Registry())
