"""Agent `flat`: break the question up once, answer each part with one tool, and answer the whole from the parts.

Steps: `flat.split`, and for each part `flat.pick` (tool, memory, or do not know), `flat.input`, `flat.answer`, with
`flat.memory_check` where no tool is picked; at last `flat.answer` over all parts.
Decisions: what a part came to, with the tool's own result, is known to the parts behind it. Where a tool fails or its
arguments cannot be read, the tools that are left are offered again. Tools are listed in an order drawn from the seed.
Limits: one level; a part that would need two tools gets one. Long results are cut, not summarised.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evaluation.agents.parsing import lines, some_text, yes_or_no
from evaluation.agents.prompts import Context, Fact, described
from evaluation.agents.steps import WORD, Steps, StepSettings, converse, partial, with_missing
from evaluation.records import FailureKind, StopReason

if TYPE_CHECKING:
    from evaluation.agents.attempt import Attempt

NO_TOOL = {0: "already known", -1: "no tool fits"}
DATA = 300
"""Most characters of a tool's own result that is known to later parts."""


@dataclass(frozen=True)
class FlatSettings:
    """Limits of the agent."""

    parts: int = 5
    """Most parts of a question."""
    tools_tried: int = 2
    """Most tools that are tried for one part."""
    steps: StepSettings = field(default_factory=StepSettings)


class FlatAgent:
    """Splits once."""

    name = "flat"

    def __init__(self, settings: FlatSettings | None = None) -> None:
        self.settings = settings or FlatSettings()

    async def run(self, at: Attempt) -> StopReason:
        """Answer what the user asks, until the user says nothing more."""
        return await converse(at, lambda context: self._solve(Steps(at, self.name, self.settings.steps), context))

    async def _solve(self, steps: Steps, context: Context) -> str:
        parts = await self._parts(steps, context)
        if len(parts) < 2:
            fact, _ = await self._part(steps, context)
            return fact.answer if fact.found else partial([fact])
        whole, facts = context, []
        for part in parts:
            fact, data = await self._part(steps, whole.asking(part))
            facts.append(fact)
            whole = whole.knowing(fact, *([Fact("Data:", data)] if data else []))
        answer = await steps.read("answer", whole.asking(context.question).sections(), some_text)
        return partial(facts) if answer is None else with_missing(answer, facts)

    async def _parts(self, steps: Steps, context: Context) -> tuple[str, ...]:
        """Ask for the parts; one, or none that can be read, leaves the question whole."""
        tools = "\n".join(f"- {described(tool)}" for tool in steps.at.specs)
        parts = await steps.read("split", context.sections(Tools=tools), lines) or ()
        most = self.settings.parts
        if len(parts) > most:
            left_out = f"flat.split: expected at most {most} parts, found {len(parts)}; the rest is left out"
            steps.at.fail(FailureKind.AGENT_ERROR, left_out)
        return parts[:most]

    async def _part(self, steps: Steps, context: Context) -> tuple[Fact, str]:
        """Answer one part; return what it came to, and the data behind it."""
        tools = list(steps.at.scenario.tools)
        steps.random("tools", context.question).shuffle(tools)
        tried = await steps.try_tools(context, tools, NO_TOOL, most=self.settings.tools_tried)
        if tried.fact is not None:
            return tried.fact, tried.result[:DATA]
        return await self._without_tool(steps, tried.context, tried.wrong), ""

    async def _without_tool(self, steps: Steps, context: Context, wrong: str) -> Fact:
        """Answer from what was said, or in general; after tools that did not work, from what was said or not at all."""
        remembered = await steps.read("memory_check", context.sections(), yes_or_no, tokens=WORD)
        if wrong and not remembered:
            return Fact(context.question, wrong, found=False)
        answer = await steps.read("answer", context.sections(), some_text)
        return Fact(context.question, answer or "no answer could be read", found=answer is not None)
