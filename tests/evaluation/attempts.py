"""A few scenarios of every kind over two small tools, and what tests of attempts share."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from evaluation.agents import Limits, attempt
from evaluation.models import ModelClient, Sampling, ScriptedModel
from evaluation.records import Episode, Message, RecoveryStrategy, ToolCall, Verdict
from evaluation.scenarios import (
    Expected,
    ExpectedAnswer,
    ExpectedArgument,
    ExpectedCall,
    Fault,
    Kind,
    Part,
    Scenario,
    ToolDef,
)
from evaluation.validators import validate

HERE = "tests.evaluation.attempts"


def stock(world: dict[str, Any], item: str, near: float = 1.0) -> dict[str, Any]:
    return {"item": item, "left": world["stock"][item]}


def order(world: dict[str, Any], item: str, count: int) -> dict[str, Any]:
    world["stock"][item] -= count
    return {"ordered": count}


def raises(world: dict[str, Any]) -> None:
    raise RuntimeError("the drawer is stuck")


def hangs(world: dict[str, Any]) -> None:
    time.sleep(1)


def tool(name: str, required: list[str] | None = None, **properties: dict[str, Any]) -> ToolDef:
    needed = list(properties) if required is None else required
    parameters = {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}
    return ToolDef(name=name, description=f"{name} it", parameters=parameters, function=f"{HERE}:{name}")


TEXT, COUNT, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
TOOLS = (
    tool("stock", ["item"], item=TEXT, near=NUMBER),
    tool("order", item=TEXT, count=COUNT),
    tool("raises"),
    tool("hangs"),
)


def want(name: str, **arguments: Any) -> ExpectedCall:
    return ExpectedCall(name=name, arguments={k: ExpectedArgument(any_of=(v,)) for k, v in arguments.items()})


def scenario(kind: Kind, expected: Expected, **fields: Any) -> Scenario:
    said = Message(role="user", content=fields.pop("query", f"a {kind.value} thing"))
    return Scenario(
        **{
            "id": kind.value,
            "group": kind.value,
            "part": Part.TRAIN,
            "kind": kind,
            "messages": (Message(role="system", content="Use the tools."), said),
            "tools": TOOLS,
            "world": {"stock": {"pen": 1234, "cup": 5}},
            "expected": expected,
        }
        | fields
    )


PEN = want("stock", item="pen")
SAYS_PEN = ExpectedAnswer(contains=("1234",), reference="There are 1,234 pens.")
FAILS_TWICE = {"stock": Fault(kind="error", times=2)}
FAILS = {"stock": Fault(kind="timeout")}

KINDS = [
    scenario(Kind.ONE_CALL, Expected(calls=(want("order", item="cup", count=2),))),
    scenario(Kind.NEAR_TWIN, Expected(calls=(PEN,))),
    scenario(Kind.NO_TOOL, Expected(answer=ExpectedAnswer(any_of=("hello", "hi")))),
    scenario(Kind.MISSING_ARGUMENT, Expected(recovery=RecoveryStrategy.CLARIFY)),
    scenario(Kind.TOOL_ERROR, Expected(calls=(PEN,), recovery=RecoveryStrategy.RETRY), faults=FAILS_TWICE),
    scenario(
        Kind.TOOL_ERROR,
        # A retry may also be written out, one expected call each time.
        Expected(calls=(PEN, PEN, PEN), recovery=RecoveryStrategy.RETRY),
        faults=FAILS_TWICE,
        id="retry_written_out",
        query="an error, written out",
    ),
    scenario(
        Kind.TOOL_ERROR,
        Expected(calls=(PEN,), recovery=RecoveryStrategy.GRACEFUL_FAIL),
        faults=FAILS,
        id="graceful",
        query="an error that lasts",
    ),
    scenario(Kind.CHAIN, Expected(calls=(PEN, want("order", item="pen", count=1234)), answer=SAYS_PEN)),
    scenario(Kind.STATED_ANSWER, Expected(calls=(PEN,), answer=SAYS_PEN)),
    scenario(
        Kind.IMPORTED,
        Expected(calls=(PEN, want("stock", item="cup")), order="any"),
        stop="calls",
        query="pens and cups",
    ),
]
BY_ID = {one.id: one for one in KINDS}


def call(name: str, /, id: str = "c", **arguments: Any) -> ToolCall:
    return ToolCall(id=id, name=name, arguments=arguments)


def calling(*calls: ToolCall) -> Message:
    return Message(role="assistant", tool_calls=calls)


def saying(text: str) -> Message:
    return Message(role="assistant", content=text)


def run(one: Scenario, model: ModelClient, limits: Limits | None = None, **sampling: Any) -> Episode:
    return asyncio.run(attempt(one, model, sampling=Sampling(**sampling), run_id="r", limits=limits))


def follow(one: Scenario, *turns: Message, limits: Limits | None = None) -> Episode:
    return run(one, ScriptedModel(turns), limits)


def verdicts(one: Scenario, episode: Episode) -> dict[str, Verdict]:
    return {v.name: v.verdict for v in validate(one, episode)}


def failed(one: Scenario, episode: Episode) -> set[str]:
    return {name for name, verdict in verdicts(one, episode).items() if verdict == Verdict.FAILED}
