"""Typed arguments as the text of XML parameters, and back, by the JSON Schema of the tool.

Text stands as it is; numbers, booleans and null are spelled; arrays and objects are JSON, or tags where the tool says
so. What cannot be read as its type stays text, and the schema then says that it is wrong.
Limits: text loses the whitespace at its ends, and cannot hold the closing tag of its own parameter; under a schema that
allows both text and another type, text that spells the other is read as the other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import quoteattr

from evaluation.protocols import javascript, markup
from evaluation.protocols.spec import Markup, Tool
from evaluation.protocols.strict_json import NotJson, parse_json

_OF_TYPE: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}


def read_all(values: Mapping[str, str], schema: Mapping[str, Any], tool: Tool | None) -> dict[str, Any]:
    """Return typed arguments from texts."""
    properties = schema.get("properties", {})
    return {name: _read(text, properties.get(name, {}), markup_of(tool, name)) for name, text in values.items()}


def write_all(arguments: Mapping[str, Any], tool: Tool | None) -> dict[str, str]:
    """Return texts from typed arguments."""
    return {name: _write(value, markup_of(tool, name)) for name, value in arguments.items()}


def markup_of(tool: Tool | None, parameter: str) -> Markup | None:
    """Return how a parameter's entries are written as tags; None where they are not."""
    found = tool.parameters.get(parameter) if tool is not None else None
    return found.markup if found is not None else None


def _read(text: str, schema: Mapping[str, Any], tags: Markup | None) -> Any:
    if tags is not None:
        try:
            return [_entry(element, tags) for element in markup.read(text, _verbatim(tags)).all(tags.tag)]
        except markup.Unreadable:
            return text
    types = types_of(schema)
    if types == {"string"}:
        return text
    try:
        value = parse_json(text if types & {"string"} else text.lower() if _is_boolean(text) else text)
    except NotJson:
        return text
    if not types:
        return text if isinstance(value, str) else value
    return value if any(_is(value, name) for name in types - {"string"}) else text


def types_of(schema: Mapping[str, Any]) -> set[str]:
    """Return the JSON types that a schema allows; none where it does not say."""
    one_of = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(one_of, list):
        return {name for inner in one_of if isinstance(inner, Mapping) for name in types_of(inner)}
    found = schema.get("type")
    if found is None and schema.get("enum"):
        return {"string"} if all(isinstance(value, str) for value in schema["enum"]) else set()
    return {str(name) for name in found} if isinstance(found, list) else {str(found)} if found else set()


def _is(value: Any, name: str) -> bool:
    return isinstance(value, _OF_TYPE.get(name, ())) and (name == "boolean" or not isinstance(value, bool))


def _is_boolean(text: str) -> bool:
    return text.lower() in ("true", "false")


def _verbatim(tags: Markup) -> tuple[str, ...]:
    return (tags.tag,) if tags.text is not None else ()


def _entry(element: markup.Element, tags: Markup) -> dict[str, Any]:
    if tags.text is not None:
        return {tags.text: javascript.trim(element.text), **element.attributes}
    fields: dict[str, Any] = {}
    for child in element.children:
        fields[child.name] = [*_several(fields.get(child.name)), child.text] if child.name in fields else child.text
    return fields


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _write(value: Any, tags: Markup | None) -> str:
    if tags is not None and isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
        return "\n".join(_tags(entry, tags) for entry in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _tags(entry: Mapping[str, Any], tags: Markup) -> str:
    given = {name: value for name, value in entry.items() if value is not None}
    if tags.text is not None:
        attributes = "".join(f" {n}={quoteattr(str(v))}" for n, v in given.items() if n != tags.text)
        return f"<{tags.tag}{attributes}>{given.get(tags.text, '')}</{tags.tag}>"
    inner = "".join(f"<{n}>{_write(v, None)}</{n}>" for n, each in given.items() for v in _several(each))
    return f"<{tags.tag}>{inner}</{tags.tag}>"
