"""Agent `react`: thought, action and observation in turns, all in text (Yao et al. 2022, arXiv 2210.03629).

Decisions: one step, `react.step`, is asked again and again with what was thought, done and observed so far; the tools
are described in it. A call goes into the conversation with its thought, whatever it names: what cannot be made is the
next observation. What a model writes behind a made-up observation does not count.
Limits: after `moves` steps, or where the same call comes up more than `repeats` times, the agent says what it has.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evaluation.agents.parsing import Move, move
from evaluation.agents.prompts import Context, Fact, described
from evaluation.agents.steps import Steps, StepSettings, converse, partial
from evaluation.records import FailureKind, StopReason

if TYPE_CHECKING:
    from evaluation.agents.attempt import Attempt


@dataclass(frozen=True)
class ReactSettings:
    """Limits of the loop."""

    moves: int = 8
    """Most steps for one question."""
    repeats: int = 2
    """Times that the same call is made for one question."""
    steps: StepSettings = field(default_factory=StepSettings)


class ReactAgent:
    """Thinks, acts and observes."""

    name = "react"

    def __init__(self, settings: ReactSettings | None = None) -> None:
        self.settings = settings or ReactSettings()

    async def run(self, at: Attempt) -> StopReason:
        """Answer what the user asks, until the user says nothing more."""
        return await converse(at, lambda context: self._solve(Steps(at, self.name, self.settings.steps), context))

    async def _solve(self, steps: Steps, context: Context) -> str:
        trail: list[str] = []
        observed: list[Fact] = []
        made: Counter[str] = Counter()
        for _ in range(self.settings.moves):
            decided = await self._move(steps, context, trail)
            if decided is None:
                return partial([Fact(context.question, "no step could be read", found=False), *observed])
            if not decided.tool:
                return decided.answer
            action = f"{decided.tool} {json.dumps(decided.arguments, ensure_ascii=False)}"
            made[action] += 1
            if made[action] > self.settings.repeats:
                return self._stopped(steps, context, observed, f"the call {action} came up again and again")
            outcome = await steps.call(decided.tool, decided.arguments or {}, decided.thought)
            seen = steps.shortened(outcome.content)
            trail += [f"Thought: {decided.thought}", f"Action: {action}", f"Observation: {seen}"]
            if outcome.failure is None:
                observed.append(Fact(f"{action}:", seen))
        return self._stopped(steps, context, observed, f"no answer after {self.settings.moves} steps")

    async def _move(self, steps: Steps, context: Context, trail: list[str]) -> Move | None:
        tools = "\n".join(f"- {described(tool)}" for tool in steps.at.specs)
        return await steps.read("step", context.sections({"So far": "\n".join(trail)}, Tools=tools), move)

    def _stopped(self, steps: Steps, context: Context, observed: list[Fact], why: str) -> str:
        """Record the limit and return what can be said nevertheless."""
        steps.at.fail(FailureKind.AGENT_ERROR, f"{self.name}: {why}")
        return partial([Fact(context.question, why, found=False), *observed])
