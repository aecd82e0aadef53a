"""A scenario is proven where the oracle passes it and every wrong agent fails it.

Decisions: the agents are those of `oracle.py` and `flaws.py`; their turns are played here, against the same tools,
and the episodes shown to the validators, with no model and no event loop in between. A wrong agent that cannot exist
(no argument to drop) is named, not passed over. Where nothing may be called, one more agent errs: it guesses a call.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from evaluation import flaws
from evaluation.generate import stub_tools
from evaluation.oracle import Edit, Script, script
from evaluation.records import Episode, Failure, FailureKind, Message, ModelCall, StopReason, ToolCall, Verdict
from evaluation.scenarios import Scenario, ToolDef
from evaluation.tools.execute import ToolBox, ToolOutcome, argument_mistakes, failed
from evaluation.validators import VALIDATORS

WRONG: dict[str, Edit] = {
    "other_tool": flaws.other_tool,
    "dropped_argument": flaws.dropped_argument,
    "changed_value": flaws.changed_value,
    "prose_only": flaws.prose_only,
    "extra_call": flaws.extra_call,
}
"""The five agents that err in one respect."""

RECORDED = ToolOutcome('{"status": "recorded"}')
"""What a tool without a function answers."""
_START = datetime(2000, 1, 1, tzinfo=UTC)


class Proof(NamedTuple):
    """What the agents made of a scenario."""

    problem: str
    """Why the scenario is none: an agent, and what was found. Empty: it is proven."""
    impossible: tuple[str, ...] = ()
    """Wrong agents that cannot exist here."""


def prove(scenario: Scenario, guess: ToolCall | None = None) -> Proof:
    """Show the oracle's and the wrong agents' episodes to the validators.

    `guess`: a call that an agent might make where none is right.
    """
    try:
        return _prove(scenario, guess)
    except Exception as error:
        return Proof(f"a validator raises {type(error).__name__}")


def _prove(scenario: Scenario, guess: ToolCall | None) -> Proof:
    right = script(scenario)
    problem = found_wrong(scenario, enact(scenario, right))
    if problem:
        return Proof(f"the oracle fails: {problem}")
    impossible = []
    for name, edit in WRONG.items():
        try:
            turns = edit(scenario, right)
        except LookupError:
            impossible.append(name)
            continue
        if not found_wrong(scenario, enact(scenario, turns)):
            return Proof(f"the wrong agent {name} passes")
    if guess is not None:
        turns = (Message(role="assistant", tool_calls=(guess,)), Message(role="assistant", content="Done."))
        if not found_wrong(scenario, enact(scenario, turns)):
            return Proof("an agent that guesses a call passes")
    return Proof("", tuple(impossible))


def enact(scenario: Scenario, turns: Script) -> Episode:
    """Return the episode in which an assistant says `turns`, whatever the tools answer."""
    messages = [*scenario.prompt]
    call_now, world = _player(scenario)
    failures = []
    for at, turn in enumerate(turns):
        messages.append(turn)
        for call in turn.tool_calls:
            outcome = call_now(call)
            if outcome.failure is not None:
                failures.append(Failure(kind=outcome.failure, message=outcome.message, turn=at, call_id=call.id))
            messages.append(Message(role="tool", content=outcome.content, tool_call_id=call.id, name=call.name))
    answered = bool(turns) and not turns[-1].tool_calls
    return Episode.model_construct(
        id="", scenario_id=scenario.id, task_key=scenario.task_key, messages=tuple(messages), tools=(),
        given=len(scenario.prompt), model_calls=(_CALL,) * len(turns), steps=(), failures=tuple(failures),
        stop_reason=StopReason.ANSWERED if answered else StopReason.TURN_LIMIT, agent="tools", attempt=0, seed=0,
        model="", template_hash="", started_at=_START, world=world(),
    )  # fmt: skip


def _player(scenario: Scenario) -> tuple[Callable[[ToolCall], ToolOutcome], Callable[[], dict[str, Any]]]:
    """Return what makes a call, and what tells the world after it.

    Tools that are only recorded, or answer from the world, are played without a thread each; all others, and those
    that fail, by the box that a test run uses.
    """
    if scenario.faults or any(not stub_tools.is_stub(tool) for tool in scenario.tools if tool.function):
        box = ToolBox(scenario.tools, scenario.world, scenario.faults)
        return box.call_now, lambda: box.world
    stubs = {tool.name: tool for tool in scenario.tools if tool.function}
    return lambda call: _from_world(call, stubs, scenario.world), lambda: scenario.world


def _from_world(call: ToolCall, stubs: Mapping[str, ToolDef], world: Mapping[str, Any]) -> ToolOutcome:
    tool = stubs.get(call.name)
    if tool is None:
        return RECORDED
    wrong = argument_mistakes(tool, call.arguments)
    if wrong:
        return failed(FailureKind.INVALID_ARGUMENTS, f"invalid arguments for {call.name}: {'; '.join(wrong)}")
    result = stub_tools.answer(call.name, call.arguments, world)
    if isinstance(result, dict) and "error" in result:
        return ToolOutcome(json.dumps(result, ensure_ascii=False), FailureKind.TOOL_ERROR, str(result["error"]))
    return ToolOutcome(json.dumps(result, ensure_ascii=False))


_CALL = ModelCall(latency_ms=0, tokens_in=0, tokens_out=0, finish="stop")


def found_wrong(scenario: Scenario, episode: Episode) -> str:
    """Return the first validator that fails the episode, with its reason; empty where all that apply pass."""
    for name, validator in VALIDATORS.items():
        found = validator(scenario, episode)
        if found.verdict == Verdict.FAILED:
            return f"{name}: {found.reason[:200]}"
    return ""
