"""JSON Schemas of foreign tools, made self-contained: references put in place, cycles cut, foreign type names mapped.

Decisions: a reference that leads back to itself becomes a schema that takes anything, and is said; so does what lies
deeper than `MOST_DEPTH` layers. `allOf` is merged where its members are objects. A reference out of the document is a
mistake. What a schema says beyond that is left as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jsonschema

MOST_DEPTH = 24
"""Layers of a schema that are followed."""

JSON_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_FOREIGN = {
    "dict": "object", "map": "object", "list": "array", "tuple": "array", "set": "array", "str": "string",
    "text": "string", "float": "number", "double": "number", "decimal": "number", "int": "integer", "long": "integer",
    "bool": "boolean", "none": "null",
}  # fmt: skip
_ANY = ("any", "object | null", "unknown")
_NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTED = ("oneOf", "anyOf", "allOf", "prefixItems")
_SINGLE = ("items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else")


@dataclass
class Schemas:
    """Reads the schemas of one document and gathers what is wrong, and what had to be changed."""

    root: Mapping[str, Any]
    """What `#/…` references lead into."""
    mistakes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_openapi_30: bool = False
    """`nullable` and boolean `exclusiveMinimum` mean what OpenAPI 3.0 says."""

    def whole(self, schema: Any, where: str) -> dict[str, Any]:
        """Return `schema` with nothing outside itself. What is wrong goes to `mistakes`, with `where`."""
        if not isinstance(schema, Mapping):
            if isinstance(schema, bool):
                return {} if schema else {"not": {}}
            self.mistakes.append(f"{where}: expected a JSON Schema, found {_short(schema)}")
            return {}
        before = len(self.mistakes)
        out = self._inlined(schema, where, (), 0)
        if len(self.mistakes) == before:
            try:
                jsonschema.Draft202012Validator.check_schema(out)
            except jsonschema.exceptions.SchemaError as error:
                at = ".".join(str(part) for part in error.absolute_path)
                self.mistakes.append(
                    f"{where}: expected a JSON Schema, found at {at or 'its top'}: {error.message[:200]}"
                )
                return {}
        return out

    def parameters(self, schema: Any, where: str) -> dict[str, Any]:
        """Return the schema of a tool's arguments, which is an object's."""
        out = self.whole({"type": "object", "properties": {}} if schema is None else schema, where)
        kind = out.setdefault("type", "object")
        if kind != "object":
            self.mistakes.append(f"{where}: expected a schema of type object, found type {kind!r}")
        out.setdefault("properties", {})
        return out

    def target(self, reference: Any, where: str) -> Any:
        """Return what a `$ref` leads to, or None, with the mistake noted."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            self.mistakes.append(
                f"{where}: expected a reference inside the document (#/…), found {_short(reference)}; put it in place"
            )
            return None
        found: Any = self.root
        for part in filter(None, reference[1:].split("/")):
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and key.isdigit() and int(key) < len(found):
                found = found[int(key)]
            elif isinstance(found, Mapping) and key in found:
                found = found[key]
            else:
                self.mistakes.append(f"{where}: expected a reference to something in the document, found {reference!r}")
                return None
        return found

    def _inlined(self, schema: Mapping[str, Any], where: str, via: tuple[str, ...], depth: int) -> dict[str, Any]:
        if depth > MOST_DEPTH:
            self._note(f"{where}: cut below {MOST_DEPTH} layers; anything is taken there")
            return {}
        if "$ref" in schema:
            return self._referenced(schema, where, via, depth)
        out: dict[str, Any] = {}
        for key, value in schema.items():
            if key in ("$defs", "definitions", "$schema", "$id", "discriminator", "xml", "externalDocs"):
                continue
            if key in _NAMED and isinstance(value, Mapping):
                out[key] = {k: self._part(v, f"{where}.{k}", via, depth) for k, v in value.items()}
            elif key in _LISTED and isinstance(value, list):
                out[key] = [self._part(v, where, via, depth) for v in value]
            elif key in _SINGLE:
                out[key] = self._part(value, where, via, depth)
            else:
                out[key] = value
        self._plain_type(out, where)
        if self.is_openapi_30:
            _as_2020(out)
        _merge_all(out)
        return out

    def _part(self, schema: Any, where: str, via: tuple[str, ...], depth: int) -> Any:
        return self._inlined(schema, where, via, depth + 1) if isinstance(schema, Mapping) else schema

    def _referenced(self, schema: Mapping[str, Any], where: str, via: tuple[str, ...], depth: int) -> dict[str, Any]:
        reference = schema["$ref"]
        if reference in via:
            self._note(f"{where}: {reference} leads back to itself; cut there, where anything is taken")
            return {}
        found = self.target(reference, where)
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        if not isinstance(found, Mapping):
            return {}
        return self._inlined({**found, **beside}, where, (*via, reference), depth + 1)

    def _plain_type(self, out: dict[str, Any], where: str) -> None:
        """Map a type's name of another language: `dict`, `float`, `str`."""
        kind = out.get("type")
        if isinstance(kind, str) and kind not in JSON_TYPES:
            plain = _FOREIGN.get(kind.lower())
            if plain is not None:
                self._note(f"{where}: type {kind!r} read as {plain!r}")
                out["type"] = plain
            elif kind.lower() in _ANY:
                self._note(f"{where}: type {kind!r} read as any type")
                del out["type"]

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _merge_all(out: dict[str, Any]) -> None:
    """Put the members of `allOf` into `out` where that loses nothing: objects with properties of different names."""
    members = out.get("allOf")
    if not isinstance(members, list) or not all(isinstance(m, Mapping) for m in members):
        return
    merged: dict[str, Any] = {key: value for key, value in out.items() if key != "allOf"}
    for member in members:
        for key, value in member.items():
            if key == "properties" and isinstance(value, Mapping):
                merged["properties"] = {**value, **merged.get("properties", {})}
            elif key == "required" and isinstance(value, list):
                merged["required"] = list(dict.fromkeys([*merged.get("required", []), *value]))
            elif merged.setdefault(key, value) != value and key not in ("title", "description", "example"):
                return
    out.clear()
    out.update(merged)


def _as_2020(out: dict[str, Any]) -> None:
    """Write what OpenAPI 3.0 has of its own as JSON Schema 2020-12 does."""
    if out.pop("nullable", False) and isinstance(out.get("type"), str):
        out["type"] = [out["type"], "null"]
        if isinstance(out.get("enum"), list) and None not in out["enum"]:
            out["enum"] = [*out["enum"], None]
    for exclusive, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(out.get(exclusive), bool) and out.pop(exclusive) and limit in out:
            out[exclusive] = out.pop(limit)
    if "example" in out and "examples" not in out:
        out["examples"] = [out.pop("example")]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"
