"""Simulated users: they draw `live` scenarios, talk to the gateway over HTTP with the real client, and rate.

Tools run on the users' side, as they do for agents. A user's rating follows from whether the task was done, with a
little seeded noise; who rates at all is drawn too. Each scenario is asked in one conversation only; what its user saw
is kept when it is over. While the gateway cannot be reached, users ask again ever more seldom.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import openai
from openai import AsyncOpenAI

from evaluation.agents import attempt
from evaluation.clients.chat_api import read_answer, request_body
from evaluation.models import Completion, ModelError, ModelErrorKind, Sampling
from evaluation.records import Message, ToolSpec
from evaluation.scenarios import Scenario
from evaluation.validators import judge, task_success
from serving.spool import Tally

RATES = 0.6
"""Share of users who rate."""
SLIPS = 0.05
"""Share of ratings that say the opposite."""
PATIENCE_S = (0.25, 5.0)
"""First and longest wait before a gateway that cannot be reached is asked again."""


class GatewayModel:
    """A model client over the real `openai` client: one conversation."""

    def __init__(self, client: AsyncOpenAI, model: str, conversation: str) -> None:
        self._client, self._model, self._conversation = client, model, conversation
        self.captured = ""
        """Id of the example that the last request became."""
        self.variant = ""
        self.failed = 0
        """Requests that were not answered."""
        self.unreachable = False
        """The last request did not get as far as the gateway."""

    @property
    def name(self) -> str:
        return self._model

    @property
    def template_hash(self) -> str:
        return ""

    async def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling) -> Completion:
        """Return the next assistant turn. Raises `ModelError`."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        create: Any = self._client.chat.completions.with_raw_response.create
        try:
            raw = await create(
                **request_body(self._model, messages, tools, sampling),
                extra_headers={"X-Ratchet-Conversation": self._conversation},
            )
            answer = read_answer(json.loads(raw.text), len(messages))
        except openai.OpenAIError as error:
            self.failed += 1
            lost = isinstance(error, openai.APIConnectionError) and not isinstance(error, openai.APITimeoutError)
            self.unreachable = lost
            raise ModelError(f"the gateway did not answer: {error}") from error
        except ValueError as error:
            self.failed += 1
            raise ModelError(f"the gateway's answer cannot be read: {error}", ModelErrorKind.BROKEN_ANSWER) from error
        self.captured = raw.headers["X-Ratchet-Captured"]
        self.variant = raw.headers["X-Ratchet-Variant"]
        took = (loop.time() - started) * 1000
        counts = answer.tokens_in or 0, answer.tokens_out or 0
        return Completion(
            answer.message, *counts, took, answer.finish, answer.malformed, tokens_cached=answer.tokens_cached
        )


@dataclass
class _Seen:
    """What one user sees of one conversation."""

    requests: int = 0
    failed: int = 0
    rated: int = 0
    errors: list[str] = field(default_factory=list)

    def tally(self) -> Tally:
        return Tally(self.requests, self.failed, self.rated, tuple(self.errors))


@dataclass
class Users:
    """A crowd of simulated users."""

    base_url: str
    """The gateway's, without `/v1`."""
    model: str
    seed: int
    max_tokens: int
    scenarios: Callable[[int], Sequence[Scenario]]
    """Live scenarios with fresh values, block by block; an empty block when there are no others."""
    prefix: str
    """Begins the name of every conversation, so that neither rollouts nor starts of one share any."""
    keep: Callable[[Tally], None]
    """Called with what a user saw of each conversation."""
    asked: frozenset[int] = frozenset()
    """Numbers of the scenarios that an earlier process has asked."""
    api_key: str = field(default="simulated", repr=False)
    """The gateway's, where it asks for one."""

    async def run(self, concurrency: int, stop: asyncio.Event) -> None:
        """Talk until `stop` is set or all scenarios are asked; a conversation that has begun is finished."""
        jobs, turn = self._jobs(), asyncio.Lock()
        async with self._clients() as (client, plain):

            async def work() -> None:
                while not stop.is_set():
                    async with turn:
                        job = await anext(jobs, None)
                    if job is None:
                        return
                    await self._insist(job, client, plain, stop)

            await asyncio.gather(*(asyncio.create_task(work()) for _ in range(concurrency)))

    async def _jobs(self) -> AsyncIterator[tuple[int, Scenario]]:
        number = 0
        for block in itertools.count():
            scenarios = await asyncio.to_thread(self.scenarios, block)  # to expand a suite takes seconds
            if not scenarios:
                return
            for scenario in scenarios:
                if number not in self.asked:
                    yield number, scenario
                number += 1

    @asynccontextmanager
    async def _clients(self) -> AsyncIterator[tuple[AsyncOpenAI, httpx.AsyncClient]]:
        async with (
            AsyncOpenAI(base_url=f"{self.base_url}/v1", api_key=self.api_key, max_retries=0, timeout=60) as client,
            httpx.AsyncClient(
                base_url=self.base_url, timeout=60, headers={"Authorization": f"Bearer {self.api_key}"}
            ) as plain,
        ):
            yield client, plain

    async def _insist(
        self, job: tuple[int, Scenario], client: AsyncOpenAI, plain: httpx.AsyncClient, stop: asyncio.Event
    ) -> None:
        """Have a conversation, again and again while the gateway cannot be reached."""
        wait, longest = PATIENCE_S
        while not await self.talk(*job, client, plain):
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), wait)
            if stop.is_set():
                return
            wait = min(2 * wait, longest)

    async def talk(self, number: int, scenario: Scenario, client: AsyncOpenAI, plain: httpx.AsyncClient) -> bool:
        """Have one conversation, tell how it ended, and perhaps rate it; return False where it could not begin."""
        conversation = f"{self.prefix}-{number}"
        model = GatewayModel(client, self.model, conversation)
        episode = await attempt(scenario, model, sampling=Sampling(0.0, self.max_tokens, self.seed), attempt=number)
        success = task_success(judge(scenario, episode)[1]) is True
        seen = _Seen(len(episode.model_calls), model.failed)
        if model.failed:
            seen.errors.append(episode.failures[-1].message)
        begun = bool(model.captured) or not model.unreachable
        if begun:
            await self._tell(plain, seen, "outcomes", {"conversation": conversation, "success": success})
        if model.captured:
            await self._rate(plain, seen, conversation, example=model.captured, success=success)
        await asyncio.to_thread(self.keep, seen.tally())
        return begun

    async def _rate(
        self, plain: httpx.AsyncClient, seen: _Seen, conversation: str, *, example: str, success: bool
    ) -> None:
        rng = random.Random(f"{self.seed}/{conversation}")
        if rng.random() >= RATES:
            return
        pleased = success != (rng.random() < SLIPS)
        rating = rng.choice((4, 5)) if pleased else rng.choice((1, 2))
        await self._tell(plain, seen, "feedback", {"example_id": example, "rating": rating, "rater": conversation})
        seen.rated += 1

    async def _tell(self, plain: httpx.AsyncClient, seen: _Seen, what: str, body: dict[str, object]) -> None:
        seen.requests += 1
        try:
            answer = await plain.post(f"/v1/ratchet/{what}", json=body)
        except httpx.HTTPError as error:
            words = f"{what}: {error!r}"
        else:
            if not answer.is_error:
                return
            words = f"{what}: {answer.status_code} {answer.text[:200]}"
        seen.failed += 1
        seen.errors.append(words)
