"""What agents that ask for steps share: asking until an output can be read, making a call, partial results.

Decisions: an output that cannot be read is answered with what was expected and asked for again, warmer each time;
after the last try it is a recorded failure, and the agent goes on without it. What such an agent could not find out it
says, beside what it did find. Arguments are held to the tool's JSON Schema before a call is made.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple, TypeVar

from evaluation.agents.attempt import Attempt, Stopped
from evaluation.agents.parsing import choice, json_object, some_text
from evaluation.agents.prompts import Context, Fact, Sections, asked, described, prompt, retried, step_texts
from evaluation.records import FailureKind, Message, StopReason, ToolCall, stable_id
from evaluation.scenarios import ToolDef
from evaluation.tools.execute import ToolOutcome, argument_mistakes

Value = TypeVar("Value")

NUMBER, WORD, TEXT = 16, 16, 256
"""Most output tokens of a step that chooses, says yes or no, or writes."""
WARMER, WARMEST = 0.15, 0.5
"""How much the temperature rises with each try, and where it ends; it is never below the attempt's own."""
SHOWN = 200
"""Characters of an unreadable output that a failure quotes."""


@dataclass(frozen=True)
class StepSettings:
    """How steps are asked for."""

    tries: int = 3
    """Times that a step is asked before its output counts as unreadable."""
    examples: int = 3
    """Most examples that a step is shown."""
    result_characters: int = 8000
    """Most characters of a tool's result that a step is shown; the rest is cut, and the cut is said."""


class Tried(NamedTuple):
    """What came of trying tools for one question."""

    fact: Fact | None
    """What a tool's result says of it; None where no tool yielded one."""
    result: str
    """That result, as steps are shown it."""
    wrong: str
    """Why the last tool did not work; empty where none was tried in vain."""
    context: Context
    """With what failed calls taught."""


class Steps:
    """Asks for the steps of one agent in one attempt, under `<agent>.<step>`."""

    def __init__(self, at: Attempt, agent: str, settings: StepSettings) -> None:
        self.at = at
        self._agent, self._settings = agent, settings

    def random(self, *key: object) -> Random:
        """Return a random stream that depends on the attempt's seed, its scenario, and `key` only."""
        return Random(stable_id(self.at.sampling.seed, self.at.scenario.id, self._agent, *key))

    async def read(
        self, step: str, sections: Sections, parse: Callable[[str], Value | None], *, tokens: int = TEXT
    ) -> Value | None:
        """Ask for `step` until `parse` can read the output; None, and a failure, where it never could."""
        key = f"{self._agent}.{step}"
        shown = prompt(key, sections, self._settings.examples, self.random(len(self.at.steps)))
        wanted, said = step_texts()[key].wanted, ""
        for number in range(self._settings.tries):
            warmth = max(self.at.sampling.temperature, min(WARMER * number, WARMEST))
            completion = await self.at.ask_step(key, shown, temperature=warmth, max_tokens=tokens, seed=number)
            said = completion.message.content
            value = parse(said)
            if value is not None:
                return value
            self.at.unreadable()
            shown = retried(shown, said, wanted)
        tried = f"in {self._settings.tries} tries"
        self.at.fail(FailureKind.AGENT_ERROR, f"{key}: expected {wanted}, found none {tried}; last: {said[:SHOWN]!r}")
        return None

    async def pick(self, context: Context, tools: Sequence[ToolDef], others: dict[int, str]) -> int | ToolDef | None:
        """Ask which of `tools` to use; `others` are what else may be chosen, by number. Every tool is listed."""
        first = max(others) + 1
        numbers = {tool.name: number for number, tool in enumerate(tools, first)}
        entries = {number: f"{tool.name}: {tool.description}" for number, tool in enumerate(tools, first)} | others
        listed = "\n".join(f"{number}. {text}" for number, text in sorted(entries.items()))
        sections = context.sections(Tools=listed)
        allowed = {**numbers, **{text: number for number, text in others.items()}}
        number = await self.read("pick", sections, lambda text: choice(text, allowed), tokens=NUMBER)
        return number if number is None or number in others else tools[number - first]

    async def arguments(self, context: Context, tool: ToolDef) -> dict[str, Any] | None:
        """Ask for a tool's arguments; those that break its JSON Schema cannot be read."""
        if not tool.parameters.get("properties"):
            return {}

        def fitting(text: str) -> dict[str, Any] | None:
            found = json_object(text)
            return found if found is not None and not argument_mistakes(tool, found) else None

        return await self.read("input", context.sections(Tool=described(tool)), fitting)

    async def try_tools(
        self, context: Context, tools: Sequence[ToolDef], others: dict[int, str], *, most: int
    ) -> Tried:
        """Pick a tool, call it and answer from its result; where it does not work, another one, `most` in all."""
        left, wrong = list(tools), ""
        while left and len(left) > len(tools) - most:
            tool = await self.pick(context, left, others)
            if not isinstance(tool, ToolDef):
                break
            left.remove(tool)
            arguments = await self.arguments(context, tool)
            if arguments is None:
                wrong = f"nothing fits what {tool.name} asks for"
                continue
            outcome = await self.call(tool.name, arguments)
            if outcome.failure is None:
                result = self.shortened(outcome.content)
                answer = await self.read("answer", context.sections({"Result": result}), some_text)
                return Tried(Fact(context.question, answer or result), result, wrong, context)
            wrong = f"{tool.name} failed: {outcome.message}"
            context = context.knowing(Fact(f"With {tool.name}:", outcome.message, found=False))
        return Tried(None, "", wrong, context)

    async def call(self, tool: str, arguments: dict[str, Any], thought: str = "") -> ToolOutcome:
        """Make a call as a turn of the conversation. Raises `Stopped` where the scenario ends with its calls."""
        made = ToolCall(id=f"call_{len(self.at.messages)}", name=tool, arguments=arguments)
        self.at.say(Message(role="assistant", content=thought, tool_calls=(made,)))
        if self.at.scenario.stop == "calls":
            self.at.check([made])
            raise Stopped(StopReason.CALLED)
        return await self.at.call(made)

    def shortened(self, result: str) -> str:
        """Return a tool's result as a step is shown it."""
        most = self._settings.result_characters
        return result if len(result) <= most else f"{result[:most]} (cut: {most} of {len(result)} characters)"


async def converse(at: Attempt, answer: Callable[[Context], Awaitable[str]]) -> StopReason:
    """Answer what the user asks, until the user says nothing more."""
    while True:
        at.say(Message(role="assistant", content=await answer(asked(at))))
        if not await at.reply():
            return StopReason.ANSWERED


def partial(facts: Sequence[Fact]) -> str:
    """Return what can be said where the answer as such is missing: what is, and what was found."""
    missing = "; ".join(f"{fact.question} ({fact.answer})" for fact in facts if not fact.found)
    known = "; ".join(map(str, (fact for fact in facts if fact.found)))
    return f"Missing: {missing or 'an answer'}." + (f" Known so far: {known}." if known else "")


def with_missing(answer: str, facts: Sequence[Fact]) -> str:
    """Return the answer, and behind it what could not be found out, if anything."""
    missing = [fact.question for fact in facts if not fact.found]
    return f"{answer} Missing: {'; '.join(missing)}." if missing else answer
