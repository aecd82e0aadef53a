"""OpenAPI 3.x documents as lists of tools: each operation is one.

Decisions: the arguments are the path, query and header parameters and the body's fields in one object; a body that is
no object is one argument, `body`. A header that the HTTP client sets itself is left out. The name is the
`operationId`, else method and path. The response of the first 2xx status gives the output's schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from evaluation.generate.schemas import Schemas

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_OWN_HEADERS = ("accept", "content-type", "authorization")
_PLUMBING = ("x-request", "x-correlation", "x-trace", "idempotency", "if-match", "if-none-match")
"""How optional headers begin that a client sets and nobody asks for."""


class Operation(NamedTuple):
    """One tool as a document describes it, before its name is made valid."""

    name: str
    description: str
    parameters: dict[str, Any]
    output: dict[str, Any] | None
    """JSON Schema of the result, where the document gives it."""


def operations(document: Mapping[str, Any], schemas: Schemas) -> Iterator[Operation]:
    """Yield the document's operations in their order. What is wrong goes to `schemas.mistakes`."""
    paths = document.get("paths")
    if not isinstance(paths, Mapping):
        schemas.mistakes.append(f"paths: expected paths with operations, found {type(paths).__name__}")
        return
    for path, item in paths.items():
        item = _resolved(item, schemas, f"paths.{path}")
        for method in METHODS:
            if isinstance(item, Mapping) and method in item:
                yield from _operation(f"{method} {path}", item, item[method], schemas)


def _operation(where: str, item: Mapping[str, Any], operation: Any, schemas: Schemas) -> Iterator[Operation]:
    if not isinstance(operation, Mapping):
        schemas.mistakes.append(f"{where}: expected an operation with named fields, found {operation!r}")
        return
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter in [*_list(item, "parameters"), *_list(operation, "parameters")]:
        _add_parameter(_resolved(parameter, schemas, where), properties, required, schemas=schemas, where=where)
    _add_body(operation, properties, required, schemas=schemas, where=where)
    parameters = {"type": "object", "properties": properties, "required": list(dict.fromkeys(required))}
    said = [str(operation[key]) for key in ("summary", "description") if operation.get(key)]
    name = str(operation.get("operationId") or where.replace("{", "by ").replace("}", ""))
    description = ". ".join(text.strip().rstrip(".") for text in dict.fromkeys(said))
    yield Operation(name, description and description + ".", parameters, _output(operation, schemas, where))


def _add_parameter(
    parameter: Any, properties: dict[str, Any], required: list[str], *, schemas: Schemas, where: str
) -> None:
    if not isinstance(parameter, Mapping) or not isinstance(parameter.get("name"), str):
        schemas.mistakes.append(f"{where}: expected a parameter with a name, found {str(parameter)[:80]}")
        return
    name, place = parameter["name"], parameter.get("in")
    plumbing = not parameter.get("required") and name.lower().startswith(_PLUMBING)
    if place == "cookie" or (place == "header" and (name.lower() in _OWN_HEADERS or plumbing)):
        return
    schema: Any = parameter.get("schema") or next(iter(_contents(parameter, schemas, where)), {})
    whole = schemas.whole(schema, f"{where}: {name}")
    if parameter.get("description"):
        whole["description"] = parameter["description"]
    examples = [parameter["example"]] if "example" in parameter else []
    properties[name] = {**whole, **({"examples": examples} if examples else {})}
    if parameter.get("required") or place == "path":
        required.append(name)
    elif name in required:
        required.remove(name)


def _add_body(
    operation: Mapping[str, Any], properties: dict[str, Any], required: list[str], *, schemas: Schemas, where: str
) -> None:
    body = _resolved(operation.get("requestBody"), schemas, where)
    if not isinstance(body, Mapping):
        return
    schema = next(iter(_contents(body, schemas, where)), None)
    if schema is None:
        return
    whole = schemas.whole(schema, f"{where}: body")
    fields = whole.get("properties")
    if isinstance(fields, Mapping) and not any(key in whole for key in ("oneOf", "anyOf", "allOf")):
        clash = [name for name in fields if name in properties]
        for name in clash:
            schemas.notes.append(f"{where}: the body's {name} is given as body_{name}, as a parameter has the name")
        renamed = {name: f"body_{name}" if name in clash else name for name in fields}
        writable = {name: f for name, f in fields.items() if not (isinstance(f, Mapping) and f.get("readOnly"))}
        properties.update({renamed[name]: field for name, field in writable.items()})
        if body.get("required", False):
            required += [renamed[name] for name in whole.get("required", ()) if name in writable]
    else:
        properties["body"] = whole
        required += ["body"] if body.get("required", False) else []


def _output(operation: Mapping[str, Any], schemas: Schemas, where: str) -> dict[str, Any] | None:
    responses = operation.get("responses")
    for status, response in responses.items() if isinstance(responses, Mapping) else ():
        if str(status).startswith("2"):
            found = next(iter(_contents(_resolved(response, schemas, where), schemas, where)), None)
            return None if found is None else schemas.whole(found, f"{where}: response {status}")
    return None


def _contents(holder: Any, schemas: Schemas, where: str) -> list[Any]:
    """Return the schemas of what a body or response may hold, JSON first."""
    content = holder.get("content") if isinstance(holder, Mapping) else None
    if not isinstance(content, Mapping):
        return []
    kinds = sorted(content, key=lambda kind: "json" not in str(kind))
    return [
        content[kind]["schema"] for kind in kinds if isinstance(content[kind], Mapping) and "schema" in content[kind]
    ]


def _resolved(value: Any, schemas: Schemas, where: str) -> Any:
    for _ in range(8):
        if not (isinstance(value, Mapping) and "$ref" in value):
            return value
        value = schemas.target(value["$ref"], where)
    schemas.mistakes.append(f"{where}: expected a reference that ends, found one that leads on and on")
    return None


def _list(holder: Mapping[str, Any], key: str) -> list[Any]:
    value = holder.get(key)
    return value if isinstance(value, list) else []
