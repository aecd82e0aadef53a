"""What the gateway does with a request, without HTTP and without Ray.

Decisions: a conversation keeps the variant that it began with; a new one is assigned by its sticky hash and the weights
of the rollout record. An answer is in the spool before its caller has it. A variant that fails before its first token
is asked once more; after that nothing is repeated. Each try that fails counts against its variant. A request that
names its version gets it, whatever the conversation had before, and is no evidence for a rollout.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from evaluation.models import Completion, ModelError, Sampling, UnfitPrompt
from evaluation.pricing import PriceTable, load_prices
from evaluation.records import Message, ToolSpec
from serving.access import Keys
from serving.capture import Asked, example_id, exchange, user_hash
from serving.inbox import Inbox
from serving.incoming import FeedbackBody
from serving.openai import ChatRequest
from serving.split import assign
from serving.spool import PINNED, Spool


class Backend(Protocol):
    """Whatever answers for a variant."""

    async def complete(
        self, messages: tuple[Message, ...], tools: tuple[ToolSpec, ...], sampling: Sampling
    ) -> Completion:
        """Return the next assistant turn. Raises `ModelError`, or what the transport raises."""
        ...

    def stream(
        self, messages: tuple[Message, ...], tools: tuple[ToolSpec, ...], sampling: Sampling
    ) -> AsyncGenerator[str | Completion, None]:
        """Yield pieces of text, and at last the completion. Closing it stops the generation."""
        ...


@dataclass(frozen=True)
class Routing:
    """Which variants there are and who gets what; read from the rollout record."""

    model: str
    weights: Mapping[str, float]
    """Share of traffic by version, the candidate first; empty where nothing is in production."""
    stage: int = 0
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Alias to version."""
    salt: str = ""
    run_id: str = "serve"
    """What the examples name as their run: the rollout."""


@dataclass(frozen=True)
class Headers:
    """What a request says of itself beside its body."""

    task_key: str | None = None
    conversation: str | None = None
    user: str | None = None
    api_key: str | None = None


class NoSuchModel(Exception):
    """The request names a model that is not served."""


@dataclass(frozen=True)
class Ticket:
    """One request on its way."""

    id: str
    variant: str
    stage: int
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...]
    sampling: Sampling
    asked: Asked
    captured: str
    """Id of the example that it becomes."""


class Gateway:
    """Answers requests with the variants it is given."""

    def __init__(
        self,
        backend: Callable[[str], Backend],
        spool: Spool,
        secret: bytes,
        *,
        routing: Routing,
        max_tokens: int = 96,
        prices: PriceTable | None = None,
        inbox: Inbox | None = None,
        keys: Keys | None = None,
    ) -> None:
        self._backend = backend
        self._spool = spool
        self._secret = secret
        self._max_tokens = max_tokens
        self._prices = prices or load_prices()
        self.routing = routing
        self.inbox = inbox
        """Takes what others collected; None: nothing but what is answered here is kept."""
        self.keys = keys
        """Let in whoever sends examples or feedback; None: everybody."""

    def models(self) -> list[str]:
        """Return the names that requests may ask for."""
        model = self.routing.model
        if not self.routing.weights:
            return []
        return [model, *(f"{model}@{alias}" for alias in self.routing.aliases), *self.routing.weights]

    def accept(self, request: ChatRequest, headers: Headers) -> Ticket:
        """Return the request with its variant. Raises `NoSuchModel`, `SpoolFull`, and ValueError for bad messages."""
        self._spool.room()
        messages, tools = request.records(), request.specs()
        told = request.metadata or {}
        said = headers.conversation or told.get("X-Ratchet-Conversation")
        user = headers.user or told.get("X-Ratchet-User") or request.user
        conversation = said or f"single-{uuid.uuid4().hex}"
        variant, stage = self._variant(request.model, conversation, said or user or headers.api_key or conversation)
        seed = request.seed or 0
        limit = request.max_completion_tokens or request.max_tokens or self._max_tokens
        first = example_id(self.routing.run_id, conversation, messages)
        asked = Asked(
            example_id=self._spool.exchange_id(first, len(messages)),
            run_id=self.routing.run_id,
            conversation=conversation,
            task_key=headers.task_key or told.get("X-Ratchet-Task-Key") or "tools",
            user=user_hash(self._secret, user) if user else None,
            version=variant,
            stage=None if stage == PINNED else stage,
            seed=seed,
        )
        return Ticket(
            id=f"chatcmpl-{uuid.uuid4().hex[:24]}",
            variant=variant,
            stage=stage,
            messages=messages,
            tools=tools,
            sampling=Sampling(request.temperature or 0.0, limit, seed),
            asked=asked,
            captured=asked.example_id,
        )

    def _variant(self, model: str, conversation: str, key: str) -> tuple[str, int]:
        """Return the variant and the stage that the request counts for."""
        routing = self.routing
        name, at, alias = model.partition("@")
        named = routing.aliases.get(alias, "") if at and name == routing.model else model
        if named in routing.weights:
            self._spool.pin(conversation, named, PINNED, time.time())
            return named, PINNED
        if model != routing.model or not routing.weights:
            raise NoSuchModel(f"model {model!r} is not served; served: {', '.join(self.models()) or 'none'}")
        chosen = self._spool.pinned(conversation)
        if chosen is None:
            chosen = assign(key, routing.weights, routing.salt)
            chosen = self._spool.pin(conversation, chosen, routing.stage, time.time())
        if chosen not in routing.weights:
            chosen = assign(key, routing.weights, routing.salt)
            self._spool.move(conversation, chosen)
        return chosen, routing.stage

    async def complete(self, ticket: Ticket) -> Completion:
        """Return the answer, captured. Raises `ModelError`; `UnfitPrompt` counts against no variant."""
        for last in (False, True):
            started = time.perf_counter()
            try:
                completion = await self._backend(ticket.variant).complete(
                    ticket.messages, ticket.tools, ticket.sampling
                )
                break
            except asyncio.CancelledError:
                raise
            except UnfitPrompt as error:
                raise UnfitPrompt(_words(error)) from error
            except Exception as error:  # one boundary: engine and transport fail in many ways
                self._spool.failed(ticket.variant, ticket.stage, (time.perf_counter() - started) * 1000)
                if last:
                    raise ModelError(f"variant {ticket.variant} could not answer: {_words(error)}") from error
        self._capture(ticket, completion)
        return completion

    async def stream(self, ticket: Ticket) -> AsyncGenerator[str | Completion, None]:
        """Yield pieces of text, then the completion, captured by then. Raises `ModelError`."""
        begun = False
        for last in (False, True):
            started = time.perf_counter()
            try:
                answer = self._backend(ticket.variant).stream(ticket.messages, ticket.tools, ticket.sampling)
                async with aclosing(answer) as pieces:
                    async for piece in pieces:
                        begun = True
                        if isinstance(piece, Completion):
                            self._capture(ticket, piece)
                        yield piece
                return
            except asyncio.CancelledError:
                raise
            except UnfitPrompt as error:
                raise UnfitPrompt(_words(error)) from error
            except Exception as error:  # the same boundary as above
                self._spool.failed(ticket.variant, ticket.stage, (time.perf_counter() - started) * 1000)
                if begun or last:
                    raise ModelError(f"variant {ticket.variant} broke off: {_words(error)}") from error

    def _capture(self, ticket: Ticket, completion: Completion) -> None:
        example = exchange(ticket.messages, ticket.tools, completion, asked=ticket.asked, prices=self._prices)
        self._spool.answered(example, ticket.variant, ticket.stage, completion.latency_ms)

    def outcome(self, conversation: str, success: bool) -> bool:
        """Keep how a conversation ended; return False for one that is not known."""
        return self._spool.outcome(conversation, success)

    def feedback(self, body: FeedbackBody) -> bool:
        """Keep feedback; return False where its example is not known."""
        return self._spool.feedback(body.record(self._secret, datetime.now(UTC)))

    def waiting(self) -> dict[str, int]:
        """Return how many exchanges wait for the ledger, and how many requests were refused for want of room."""
        return {"waiting": self._spool.waiting(), "refused": self._spool.refused()}


def _words(error: Exception) -> str:
    """Return an error's message; of one that Ray carried over, the message of its cause without the far traceback."""
    return str(getattr(error, "cause", None) or error)
