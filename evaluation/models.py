"""How a model is asked: one async protocol, whoever answers.

Decisions: a client takes whole messages and tools and returns one assistant message with its figures; it raises
`ModelError` and nothing else, and the agent loop records that on the episode. `ScriptedModel` is a real client that
says what it was told to say: tests, notebooks and the oracle (`evaluation/oracle.py`) use it.
Not covered here: retries and budgets of remote endpoints.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from evaluation.records import Message, ToolSpec


class ModelError(Exception):
    """The model could not answer. The message says what was asked of whom and what came back."""


class UnfitPrompt(ModelError):
    """The prompt is empty, or leaves the model no room for an answer: asking again does not help."""


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn."""

    temperature: float = 0.0
    """0 is greedy."""
    max_tokens: int = 96
    """Most output tokens of one model call."""
    seed: int = 0


@dataclass(frozen=True)
class Completion:
    """One assistant turn and what it took."""

    message: Message
    tokens_in: int
    tokens_out: int
    latency_ms: float
    finish: Literal["stop", "tool_calls", "length"]
    malformed: str | None = None
    """Why a text that looks like a call could not be read as one."""
    template_hash: str = ""
    """Digest of the chat template that the prompt was made with, where it is known."""


class ModelClient(Protocol):
    """Asks one model."""

    @property
    def name(self) -> str:
        """What the episode records as its model."""
        ...

    @property
    def template_hash(self) -> str:
        """Digest of the chat template, or an empty string."""
        ...

    async def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling) -> Completion:
        """Return the next assistant turn. Raises `ModelError`."""
        ...


Script = Callable[[Sequence[Message], Sequence[ToolSpec]], Message]


class ScriptedModel:
    """A model client that follows a script: a list of turns, or a function from the conversation to the next turn."""

    def __init__(self, script: Sequence[Message] | Script, name: str = "scripted") -> None:
        self._script = script
        self._turns = itertools.count()
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    @property
    def template_hash(self) -> str:
        return ""

    async def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling) -> Completion:
        """Return the script's next turn. Raises `ModelError` when the script has ended."""
        if callable(self._script):
            message = self._script(messages, tools)
        else:
            turn = next(self._turns)
            if turn >= len(self._script):
                raise ModelError(
                    f"the script of model {self._name} has {len(self._script)} turns; turn {turn + 1} was asked"
                )
            message = self._script[turn]
        words = len(message.content.split()) + sum(2 + len(call.arguments) for call in message.tool_calls)
        finish: Literal["stop", "tool_calls"] = "tool_calls" if message.tool_calls else "stop"
        tokens_in = sum(len(m.content.split()) for m in messages)
        return Completion(message, tokens_in, max(words, 1), 0.0, finish)
