"""Simulated users: they draw `live` scenarios, talk to the gateway over HTTP with the real client, and rate.

Tools run on the users' side, as they do for agents. A user's rating follows from whether the task was done, with a
little seeded noise; who rates at all is drawn too.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import openai
from openai import AsyncOpenAI

from evaluation.agents import attempt
from evaluation.models import Completion, ModelError, Sampling
from evaluation.records import Message, ToolCall, ToolSpec
from evaluation.scenarios import Scenario
from evaluation.validators import judge, task_success

RATES = 0.6
"""Share of users who rate."""
SLIPS = 0.05
"""Share of ratings that say the opposite."""


class GatewayModel:
    """A model client over the real `openai` client: one conversation."""

    def __init__(self, client: AsyncOpenAI, model: str, conversation: str) -> None:
        self._client, self._model, self._conversation = client, model, conversation
        self.captured = ""
        """Id of the example that the last request became."""
        self.variant = ""
        self.failed = 0
        """Requests that were not answered."""

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
        try:
            raw = await self._client.chat.completions.with_raw_response.create(
                model=self._model,
                messages=[m.to_openai() for m in messages],  # type: ignore[misc]
                tools=[t.to_openai() for t in tools] or openai.omit,  # type: ignore[misc]
                max_tokens=sampling.max_tokens,
                temperature=sampling.temperature,
                seed=sampling.seed,
                extra_headers={"X-Ratchet-Conversation": self._conversation},
            )
        except openai.OpenAIError as error:
            self.failed += 1
            raise ModelError(f"the gateway did not answer: {error}") from error
        self.captured = raw.headers["X-Ratchet-Captured"]
        self.variant = raw.headers["X-Ratchet-Variant"]
        answer = raw.parse()
        message = answer.choices[0].message
        calls = tuple(
            ToolCall(id=c.id, name=c.function.name, arguments=json.loads(c.function.arguments))
            for c in message.tool_calls or ()
            if c.type == "function"
        )
        used = answer.usage
        return Completion(
            Message(role="assistant", content=message.content or "", tool_calls=calls),
            used.prompt_tokens if used else 0,
            used.completion_tokens if used else 0,
            (loop.time() - started) * 1000,
            "tool_calls" if calls else "length" if answer.choices[0].finish_reason == "length" else "stop",
        )


@dataclass
class Tally:
    """What the users saw."""

    conversations: int = 0
    requests: int = 0
    failed_requests: int = 0
    rated: int = 0
    errors: list[str] = field(default_factory=list)
    """The first few."""


@dataclass
class Users:
    """A crowd of simulated users."""

    base_url: str
    """The gateway's, without `/v1`."""
    model: str
    seed: int
    max_tokens: int
    scenarios: Callable[[int], Sequence[Scenario]]
    """Live scenarios with fresh values, block by block."""
    prefix: str
    """Begins the name of every conversation, so that rollouts do not share any."""
    tally: Tally = field(default_factory=Tally)

    async def run(self, concurrency: int, stop: asyncio.Event) -> None:
        """Talk until `stop` is set; a conversation that has begun is finished."""
        jobs = self._jobs()
        async with self._clients() as (client, plain):
            workers = [asyncio.create_task(self._work(jobs, client, plain, stop)) for _ in range(concurrency)]
            await asyncio.gather(*workers)

    def _jobs(self) -> Iterator[tuple[int, Scenario]]:
        blocks = (self.scenarios(block) for block in itertools.count())
        return enumerate(itertools.chain.from_iterable(blocks))

    @asynccontextmanager
    async def _clients(self) -> AsyncIterator[tuple[AsyncOpenAI, httpx.AsyncClient]]:
        async with (
            AsyncOpenAI(base_url=f"{self.base_url}/v1", api_key="simulated", max_retries=0, timeout=60) as client,
            httpx.AsyncClient(base_url=self.base_url, timeout=60) as plain,
        ):
            yield client, plain

    async def _work(
        self,
        jobs: Iterator[tuple[int, Scenario]],
        client: AsyncOpenAI,
        plain: httpx.AsyncClient,
        stop: asyncio.Event,
    ) -> None:
        while not stop.is_set():
            number, scenario = next(jobs)
            await self.talk(number, scenario, client, plain)

    async def talk(self, number: int, scenario: Scenario, client: AsyncOpenAI, plain: httpx.AsyncClient) -> None:
        """Have one conversation, tell how it ended, and perhaps rate it."""
        conversation = f"{self.prefix}-{number}"
        model = GatewayModel(client, self.model, conversation)
        episode = await attempt(scenario, model, sampling=Sampling(0.0, self.max_tokens, self.seed), attempt=number)
        success = task_success(judge(scenario, episode)[1]) is True
        self.tally.conversations += 1
        self.tally.requests += len(episode.model_calls)
        self.tally.failed_requests += model.failed
        if model.failed and len(self.tally.errors) < 5:
            self.tally.errors.append(episode.failures[0].message)
        if model.captured:
            await self._tell(plain, "outcomes", {"conversation": conversation, "success": success})
            await self._rate(plain, conversation, model.captured, success)

    async def _rate(self, plain: httpx.AsyncClient, conversation: str, example: str, success: bool) -> None:
        rng = random.Random(f"{self.seed}/{conversation}")
        if rng.random() >= RATES:
            return
        pleased = success != (rng.random() < SLIPS)
        rating = rng.choice((4, 5)) if pleased else rng.choice((1, 2))
        await self._tell(plain, "feedback", {"example_id": example, "rating": rating, "rater": conversation})
        self.tally.rated += 1

    async def _tell(self, plain: httpx.AsyncClient, what: str, body: dict[str, object]) -> None:
        self.tally.requests += 1
        try:
            answer = await plain.post(f"/v1/ratchet/{what}", json=body)
        except httpx.HTTPError as error:
            self._failed(f"{what}: {error!r}")
            return
        if answer.is_error:
            self._failed(f"{what}: {answer.status_code} {answer.text[:200]}")

    def _failed(self, words: str) -> None:
        self.tally.failed_requests += 1
        if len(self.tally.errors) < 5:
            self.tally.errors.append(words)
