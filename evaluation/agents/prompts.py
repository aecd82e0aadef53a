"""What the steps of the agents are shown: the texts of `prompts.yaml`, and how a question is laid out.

Decisions: a step's prompt is its text as the system message, a few examples as turns, and last what it is about, in
titled sections. What a scenario says to its assistant is such a section, so that the system message alone tells which
step it is. Which examples are shown, and in which order, is drawn from the attempt's seed.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from evaluation.located import SuiteError, parse, read_yaml
from evaluation.records import Message, Record, ToolSpec

if TYPE_CHECKING:
    from evaluation.agents.attempt import Attempt

FILE = Path(__file__).parent / "prompts.yaml"

Sections = Mapping[str, str]
"""Texts by their titles, in the order in which they are shown; empty ones are not."""

_TYPES = {"integer": "whole number", "number": "number", "boolean": "yes or no", "array": "list", "object": "object"}


class Shown(Record):
    """An example of a step."""

    sections: dict[str, str]
    reply: str


class StepText(Record):
    """What one step is told."""

    system: str
    wanted: str
    """What its output has to be, as an output that cannot be read is answered."""
    examples: tuple[Shown, ...] = ()


@dataclass(frozen=True)
class Fact:
    """What was found out on the way to an answer."""

    question: str
    answer: str
    found: bool = True
    """False: it is not known; `answer` says why."""

    def __str__(self) -> str:
        return f"{self.question} {self.answer if self.found else f'not known ({self.answer})'}"


@dataclass(frozen=True)
class Context:
    """What an agent knows when it asks for a step."""

    question: str
    instructions: str = ""
    """What the scenario says to its assistant."""
    conversation: str = ""
    """What user and assistant said before the question."""
    facts: tuple[Fact, ...] = ()

    def asking(self, question: str) -> Context:
        """Return what is known, with another question."""
        return replace(self, question=question)

    def knowing(self, *facts: Fact) -> Context:
        """Return it with more facts."""
        return replace(self, facts=(*self.facts, *facts))

    def sections(self, last: Sections | None = None, **between: str) -> Sections:
        """Return the sections to show: what is known, what stands `between`, the question, and what comes `last`."""
        known = "\n".join(map(str, self.facts))
        first = {"Instructions": self.instructions, "Conversation": self.conversation, "Known": known}
        return {**first, **between, "Question": self.question, **(last or {})}


def asked(at: Attempt) -> Context:
    """Return the question that the conversation has come to, and what was said before it."""
    said = [message for message in at.messages if message.role in ("user", "assistant") and message.content]
    last = max((index for index, message in enumerate(said) if message.role == "user"), default=0)
    system = "\n".join(message.content for message in at.messages if message.role == "system")
    before = "\n".join(f"{message.role.capitalize()}: {message.content}" for message in said[:last])
    return Context(said[last].content if said else "", system, before)


@functools.cache
def step_texts() -> dict[str, StepText]:
    """Return the text of every step by its task key. Raises `SuiteError` where `prompts.yaml` is wrong."""
    document = read_yaml(FILE)
    mistakes: list[str] = []
    texts = {key: parse(StepText, document, row, (key,), mistakes=mistakes) for key, row in document.data.items()}
    if mistakes:
        raise SuiteError(mistakes)
    return {key: text for key, text in texts.items() if text is not None}


def prompt(task_key: str, sections: Sections, most: int, random: Random) -> tuple[Message, ...]:
    """Return a step's prompt with up to `most` examples, drawn by `random`. Raises `KeyError` for an unknown step."""
    text = step_texts()[task_key]
    drawn = random.sample(text.examples, min(most, len(text.examples)))
    turns = [turn for one in drawn for turn in (_user(one.sections), Message(role="assistant", content=one.reply))]
    return (Message(role="system", content=text.system), *turns, _user(sections))


def retried(shown: Sequence[Message], response: str, wanted: str) -> tuple[Message, ...]:
    """Return a prompt with an output that could not be read, and what was expected."""
    said = Message(role="assistant", content=response or "(nothing)")
    return (*shown, said, Message(role="user", content=f"That cannot be read. Expected {wanted}. Write only that."))


def described(tool: ToolSpec) -> str:
    """Return a tool in one line: name, description and arguments."""
    properties: Mapping[str, Any] = tool.parameters.get("properties", {})
    required = tool.parameters.get("required", ())
    arguments = {name: parameter_type(schema, optional=name not in required) for name, schema in properties.items()}
    return f"{tool.name}: {tool.description} Arguments: {json.dumps(arguments, ensure_ascii=False)}"


def parameter_type(schema: Any, *, optional: bool = False) -> str:
    """Return in words what a parameter's JSON Schema asks for."""
    known: Mapping[str, Any] = schema if isinstance(schema, Mapping) else {}
    options = f"one of {json.dumps(known['enum'], ensure_ascii=False)}" if "enum" in known else ""
    kind = (options or _TYPES.get(str(known.get("type")), "text")) + (", optional" if optional else "")
    return f"{kind} ({known['description']})" if known.get("description") else kind


def _user(sections: Sections) -> Message:
    shown = (f"{title}:\n{text}" if "\n" in text else f"{title}: {text}" for title, text in sections.items() if text)
    return Message(role="user", content="\n".join(shown))
