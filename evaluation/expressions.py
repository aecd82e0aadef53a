"""Expressions over the fields of an outcome, for metrics that need no file: `tokens_out / model_calls`.

Decisions: Python's syntax, read as a tree and computed node by node: names, numbers, texts, arithmetic, comparisons,
`and`, `or`, `not`, `in`, `if … else`, and a few functions. No attributes, no indexing, no other call, so that an
expression reaches nothing and always ends. A name whose value is None makes the whole None: not measured; so does a
division by zero. Not covered: powers, and texts times numbers, whose results know no bounds.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Value = Any
"""None, bool, int, float, str, or a tuple of these."""

FUNCTIONS: Mapping[str, Callable[..., Value]] = {
    "abs": abs,
    "float": lambda value: float(value),
    "len": len,
    "lower": lambda text: str(text).lower(),
    "max": max,
    "min": min,
    "round": round,
    "words": lambda text: len(str(text).split()),
}
"""What an expression may call."""

_BINARY: Mapping[type[ast.operator], Callable[[Value, Value], Value]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARED: Mapping[type[ast.cmpop], Callable[[Value, Value], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, many: one in many,
    ast.NotIn: lambda one, many: one not in many,
}
_KNOWN = (ast.Constant, ast.Name, ast.Load, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call,
          ast.Tuple, ast.List, ast.And, ast.Or, ast.Not, ast.USub, ast.UAdd, *_BINARY, *_COMPARED)  # fmt: skip


class ExpressionError(ValueError):
    """The text is no expression that can be computed. Says what was expected and found."""


class _Unmeasured(Exception):
    """A name has no value."""


class Expression:
    """A checked expression."""

    def __init__(self, text: str, names: Mapping[str, str]) -> None:
        """Read `text`; `names`: the fields that it may use, with what they are. Raises `ExpressionError`."""
        self.text = text
        try:
            self._tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ExpressionError(f"expected an expression such as `tokens_out / model_calls`, found {text!r}"
                                  f" ({error})") from None  # fmt: skip
        mistakes = list(dict.fromkeys(_mistakes(self._tree, names)))
        if mistakes:
            raise ExpressionError(f"{text!r}: {'; '.join(mistakes)}")

    @property
    def is_truth(self) -> bool:
        """Whether its value is always yes or no."""
        return _is_truth(self._tree)

    def __call__(self, values: Mapping[str, Value]) -> Value:
        """Return its value; None where a name that it needs has none, or it divides by zero. Raises `TypeError`."""
        try:
            return _value(self._tree, values)
        except (_Unmeasured, ZeroDivisionError):
            return None


def _mistakes(tree: ast.expr, names: Mapping[str, str]) -> Iterator[str]:
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if not isinstance(node, _KNOWN):
            yield f"expected no {type(node).__name__} in an expression, found one"
        elif isinstance(node, ast.Call) and (not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS):
            yield f"expected a call of {', '.join(FUNCTIONS)}, found {ast.unparse(node.func)}"
        elif isinstance(node, ast.Call) and node.keywords:
            yield f"expected {ast.unparse(node.func)} without names of arguments"
        elif isinstance(node, ast.Name) and id(node) not in called and node.id not in names:
            yield f"expected one of {', '.join(sorted(names))}, found {node.id}"


def _is_truth(node: ast.expr) -> bool:
    if isinstance(node, ast.BoolOp):
        return all(map(_is_truth, node.values))
    if isinstance(node, ast.IfExp):
        return _is_truth(node.body) and _is_truth(node.orelse)
    truth = isinstance(node, ast.Constant) and isinstance(node.value, bool)
    return truth or isinstance(node, ast.Compare) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not))


def _value(node: ast.expr, values: Mapping[str, Value]) -> Value:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            if values.get(name) is None:
                raise _Unmeasured
            return values[name]
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return tuple(_value(part, values) for part in parts)
        case ast.IfExp(test=test, body=body, orelse=other):
            return _value(body if _value(test, values) else other, values)
        case ast.BoolOp(op=op, values=parts):
            return _either(isinstance(op, ast.And), parts, values)
        case ast.UnaryOp(op=sign, operand=operand):
            return _signed(sign, _value(operand, values))
        case ast.Compare(left=left, ops=ops, comparators=others):
            sides = [_value(side, values) for side in (left, *others)]
            pairs = zip(ops, sides, sides[1:], strict=False)
            return all(_COMPARED[type(op)](one, other) for op, one, other in pairs)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return FUNCTIONS[name](*(_value(argument, values) for argument in arguments))
        case ast.BinOp(left=left, op=operation, right=right):
            return _computed(operation, _value(left, values), _value(right, values))
    raise TypeError(f"expected an expression, found {type(node).__name__}")


def _either(every: bool, parts: list[ast.expr], values: Mapping[str, Value]) -> Value:
    result: Value = every
    for part in parts:
        result = _value(part, values)
        if bool(result) is not every:
            break
    return result


def _signed(sign: ast.unaryop, value: Value) -> Value:
    if isinstance(sign, ast.Not):
        return not value
    return -value if isinstance(sign, ast.USub) else +value


def _computed(operation: ast.operator, one: Value, other: Value) -> Value:
    if not isinstance(operation, ast.Add) and not all(isinstance(side, int | float) for side in (one, other)):
        raise TypeError(f"expected numbers, found {one!r} and {other!r}")
    return _BINARY[type(operation)](one, other)
