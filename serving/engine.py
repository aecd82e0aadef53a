"""A variant: one model folder behind the engine, as a Serve application of its own.

The same engine code and settings as in the comparison. An application per variant keeps Serve's own metrics apart, and
lets a candidate come and go without touching the champion.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from ray import serve

from evaluation.engines.client import LocalModel, generation_request
from evaluation.engines.config import EngineConfig
from evaluation.models import Completion, Sampling
from evaluation.records import Message, ToolSpec

HEALTH_EVERY_S = 10.0
HEALTH_DEADLINE_S = 30.0


@serve.deployment(
    num_replicas=1,
    max_ongoing_requests=64,
    graceful_shutdown_timeout_s=10,
    health_check_period_s=10,
    ray_actor_options={"num_cpus": 0.2},
)
class EngineDeployment:
    """Answers for one version."""

    def __init__(self, folder: str, version: str, config: EngineConfig) -> None:
        self._model = LocalModel.load(folder, version, config)
        self._healthy_at = 0.0

    async def complete(
        self, messages: tuple[Message, ...], tools: tuple[ToolSpec, ...], sampling: Sampling
    ) -> Completion:
        """Return the next assistant turn."""
        return await self._model.complete(messages, tools, sampling)

    async def stream(
        self, messages: tuple[Message, ...], tools: tuple[ToolSpec, ...], sampling: Sampling
    ) -> AsyncGenerator[str | Completion, None]:
        """Yield pieces of text as they come, and at last the whole completion."""
        async with aclosing(stream_completion(self._model, messages, tools, sampling)) as pieces:
            async for piece in pieces:
                yield piece

    def template_hash(self) -> str:
        """Return the digest of the chat template."""
        return self._model.template_hash

    async def check_health(self) -> None:
        """Generate one token, at most every ten seconds. Raises where that takes too long or fails."""
        if time.monotonic() - self._healthy_at < HEALTH_EVERY_S:
            return
        probe = (Message(role="user", content="hi"),)
        await asyncio.wait_for(self._model.complete(probe, (), Sampling(max_tokens=1)), HEALTH_DEADLINE_S)
        self._healthy_at = time.monotonic()


async def stream_completion(
    model: LocalModel, messages: tuple[Message, ...], tools: tuple[ToolSpec, ...], sampling: Sampling
) -> AsyncGenerator[str | Completion, None]:
    """Yield the text outside of calls piece by piece, then the completion.

    Text is held back from where a call begins: calls are told whole. Closing the iterator stops the generation.
    """
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[int | None]()
    prompt = model.chat.encode(messages, tools)
    started = time.perf_counter()

    def on_token(token: int) -> None:
        loop.call_soon_threadsafe(queue.put_nowait, token)

    request = generation_request(prompt, tools, sampling, on_token)
    task = asyncio.create_task(model.engine.generate(request))
    task.add_done_callback(lambda _: queue.put_nowait(None))
    try:
        ids: list[int] = []
        sent = ""
        while (token := await queue.get()) is not None:
            ids.append(token)
            text = model.chat.text(ids)
            if "<" not in text and not text.endswith("\ufffd") and len(text) > len(sent):
                yield text[len(sent) :]
                sent = text
        completion = model.completion(await task, len(prompt), len(messages), started)
        whole = completion.message.content
        if whole.startswith(sent) and len(whole) > len(sent):
            yield whole[len(sent) :]
        yield completion
    finally:
        task.cancel()


def engine_app(folder: str, version: str, config: EngineConfig) -> Any:
    """Return the application of a variant."""
    return EngineDeployment.bind(folder, version, config)  # type: ignore[attr-defined]


def app_name(version: str) -> str:
    """Return the name of a variant's application."""
    return "engine-" + version.replace(":", "-")
