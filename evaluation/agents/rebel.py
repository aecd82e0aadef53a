"""Agent `rebel`: break the question up again and again, and answer from the bottom (REBEL, arXiv 2309.11688).

Steps: `rebel.split`, then the parts in order, each the same way; `rebel.memory_check`: do the parts answer it?; else
`rebel.pick`, `rebel.input`, `rebel.answer`.
Decisions: a part that restates the question, or one that it came from, is dropped, and what is left is not broken up
again: no cycles. Answered parts are remembered, so that none is asked twice. Only its own answer goes up from a part.
Likeness is a function that the agent is given (`similarity.py` by default).
Limits: `depth` levels, `parts` per level, and the attempt's own limit of steps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evaluation.agents.parsing import lines, some_text, yes_or_no
from evaluation.agents.prompts import Context, Fact, described
from evaluation.agents.similarity import Similarity, same_words, similarity
from evaluation.agents.steps import WORD, Steps, StepSettings, converse, partial, with_missing
from evaluation.records import FailureKind, StopReason

if TYPE_CHECKING:
    from evaluation.agents.attempt import Attempt

NO_TOOL = {0: "no tool is needed"}


@dataclass(frozen=True)
class RebelSettings:
    """Limits of the recursion."""

    depth: int = 3
    """How often a part may be broken up again."""
    parts: int = 5
    """Most parts at one level."""
    alike: float = 0.98
    """From which likeness on a part restates a question."""
    tools_tried: int = 2
    """Most tools that are tried for one question."""
    steps: StepSettings = field(default_factory=StepSettings)


class RebelAgent:
    """Splits recursively."""

    name = "rebel"

    def __init__(self, settings: RebelSettings | None = None, alike: Similarity = similarity) -> None:
        self.settings = settings or RebelSettings()
        self._alike = alike

    async def run(self, at: Attempt) -> StopReason:
        """Answer what the user asks, until the user says nothing more."""

        async def answer(context: Context) -> str:
            solving = _Solving(Steps(at, self.name, self.settings.steps), self.settings, self._alike)
            fact = await solving.solve(context, ())
            return fact.answer if fact.found else partial([fact])

        return await converse(at, answer)


class _Solving:
    """One question and all that it is broken up into."""

    def __init__(self, steps: Steps, settings: RebelSettings, alike: Similarity) -> None:
        self._steps, self._settings, self._alike = steps, settings, alike
        self._answered: dict[str, Fact] = {}

    async def solve(self, context: Context, above: tuple[str, ...], may_split: bool = True) -> Fact:
        """Answer the context's question; `above` are the questions that it came from, the outermost first."""
        known = self._answered.get(same_words(context.question))
        if known is not None:
            return known
        parts, split_again = await self._parts(context, above) if may_split else ((), False)
        facts: list[Fact] = []
        for part in parts:
            fact = await self.solve(context.asking(part).knowing(*facts), (*above, context.question), split_again)
            facts.append(fact)
        fact = await self._answer(context.knowing(*facts), facts)
        if fact.found:
            self._answered[same_words(context.question)] = fact
        return fact

    async def _parts(self, context: Context, above: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
        """Ask for the parts; return those that restate nothing, and whether they may be broken up again."""
        if len(above) >= self._settings.depth:
            return (), False
        tools = "\n".join(f"- {described(tool)}" for tool in self._steps.at.specs)
        parts = await self._steps.read("split", context.sections(Tools=tools), lines) or ()
        if len(parts) < 2:
            return (), False
        path = (*above, context.question)
        new = [part for part in parts if all(self._alike(part, one) < self._settings.alike for one in path)]
        if len(new) > self._settings.parts:
            most = f"rebel.split: expected at most {self._settings.parts} parts, found {len(new)}; the rest is left out"
            self._steps.at.fail(FailureKind.AGENT_ERROR, most)
        return tuple(new[: self._settings.parts]), len(new) == len(parts)

    async def _answer(self, context: Context, parts: list[Fact]) -> Fact:
        """Answer from what is known, with a tool, or from what is known after all."""
        steps = self._steps
        enough = await steps.read("memory_check", context.sections(), yes_or_no, tokens=WORD)
        wrong = ""
        if not enough:
            tools, most = steps.at.scenario.tools, self._settings.tools_tried
            fact, _, wrong, context = await steps.try_tools(context, tools, NO_TOOL, most=most)
            if fact is not None:
                return fact
        if wrong and not any(fact.found for fact in parts):
            return Fact(context.question, wrong, found=False)
        return await self._from_memory(context, parts)

    async def _from_memory(self, context: Context, parts: list[Fact]) -> Fact:
        answer = await self._steps.read("answer", context.sections(), some_text)
        if answer is None:
            return Fact(context.question, partial(parts) if parts else "no answer could be read", found=False)
        return Fact(context.question, with_missing(answer, parts))
