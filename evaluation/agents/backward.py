"""Agent `backward`: work back from the goal to a tool that yields it, and from the tool to what it has to be given.

Steps: `backward.pick` (known, to be broken up, or a tool), `backward.split`, for each argument of the tool the same
again with the argument as the goal and `backward.extract` for its bare value, and at last `backward.compose`.
Decisions: where a sub-goal is not reached or a tool fails, the tools that are left are offered again; where none is
left, the answer names what is missing in place of saying nothing. A goal that is met again on the way to itself is a
cycle and not pursued; goals that were reached are remembered. Arguments that may be left out are, where nothing says
what they are.
Limits: `depth` goals below each other, `tools_tried` tools for each, and the attempt's own limit of steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evaluation.agents.parsing import Extracted, extracted, lines, some_text
from evaluation.agents.prompts import Context, Fact, parameter_type
from evaluation.agents.similarity import same_words
from evaluation.agents.steps import Steps, StepSettings, converse, partial, with_missing
from evaluation.records import FailureKind, StopReason
from evaluation.scenarios import ToolDef
from evaluation.tools.execute import argument_mistakes

if TYPE_CHECKING:
    from evaluation.agents.attempt import Attempt

KNOWN, SPLIT, NOTHING = 0, 1, -1
OTHERS = {KNOWN: "already known", SPLIT: "break the goal up", NOTHING: "none of these"}
DATA = 300
"""Most characters of a tool's own result that is known to later goals."""


@dataclass(frozen=True)
class BackwardSettings:
    """Limits of the search."""

    depth: int = 5
    """Most goals below each other, the user's own included."""
    parts: int = 4
    """Most goals that one is broken up into."""
    tools_tried: int = 2
    """Most tools that are tried for one goal."""
    steps: StepSettings = field(default_factory=StepSettings)


class BackwardAgent:
    """Works back from the goal."""

    name = "backward"

    def __init__(self, settings: BackwardSettings | None = None) -> None:
        self.settings = settings or BackwardSettings()

    async def run(self, at: Attempt) -> StopReason:
        """Answer what the user asks, until the user says nothing more."""

        async def answer(context: Context) -> str:
            search = _Search(Steps(at, self.name, self.settings.steps), self.settings)
            fact = await search.reach(context, ())
            return fact.answer if fact.found else partial([fact, *search.data])

        return await converse(at, answer)


class _Search:
    """One question of the user and the goals below it."""

    def __init__(self, steps: Steps, settings: BackwardSettings) -> None:
        self._steps, self._settings = steps, settings
        self._reached: dict[str, Fact] = {}
        self.data: list[Fact] = []
        """What tools have returned so far."""

    async def reach(self, context: Context, above: tuple[str, ...], need: str = "") -> Fact:
        """Return what the context's question came to; `above` are the goals that it serves, the outermost first.

        `need`: the argument that it is about. What it is for is part of the question, so each time round it is another.
        """
        goal = same_words(context.question)
        if goal in self._reached:
            return self._reached[goal]
        if (need or goal) in above:
            return self._given_up(context, "a goal that needs itself")
        if len(above) >= self._settings.depth:
            return self._given_up(context, f"more than {self._settings.depth} goals below each other")
        fact = await self._pursue(context, (*above, need or goal))
        if fact.found:
            self._reached[goal] = fact
        return fact

    async def _pursue(self, context: Context, path: tuple[str, ...]) -> Fact:
        """Try one tool after the other."""
        left, others = list(self._steps.at.scenario.tools), dict(OTHERS)
        missing: list[Fact] = []
        while len(missing) < self._settings.tools_tried:
            picked = await self._steps.pick(context, left, others)
            match picked:
                case ToolDef():
                    left.remove(picked)
                    fact = await self._with_tool(context, picked, path)
                case int() if picked == SPLIT and SPLIT in others:
                    del others[SPLIT]
                    fact = await self._split(context, path)
                case int() if picked == KNOWN:
                    return await self._compose(context)
                case _:
                    missing.append(Fact(context.question, "no tool yields it", found=False))
                    break
            if fact.found:
                return fact
            missing.append(fact)
            context = context.knowing(fact)
        return Fact(context.question, "; ".join(dict.fromkeys(fact.answer for fact in missing)), found=False)

    async def _with_tool(self, context: Context, tool: ToolDef, path: tuple[str, ...]) -> Fact:
        """Find what the tool has to be given, call it, and say what came of it."""
        arguments: dict[str, Any] = {}
        required = tool.parameters.get("required", ())
        for name in tool.parameters.get("properties", {}):
            value = await self._argument(context, tool, name, path)
            if value.given:
                arguments[name] = value.value
            elif name in required:
                return Fact(context.question, f"missing: {name} of {tool.name}", found=False)
        if mistakes := argument_mistakes(tool, arguments):
            return Fact(context.question, f"missing: {mistakes[0]} for {tool.name}", found=False)
        outcome = await self._steps.call(tool.name, arguments)
        if outcome.failure is not None:
            return Fact(context.question, f"{tool.name} failed: {outcome.message}", found=False)
        result = self._steps.shortened(outcome.content)
        self.data.append(Fact(f"{tool.name} returned", result[:DATA]))
        return await self._compose(context, result)

    async def _argument(self, context: Context, tool: ToolDef, name: str, path: tuple[str, ...]) -> Extracted:
        """Make the argument a goal of its own, and reduce what it came to to the bare value."""
        schema = tool.parameters["properties"][name]
        known: Mapping[str, Any] = schema if isinstance(schema, Mapping) else {}
        goal = f"{name} ({known.get('description', name)}) for {tool.name}, to find out: {context.question}"
        fact = await self.reach(context.asking(goal), path, f"{name} for {tool.name}")
        if not fact.found:
            return Extracted(None, given=False)
        sections = {"Argument": f"{name}: {parameter_type(known)}", "Text": fact.answer}
        value = await self._steps.read("extract", sections, lambda text: extracted(text, known))
        return value or Extracted(None, given=False)

    async def _split(self, context: Context, path: tuple[str, ...]) -> Fact:
        """Reach smaller goals in order, then the goal from what they came to."""
        parts = await self._steps.read("split", context.sections(), lines) or ()
        if len(parts) > self._settings.parts:
            most = f"expected at most {self._settings.parts} goals, found {len(parts)}; the rest is left out"
            self._steps.at.fail(FailureKind.AGENT_ERROR, f"backward.split: {most}")
        facts: list[Fact] = []
        for part in parts[: self._settings.parts]:
            facts.append(await self.reach(context.asking(part).knowing(*facts), path))
        if not any(fact.found for fact in facts):
            reasons = "; ".join(dict.fromkeys(fact.answer for fact in facts))
            return Fact(context.question, reasons or "it could not be broken up", found=False)
        whole = await self._compose(context.knowing(*facts))
        return Fact(whole.question, with_missing(whole.answer, facts)) if whole.found else whole

    async def _compose(self, context: Context, result: str = "") -> Fact:
        known = context.knowing(*(fact for fact in self.data if not result))
        answer = await self._steps.read("compose", known.sections({"Result": result}), some_text)
        if answer is None:
            return Fact(context.question, result or "no answer could be read", found=bool(result))
        return Fact(context.question, answer)

    def _given_up(self, context: Context, why: str) -> Fact:
        """Record the limit that was met."""
        self._steps.at.fail(FailureKind.AGENT_ERROR, f"backward: {why}: {context.question}")
        return Fact(context.question, why, found=False)
