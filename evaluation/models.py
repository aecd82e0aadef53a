"""How a model is asked: one async protocol, whoever answers.

Decisions: a client takes whole messages and tools and returns one assistant message with its figures; it raises
`ModelError` and nothing else, and the agent loop records that on the episode, with its kind. `ScriptedModel` is a real
client that says what it was told to say: tests, notebooks and the oracle (`evaluation/oracle.py`) use it.
Elsewhere: the clients of remote endpoints, of recordings and of Serve (`evaluation/clients/`), the local engine's
(`evaluation/engines/client.py`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from evaluation.records import Message, ToolSpec


class ModelErrorKind(StrEnum):
    """Why a model could not answer. Classified once, where it happened."""

    UNREACHABLE = "unreachable"
    """Nobody answers at that address."""
    TIMED_OUT = "timed_out"
    """No whole answer within the time limit."""
    CUT_OFF = "cut_off"
    """The connection was lost, or the stream ended, in the middle of the answer."""
    RATE_LIMITED = "rate_limited"
    """Too many requests (429), also after all tries."""
    SERVER_ERROR = "server_error"
    """The endpoint failed (5xx), also after all tries."""
    REFUSED = "refused"
    """The key is missing, wrong, not allowed to do this, or its account is empty (401, 402, 403, quota)."""
    UNKNOWN_MODEL = "unknown_model"
    """The endpoint has no such model, or no such path (404)."""
    BAD_REQUEST = "bad_request"
    """The endpoint does not take such a request (other 4xx)."""
    UNFIT_PROMPT = "unfit_prompt"
    """The prompt is empty, or too long for the model."""
    FILTERED = "filtered"
    """The endpoint's content filter kept the answer back."""
    BROKEN_ANSWER = "broken_answer"
    """What came back is no chat completion: HTML, no JSON, no choices, too much."""
    NO_ANSWER = "no_answer"
    """The recording, or the script, holds no answer to this request."""
    OUT_OF_BUDGET = "out_of_budget"
    """The run's budget of money or tokens is spent."""
    OTHER = "other"
    """Anything else: the message says what."""

    @property
    def ends_run(self) -> bool:
        """Whether every further request would meet the same."""
        return self in (ModelErrorKind.REFUSED, ModelErrorKind.UNKNOWN_MODEL, ModelErrorKind.OUT_OF_BUDGET)


class ModelError(Exception):
    """The model could not answer. The message says what was asked of whom and what came back, its kind first."""

    kind = ModelErrorKind.OTHER

    def __init__(self, message: str, kind: ModelErrorKind | None = None) -> None:
        super().__init__(message)
        if kind is not None:
            self.kind = kind

    def __str__(self) -> str:
        message = super().__str__()
        return f"{self.kind}: {message}" if "kind" in vars(self) else message


class UnfitPrompt(ModelError):
    """The prompt is empty, or leaves the model no room for an answer: asking again does not help."""

    kind = ModelErrorKind.UNFIT_PROMPT


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn."""

    temperature: float = 0.0
    """0 is greedy."""
    max_tokens: int = 96
    """Most output tokens of one model call."""
    seed: int = 0
    logprobs: int | None = None
    """Ask for the log probability of each output token, and of so many likeliest ones in its place; None: do not. Only
    endpoints tell them; the local engine does not.
    """
    response_schema: str | None = None
    """JSON Schema, as JSON text, that an endpoint is asked to constrain the answer to (`response_format`); None: free
    text. The local engine does not constrain.
    """


@dataclass(frozen=True)
class TokenLogprob:
    """How likely one output token was."""

    token: str
    logprob: float
    """Natural logarithm of the probability."""
    likeliest: tuple[tuple[str, float], ...] = ()
    """The likeliest tokens in its place with theirs, the likeliest first."""


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
    fingerprint: str = ""
    """What the endpoint calls the state of its backend (`system_fingerprint`): the same seed gives the same answer only
    while it stays the same.
    """
    logprobs: tuple[TokenLogprob, ...] = ()
    """Of the output tokens, where they were asked for and told."""
    tokens_cached: int = 0
    """Those of `tokens_in` that the endpoint had in its cache, as far as it says."""

    def __post_init__(self) -> None:
        took = {name: getattr(self, name) for name in ("tokens_in", "tokens_out", "tokens_cached", "latency_ms")}
        wrong = [f"{name} {value}" for name, value in took.items() if not 0 <= value < math.inf]
        if wrong:
            raise ValueError(f"expected a completion to take 0 or more, found {', '.join(wrong)}; correct the client")
        if self.tokens_cached > self.tokens_in:
            raise ValueError(
                f"expected at most as many cached tokens as prompt tokens, found {self.tokens_cached} of"
                f" {self.tokens_in}; correct the client"
            )


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
                    f"the script of model {self._name} has {len(self._script)} turns; turn {turn + 1} was asked",
                    ModelErrorKind.NO_ANSWER,
                )
            message = self._script[turn]
        words = len(message.content.split()) + sum(2 + len(call.arguments) for call in message.tool_calls)
        finish: Literal["stop", "tool_calls"] = "tool_calls" if message.tool_calls else "stop"
        tokens_in = sum(len(m.content.split()) for m in messages)
        return Completion(message, tokens_in, max(words, 1), 0.0, finish)
