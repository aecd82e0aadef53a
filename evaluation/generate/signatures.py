"""Python signatures as tools: the public functions of a file, read from its syntax tree and never executed.

Decisions: annotations become JSON Schema (`int`, `list[str]`, `dict[str, int]`, `Literal`, `Optional`, unions,
`Annotated`, and the file's own enums, dataclasses, typed dicts and pydantic models). The docstring's first paragraph
is the description; Google, numpy and reStructuredText styles describe the parameters. A parameter `world` is the
harness's own. A function without an annotation on a parameter is a mistake: a tool needs types.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from typing import Any

from evaluation.generate.openapi import Operation

_PLAIN: dict[str, dict[str, Any]] = {
    "str": {"type": "string"}, "int": {"type": "integer"}, "float": {"type": "number"}, "bool": {"type": "boolean"},
    "None": {"type": "null"}, "Any": {}, "object": {}, "dict": {"type": "object"}, "Dict": {"type": "object"},
    "list": {"type": "array"}, "List": {"type": "array"}, "tuple": {"type": "array"}, "set": {"type": "array"},
    "date": {"type": "string", "format": "date"}, "datetime": {"type": "string", "format": "date-time"},
    "time": {"type": "string", "format": "time"}, "UUID": {"type": "string", "format": "uuid"},
    "Decimal": {"type": "number"}, "Path": {"type": "string"}, "EmailStr": {"type": "string", "format": "email"},
}  # fmt: skip
_LISTS = ("list", "List", "Sequence", "Iterable", "tuple", "Tuple", "Collection")
_SETS = ("set", "Set", "frozenset", "FrozenSet")
_MAPS = ("dict", "Dict", "Mapping")
_ENUMS = ("Enum", "StrEnum", "IntEnum")
_PARAMETER = re.compile(r"^\s*(?::param (?:\w+ )?)?\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.+)$")
_NUMPY = re.compile(r"^(\w+)\s*:\s*\S.*$")


def functions(module: ast.Module, mistakes: list[str]) -> Iterator[Operation]:
    """Yield the file's public functions that have a docstring or annotations. Mistakes go to `mistakes`."""
    annotations = _Annotations(module)
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield _function(node, annotations, mistakes)


def _function(
    node: ast.FunctionDef | ast.AsyncFunctionDef, annotations: _Annotations, mistakes: list[str]
) -> Operation:
    text = ast.get_docstring(node) or ""
    described = _described(text)
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    positional = len(node.args.posonlyargs) + len(node.args.args)
    defaults: list[ast.expr | None] = [None] * (positional - len(node.args.defaults))
    defaults += [*node.args.defaults, *node.args.kw_defaults]
    properties: dict[str, Any] = {}
    required = []
    for argument, default in zip(arguments, defaults, strict=True):
        name = argument.arg
        if name in ("self", "cls", "world"):
            continue
        where = f"{node.name}({name}), line {argument.lineno}"
        if argument.annotation is None:
            mistakes.append(f"{where}: expected a parameter with an annotation, found none")
            continue
        schema = annotations.schema(argument.annotation, where, mistakes)
        if name in described:
            schema = {**schema, "description": described[name]}
        if default is None:
            required.append(name)
        elif isinstance(default, ast.Constant) and default.value is not None:
            schema = {**schema, "default": default.value}
        properties[name] = schema
    output = annotations.schema(node.returns, node.name, []) if node.returns is not None else None
    parameters = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    first = inspect.cleandoc(text).split("\n\n")[0].replace("\n", " ").strip() if text else ""
    return Operation(node.name, first, parameters, output or None)


def _described(text: str) -> dict[str, str]:
    """Return what a docstring says of each parameter."""
    out: dict[str, str] = {}
    lines = text.splitlines()
    for at, line in enumerate(lines):
        numpy = _NUMPY.match(line)
        if numpy and at + 1 < len(lines) and lines[at + 1].startswith("    "):
            out.setdefault(numpy[1], lines[at + 1].strip())
        elif line.startswith((" ", "\t", ":param")) and (found := _PARAMETER.match(line)):
            out.setdefault(found[1], found[2].strip())
    return out


class _Annotations:
    """The annotations of one file, with the types that it defines itself."""

    def __init__(self, module: ast.Module) -> None:
        self._classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
        self._open: list[str] = []

    def schema(self, node: ast.expr, where: str, mistakes: list[str]) -> dict[str, Any]:
        """Return an annotation as JSON Schema; one that is not known is a mistake and takes anything."""
        match node:
            case ast.Constant(value=None):
                return {"type": "null"}
            case ast.Constant(value=str(text)):
                return self.schema(ast.parse(text, mode="eval").body, where, mistakes)
            case ast.BinOp(op=ast.BitOr(), left=left, right=right):
                return _union([self.schema(left, where, mistakes), self.schema(right, where, mistakes)])
            case ast.Name(id=name) | ast.Attribute(attr=name):
                return self._named(name, where, mistakes)
            case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inner):
                return self._generic(name, inner, where, mistakes)
        mistakes.append(f"{where}: expected an annotation that can be read as JSON Schema, found {ast.unparse(node)}")
        return {}

    def _named(self, name: str, where: str, mistakes: list[str]) -> dict[str, Any]:
        if name in _PLAIN:
            return dict(_PLAIN[name])
        if name in self._classes and name not in self._open:
            self._open.append(name)
            try:
                return self._class(self._classes[name], where, mistakes)
            finally:
                self._open.pop()
        if name not in self._classes:
            mistakes.append(f"{where}: expected a type that the file defines or a built-in one, found {name}")
        return {}

    def _generic(self, name: str, inner: ast.expr, where: str, mistakes: list[str]) -> dict[str, Any]:
        parts = list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]
        if name == "Literal":
            values = [part.value for part in parts if isinstance(part, ast.Constant)]
            return {"enum": values, **_type_of(values)}
        if name in ("Annotated", "Required", "NotRequired", "ClassVar", "Final"):
            said = [p.value for p in parts[1:] if isinstance(p, ast.Constant) and isinstance(p.value, str)]
            return self.schema(parts[0], where, mistakes) | ({"description": said[0]} if said else {})
        schemas = [self.schema(part, where, mistakes) for part in parts if not _is_dots(part)]
        if name == "Optional":
            return _union([*schemas, {"type": "null"}])
        if name == "Union":
            return _union(schemas)
        if name in _LISTS or name in _SETS:
            unique = {"uniqueItems": True} if name in _SETS else {}
            return {"type": "array", "items": schemas[0] if schemas else {}, **unique}
        if name in _MAPS:
            return {"type": "object", "additionalProperties": schemas[-1]}
        mistakes.append(f"{where}: expected an annotation that can be read as JSON Schema, found {name}[…]")
        return {}

    def _class(self, node: ast.ClassDef, where: str, mistakes: list[str]) -> dict[str, Any]:
        bases = {base.id if isinstance(base, ast.Name) else getattr(base, "attr", "") for base in node.bases}
        if bases & set(_ENUMS):
            values = [
                s.value.value for s in node.body if isinstance(s, ast.Assign) and isinstance(s.value, ast.Constant)
            ]
            return {"enum": values, **_type_of(values)}
        fields = [s for s in node.body if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)]
        properties = {
            f.target.id: self.schema(f.annotation, where, mistakes) for f in fields if isinstance(f.target, ast.Name)
        }
        optional = {
            f.target.id for f in fields if isinstance(f.target, ast.Name) and (f.value or _is_optional(f.annotation))
        }
        return {
            "type": "object",
            "properties": properties,
            "required": [name for name in properties if name not in optional],
            "additionalProperties": False,
        }


def _union(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    kinds = [schema.get("type") for schema in schemas]
    bare = all(isinstance(kind, str) for kind in kinds) and all(len(schema) == 1 for schema in schemas)
    if bare:
        return {"type": list(dict.fromkeys(kinds))} if len(set(kinds)) > 1 else schemas[0]
    return {"anyOf": schemas}


def _type_of(values: list[Any]) -> dict[str, Any]:
    kinds = {type(value) for value in values}
    names = {str: "string", int: "integer", float: "number", bool: "boolean"}
    return {"type": names[kinds.pop()]} if len(kinds) == 1 and kinds <= names.keys() else {}


def _is_dots(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def _is_optional(node: ast.expr) -> bool:
    return isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("NotRequired")
