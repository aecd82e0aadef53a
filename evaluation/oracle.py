"""An agent that makes exactly the expected calls and then says the reference answer.

Decisions: it goes through the same agent loop as any model, so that a reference episode has the same shape, real tool
results included. Each call takes the first acceptable value of each argument and leaves optional ones out; one call a
turn, those in any order in one turn; a call that has to be retried is made once more for each time that it fails. Where a
scenario holds a script of its own (a dialogue does), that is what it does.
Limits: where any call will do, it makes none, and so fails: nobody said which one is right.
`Script` holds the turns before they are said, so that an agent that errs in one respect is the oracle with one edit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from evaluation.agents import attempt
from evaluation.models import ModelError, Sampling, ScriptedModel
from evaluation.records import Episode, Message, RecoveryStrategy, ToolCall, ToolSpec
from evaluation.scenarios import ExpectedAnswer, ExpectedCall, Scenario
from evaluation.validators.accepted import first_accepted
from evaluation.validators.calls import expected_calls

NAME = "oracle"

Script = tuple[Message, ...]
"""Assistant turns in their order."""

Edit = Callable[[Scenario, Script], Script]
"""Turns the right script of a scenario into another one."""


def oracle(scenario: Scenario) -> ScriptedModel:
    """Return a model that does `scenario` right, as often as it is asked to."""
    return _follow(scenario, script(scenario))


def suite_oracle(scenarios: Sequence[Scenario], edit: Edit | None = None, name: str = NAME) -> ScriptedModel:
    """Return one model that does each of `scenarios` right, or as `edit` changes it.

    It knows a scenario by its prompt and tools; of two that agree in both, the first counts.
    """
    scripts: dict[tuple[object, ...], tuple[int, Script]] = {}
    for scenario in reversed(scenarios):
        right = script(scenario)
        turns = edit(scenario, right) if edit else right
        scripts[_key(scenario.prompt, scenario.tools)] = (len(scenario.prompt), turns)

    def say(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Message:
        # The scenario's own messages end before the first turn that is not among them.
        for length in range(len(messages), 0, -1):
            found = scripts.get(_key(messages[:length], tools))
            if found is not None:
                return _turn(messages[found[0] :], found[1])
        raise ModelError(f"expected a conversation of one of {len(scripts)} scenarios, found {messages[-1].content!r}")

    return ScriptedModel(say, name)


async def reference_episode(scenario: Scenario, *, run_id: str = "", seed: int = 0) -> Episode:
    """Return the episode in which the oracle does `scenario`. Its start time is fixed: same scenario, same episode."""
    episode = await attempt(scenario, oracle(scenario), sampling=Sampling(seed=seed), run_id=run_id)
    return episode.model_copy(update={"started_at": datetime.fromisoformat("2000-01-01T00:00:00+00:00")})


def script(scenario: Scenario) -> Script:
    """Return the turns that do `scenario` right."""
    if scenario.expected.script:
        return scenario.expected.script
    wanted = expected_calls(scenario)
    together = scenario.expected.order == "any" or scenario.stop == "calls"
    groups = [wanted] if together and wanted else [[call] for call in wanted]
    turns = [turn for group in groups for turn in _repeated(scenario, group)]
    calls = [
        Message(role="assistant", tool_calls=tuple(_call(call, at, i) for i, call in enumerate(turn)))
        for at, turn in enumerate(turns)
    ]
    if scenario.stop == "calls" and calls:
        return tuple(calls)
    return (*calls, Message(role="assistant", content=reference_answer(scenario)))


def reference_answer(scenario: Scenario) -> str:
    """Return an answer that is right: the scenario's own, else one made of what it has to contain."""
    wanted = scenario.expected.answer or ExpectedAnswer()
    if wanted.reference:
        return wanted.reference
    opening = {
        RecoveryStrategy.CLARIFY: "Could you tell me what is missing?",
        RecoveryStrategy.GRACEFUL_FAIL: "Sorry, that did not work.",
    }
    parts = [opening.get(scenario.expected.recovery, "")] if scenario.expected.recovery else []
    parts += [", ".join(wanted.contains), *wanted.any_of[:1]]
    return " ".join(part for part in parts if part) or "Done."


def _repeated(scenario: Scenario, group: Sequence[ExpectedCall]) -> list[list[ExpectedCall]]:
    """Return the group's turns: itself, then what has failed, as often as it fails."""
    if scenario.expected.recovery != RecoveryStrategy.RETRY:
        return [list(group)]
    fails = {call.name: scenario.faults[call.name].times or 0 for call in group if call.name in scenario.faults}
    again = range(1, max(fails.values(), default=0) + 1)
    return [list(group), *([call for call in group if fails.get(call.name, 0) >= turn] for turn in again)]


def _call(expected: ExpectedCall, turn: int, index: int) -> ToolCall:
    return ToolCall(id=f"call_{turn}_{index}", name=expected.name, arguments=first_accepted(expected))


def _follow(scenario: Scenario, turns: Script) -> ScriptedModel:
    return ScriptedModel(lambda messages, _: _turn(messages[len(scenario.prompt) :], turns), NAME)


def _turn(said: Sequence[Message], turns: Script) -> Message:
    at = sum(message.role == "assistant" for message in said)
    if at >= len(turns):
        raise ModelError(f"expected at most {len(turns)} turns, was asked for turn {at + 1}")
    return turns[at]


def _key(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> tuple[object, ...]:
    said = tuple((m.role, m.content, len(m.tool_calls), m.tool_call_id) for m in messages)
    return (*said, *(tool.name for tool in tools))
