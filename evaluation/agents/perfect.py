"""A model that answers every step of every agent rightly: it knows the scenario's expected calls and answer.

It shows what an agent can reach by itself, whatever the model, and is a deterministic fake for tests and for
`ratchet test agents --model scripted`. It tells a step by its system message, reads the question and the numbered tools
in it as any model would, and plays the oracle where no step is asked.
Limits: in a chain, each call uses only the one before it; an argument is taken to come from an earlier call where its
value was not said by the user.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from evaluation.agents.prompts import FILE, step_texts
from evaluation.models import ModelError, ScriptedModel
from evaluation.oracle import reference_answer, script
from evaluation.records import Message, ToolCall, ToolSpec
from evaluation.scenarios import Scenario
from evaluation.validators.accepted import first_accepted
from evaluation.validators.calls import expected_calls

NAME = "scripted"

_TITLES = "Instructions|Conversation|Known|Tools|Tool|Argument|Text|Question|So far|Result"
_SECTION = re.compile(rf"^({_TITLES}):[ \n]", re.MULTILINE)
_NEEDED = re.compile(r"(\w+) \(.*?\) for ([\w.-]+), to find out: ", re.DOTALL)


def perfect(scenario: Scenario) -> ScriptedModel:
    """Return a model that does `scenario` right, whichever agent asks."""
    known, turns, begun = Knowing(scenario), script(scenario), len(scenario.prompt)

    def say(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Message:
        key = step_of(messages)
        if key is None:
            said = sum(message.role == "assistant" for message in messages[begun:])
            return turns[min(said, len(turns) - 1)]
        return Message(role="assistant", content=known.reply(key, sections_of(messages[-1].content)))

    return ScriptedModel(say, NAME)


def step_of(messages: Sequence[Message]) -> str | None:
    """Return the task key of the step that a prompt asks for; None where it is none."""
    first = messages[0] if messages else None
    if first is None or first.role != "system":
        return None
    return next((key for key, text in step_texts().items() if text.system == first.content), None)


def sections_of(text: str) -> dict[str, str]:
    """Return the titled sections of what a step is shown."""
    pieces = _SECTION.split(text)
    return {title: body.strip("\n") for title, body in zip(pieces[1::2], pieces[2::2], strict=True)}


class Knowing:
    """What is right in one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        wanted = expected_calls(scenario)
        self._calls = [ToolCall(id="", name=call.name, arguments=first_accepted(call)) for call in wanted]
        self._chained = scenario.expected.order == "strict"
        self._answer = reference_answer(scenario)
        self._said = " ".join(m.content for m in scenario.messages if m.role == "user").casefold()

    def reply(self, key: str, sections: dict[str, str]) -> str:
        """Return the right output of a step. Raises `ModelError` for one that it does not know."""
        question = sections.get("Question", "")
        match key.partition(".")[2]:
            case "step":
                return self._move(sections.get("So far", ""))
            case "split":
                return "\n".join(self._parts()) if self._part(question) is None else question
            case "memory_check":
                return "yes" if self._remembers(question, sections.get("Known", "")) else "no"
            case "input":
                return json.dumps(self._calls[self._part(question) or 0].arguments, ensure_ascii=False)
            case "pick":
                return _number(self._pick(question), sections["Tools"])
            case "extract":
                return sections["Text"]
            case "answer" | "compose":
                return self._told(question, sections.get("Result", ""))
        raise ModelError(f"expected a step of {FILE.name} that the scripted model knows, found {key}")

    def _parts(self) -> list[str]:
        """Return a question for each call where there are several."""
        return [f"Part {n}: what comes of {call.name}?" for n, call in enumerate(self._calls, 1)][: self._several()]

    def _several(self) -> int:
        return len(self._calls) if len(self._calls) > 1 else 0

    def _part(self, question: str) -> int | None:
        """Return which of the calls a question is for; None for the user's own question where it needs several."""
        if question in self._parts():
            return self._parts().index(question)
        return None if self._several() else 0

    def _remembers(self, question: str, known: str) -> bool:
        if not self._calls:
            return True
        return self._part(question) is None and all(part in known for part in self._parts())

    def _pick(self, question: str) -> str:
        """Return the name of the entry to choose: a tool, or what stands for none or for breaking the goal up."""
        needed = _NEEDED.match(question)
        if needed is not None:
            return self._source(needed[1], self._call_of(question, needed))
        part = self._part(question)
        if not self._calls:
            return ""
        if part is not None:
            return self._calls[part].name
        return self._calls[-1].name if self._chained else "break"

    def _source(self, argument: str, at: int) -> str:
        """Return the tool that yields a value that nobody said; nothing where it was said, `none` where none is."""
        value = self._calls[at].arguments.get(argument)
        if value is None:
            return "none"
        return self._calls[at - 1].name if at and self._chained and not self._was_said(value) else ""

    def _was_said(self, value: object) -> bool:
        """Say whether the user said a value, as words of its own or in the plural: Tunis is not in Tunisia."""
        text = value if isinstance(value, str) else json.dumps(value)
        return re.search(rf"(?<!\w){re.escape(text.casefold())}s?(?!\w)", self._said) is not None

    def _told(self, question: str, result: str) -> str:
        needed = _NEEDED.match(question)
        if needed is not None:
            value = self._calls[self._call_of(question, needed)].arguments.get(needed[1])
            return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        own = self._part(question) is None or not self._several()
        return self._answer if own else result or self._answer

    def _call_of(self, question: str, needed: re.Match[str]) -> int:
        """Return which call an argument is for: of several of one tool, the one that the part behind it is about."""
        part = self._part(question[needed.end() :])
        if part is not None and self._several():
            return part
        return next(n for n, call in enumerate(self._calls) if call.name == needed[2])

    def _move(self, trail: str) -> str:
        done = trail.count("\nAction: ") + trail.startswith("Action: ")
        if done < len(self._calls):
            call = self._calls[done]
            arguments = json.dumps(call.arguments, ensure_ascii=False)
            return f"Thought: {call.name} is next.\nAction: {call.name} {arguments}"
        return f"Thought: That is all.\nAnswer: {self._answer}"


def _number(entry: str, listed: str) -> str:
    """Return the number that the list gives to a tool, or to one of the entries that are none."""
    for line in listed.splitlines():
        number, _, text = line.partition(". ")
        name = text.partition(":")[0]
        stands_for = {"": number == "0", "none": number == "-1", "break": text.startswith("break")}
        if stands_for.get(entry, name == entry):
            return number
    raise ModelError(f"expected an entry for {entry or 'what is known'} in the list, found {listed!r}")
