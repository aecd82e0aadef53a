"""A scenario is proven where the oracle passes it and every wrong agent fails it.

Decisions: the agents are those of `oracle.py` and `flaws.py`; their turns are played here, against the same tools,
and the episodes shown to the validators, with no model and no event loop in between. A wrong agent that cannot exist
(no argument to drop) is named, not passed over. Where nothing may be called, one more agent errs: it guesses a call.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from evaluation import flaws
from evaluation.oracle import Edit, Script, script
from evaluation.records import Episode, Failure, Message, ModelCall, StopReason, ToolCall, Verdict
from evaluation.scenarios import Scenario
from evaluation.tools.execute import ToolBox, ToolOutcome
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
    box = ToolBox(scenario.tools, scenario.world, scenario.faults)
    # Where nothing is executed and nothing fails, the tools' answers decide nothing, and their checks take the time.
    is_played = bool(scenario.faults) or any(tool.function for tool in scenario.tools)
    failures = []
    for at, turn in enumerate(turns):
        messages.append(turn)
        for call in turn.tool_calls:
            outcome = box.call_now(call) if is_played else RECORDED
            if outcome.failure is not None:
                failures.append(Failure(kind=outcome.failure, message=outcome.message, turn=at, call_id=call.id))
            messages.append(Message(role="tool", content=outcome.content, tool_call_id=call.id, name=call.name))
    answered = bool(turns) and not turns[-1].tool_calls
    return Episode.model_construct(
        id="", scenario_id=scenario.id, task_key=scenario.task_key, messages=tuple(messages), tools=(),
        given=len(scenario.prompt), model_calls=(_CALL,) * len(turns), steps=(), failures=tuple(failures),
        stop_reason=StopReason.ANSWERED if answered else StopReason.TURN_LIMIT, agent="tools", attempt=0, seed=0,
        model="", template_hash="", started_at=_START, world=box.world,
    )  # fmt: skip


_CALL = ModelCall(latency_ms=0, tokens_in=0, tokens_out=0, finish="stop")


def found_wrong(scenario: Scenario, episode: Episode) -> str:
    """Return the first validator that fails the episode, with its reason; empty where all that apply pass."""
    for name, validator in VALIDATORS.items():
        found = validator(scenario, episode)
        if found.verdict == Verdict.FAILED:
            return f"{name}: {found.reason[:200]}"
    return ""
