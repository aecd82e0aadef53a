"""What a plain scenario file may leave out, written out in full (docs/scenario-format.md).

Only what has the shape of a shorthand is changed; what is wrong stays as it is, and is reported where types are
checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation.scenarios import ExpectedArgument

_SAYS_WHAT = ("any_of", "regex", "optional")
"""Of these, an argument that is written out in full has one."""


def in_full(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a scenario's fields with the shorthands of `expected`, `policy` and `user` written out."""
    ways = {"expected": _expected, "policy": _policy, "user": _user}
    return {key: ways[key](value) if key in ways else value for key, value in row.items()}


def _expected(expected: Any) -> Any:
    return _with_calls(expected, "calls", "forbidden")


def _policy(policy: Any) -> Any:
    if isinstance(policy, str):
        return {"text": policy}
    full = _with_calls(policy, "never")
    if isinstance(full, dict) and isinstance(full.get("first"), dict):
        full["first"] = {tool: _listed(needed) for tool, needed in full["first"].items()}
    return full


def _user(user: Any) -> Any:
    """A user who has instructions is played by a model, another one follows a script."""
    if not isinstance(user, dict):
        return user
    full = {"kind": "model" if "instructions" in user else "scripted", **user}
    if isinstance(full.get("slots"), dict):
        full["slots"] = {name: _slot(slot) for name, slot in full["slots"].items()}
    return full


def _slot(slot: Any) -> Any:
    return {**slot, "asked": _listed(slot["asked"])} if isinstance(slot, dict) and "asked" in slot else slot


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _with_calls(within: Any, *names: str) -> Any:
    if not isinstance(within, dict):
        return within
    lists = {name: within[name] for name in names if isinstance(within.get(name), list)}
    return {**within, **{name: [_call(call) for call in calls] for name, calls in lists.items()}}


def _call(call: Any) -> Any:
    """A call that is just a name is one of that tool, with no arguments or, where it is forbidden, with any."""
    if isinstance(call, str):
        return {"name": call, "arguments": {}}
    if not isinstance(call, dict):
        return call
    arguments = call.get("arguments", {})
    if not isinstance(arguments, dict):
        return call
    return {**call, "arguments": {name: _argument(value) for name, value in arguments.items()}}


def _argument(value: Any) -> Any:
    """`city: Oslo` stands for `city: {any_of: [Oslo]}`."""
    if isinstance(value, dict) and "any_of" in value:
        return value
    fields = ExpectedArgument.model_fields
    described = isinstance(value, dict) and any(k in value for k in _SAYS_WHAT) and all(k in fields for k in value)
    return value if described else {"any_of": [value]}
