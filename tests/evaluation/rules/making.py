"""Small scenarios in the leaderboard's notation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.records import Message
from evaluation.scenarios import Expected, ExpectedArgument, ExpectedCall, Kind, Part, Scenario, ToolDef

NAME = "f"


def schema(short: Any) -> dict[str, Any]:
    """Return JSON Schema: of a type's name, `[items]`, `{key: schema}`, or a schema in full (`{"type": …}`)."""
    if isinstance(short, str):
        return {} if short == "any" else {"type": short}
    if isinstance(short, list):
        return {"type": "array", "items": schema(short[0])}
    if isinstance(short.get("type"), str):
        return dict(short)
    return {"type": "object", **({"properties": {k: schema(v) for k, v in short.items()}} if short else {})}


def scenario(
    tool: Mapping[str, Any],
    accepted: Sequence[Mapping[str, Sequence[Any]]],
    *,
    names: Sequence[str] = (NAME,),
    required: Sequence[str] | None = None,
    **expected: Any,
) -> Scenario:
    """Return a scenario with tools of these `names` and the same parameters; calls are of the first one."""
    may_be_missing = {name for call in accepted for name, values in call.items() if "" in values}
    needed = [name for name in tool if name not in may_be_missing] if required is None else list(required)
    parameters = {"type": "object", "properties": {k: schema(v) for k, v in tool.items()}, "required": needed}
    calls = [
        ExpectedCall(
            name=names[0],
            notation="bfcl",
            arguments={
                name: ExpectedArgument(any_of=tuple(values), optional="" in values and name not in needed)
                for name, values in call.items()
            },
        )
        for call in accepted
    ]
    order = "any" if len(calls) > 1 else "strict"
    return Scenario(
        id="bfcl/x_1",
        group="g",
        part=Part.TRAIN,
        kind=Kind.IMPORTED,
        messages=(Message(role="user", content="Do it."),),
        tools=tuple(ToolDef(name=name, description="", parameters=parameters) for name in names),
        expected=Expected(**{"calls": tuple(calls), "order": order} | expected),
        stop="calls",
    )


def calls(*arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return an output that calls the first tool with each of `arguments`."""
    return [{NAME: dict(one)} for one in arguments]
