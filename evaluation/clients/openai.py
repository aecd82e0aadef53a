"""A model behind any OpenAI-compatible endpoint, over the real `openai` library.

Decisions: the library's own retries are off, because they know neither the limiter nor how many tries a run has: a
request waits for its place (`limiter.py`), is made, and is made again as `retry.py` decides; a wait between tries
holds no place. The library's parsing is left out too: an answer is read as plain JSON (`chat_api.py`), so that whatever
an endpoint sends becomes a completion or a `ModelError`. Latency is that of the try that was answered, from request to
last byte, without any wait of ours. The library's exceptions are not chained: they hold requests, and those the key.
An endpoint that refuses the very first answer for a reason that stays (the key, the model's name) is not asked again.
Connections belong to the event loop that they were made in, and are closed when it ends; there is nothing to close.
Limits: an answer of at most `LARGEST` bytes. Where an endpoint does not tell its usage, it is estimated.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import random
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import httpx2
import openai
from openai import AsyncOpenAI

from evaluation.clients.chat_api import Answer, NoAnswer, estimated_tokens, read_answer, request_body
from evaluation.clients.chunks import Assembled
from evaluation.clients.endpoint import EndpointConfig
from evaluation.clients.failures import model_error, not_json, of_error
from evaluation.clients.limiter import Limiter
from evaluation.clients.retry import PASSING, Failed
from evaluation.models import Completion, ModelErrorKind, Sampling
from evaluation.records import Message, ToolSpec

LARGEST = 32 * 1024**2
"""Bytes of an answer at most."""
NO_KEY = "none"
"""What is sent where there is no key: local servers take anything."""
_log = logging.getLogger(__name__)


class _Got(NamedTuple):
    answer: Answer
    latency_ms: float


class _Opened(NamedTuple):
    client: AsyncOpenAI
    loop: asyncio.AbstractEventLoop
    kept: asyncio.Task[None]


class OpenAIModel:
    """Asks one model at one endpoint."""

    def __init__(self, config: EndpointConfig, chance: random.Random | None = None) -> None:
        """`chance` draws the jitter of waits between tries; it changes nothing but times."""
        self.config = config
        self.limiter = Limiter(config.concurrency)
        self._chance = chance or random.Random()
        self._opened: _Opened | None = None
        self._room = "max_tokens"
        self._told_of_usage = False
        self._answered = False
        self._refusal: Failed | None = None
        """What every further request would meet, too."""

    @property
    def name(self) -> str:
        return self.config.name or self.config.model

    @property
    def template_hash(self) -> str:
        return ""

    async def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling) -> Completion:
        """Return the next assistant turn. Raises `ModelError`, `UnfitPrompt` among them."""
        body = request_body(self.config.model, messages, tools, sampling)
        begun, tries = time.monotonic(), 0
        while True:
            tries += 1
            got = self._refusal or await self._try(body, len(messages))
            if isinstance(got, _Got):
                self._answered = True
                return self._completion(got, messages, tools)
            if got.kind.ends_run and not self._answered:
                self._refusal = got
            taken = time.monotonic() - begun
            decision = self.config.retries.decide(got, tries, taken, self._chance.random())
            if decision.wait_s is None:
                why = decision.reason if got.kind in PASSING and got.passing else ""
                raise model_error(got, who=self._who(), why=why, secret=self.config.key)
            if got.retry_after_s:
                self.limiter.hold(got.retry_after_s)
            await asyncio.sleep(decision.wait_s)

    def __repr__(self) -> str:
        return f"OpenAIModel({self._who()})"

    def _who(self) -> str:
        return f"{self.config.model} at {self.config.base_url}"

    async def _try(self, body: dict[str, Any], turn: int) -> _Got | Failed:
        """Make one request in its place. Whatever comes of it is returned."""
        async with self.limiter.slot() as slot:
            started = time.perf_counter()
            try:
                async with asyncio.timeout(self.config.time_limit_s):
                    told = await self._request(self._with_room(body))
                took = (time.perf_counter() - started) * 1000
                got = told if isinstance(told, Failed) else self._read(told, turn, took)
            except Exception as error:  # the one boundary: library, transport, JSON
                got = of_error(error, self.config.key)
            if not isinstance(got, Failed) or got.overload:
                slot.overloaded = isinstance(got, Failed)
        if isinstance(got, Failed) and self._other_room(got):
            return await self._try(body, turn)
        return got

    async def _request(self, body: dict[str, Any]) -> dict[str, Any] | Failed:
        """Return the answer as JSON. Raises whatever library and transport raise."""
        create: Any = self._client().chat.completions.with_streaming_response.create
        more = {"stream": True, "stream_options": {"include_usage": True}} if self.config.stream else {}
        async with create(**body, **more) as raw:
            if self.config.stream and "event-stream" in raw.headers.get("content-type", ""):
                return await _streamed(await raw.parse(to=openai.AsyncStream[object]))
            held = bytearray()
            async for piece in raw.iter_bytes():
                held += piece
                if len(held) > LARGEST:
                    return _TOO_LARGE
        text = held.decode("utf-8-sig", "replace")
        try:
            parsed: dict[str, Any] = json.loads(text)
        except (ValueError, RecursionError) as error:
            return not_json(text, type(error).__name__, self.config.key)
        return parsed

    def _read(self, body: dict[str, Any], turn: int, latency_ms: float) -> _Got | Failed:
        try:
            answer = read_answer(self.config.key.hide_said(body), turn)
        except NoAnswer as error:
            return Failed(ModelErrorKind.BROKEN_ANSWER, str(error))
        if answer.filtered:
            return Failed(ModelErrorKind.FILTERED, "its content filter ended the answer")
        return _Got(answer, latency_ms)

    def _completion(self, got: _Got, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Completion:
        answer = got.answer
        tokens_in, tokens_out = answer.tokens_in, answer.tokens_out
        if tokens_in is None or tokens_out is None:
            if not self._told_of_usage:
                _log.warning("%s does not tell how many tokens it used: they are estimated", self._who())
            self._told_of_usage = True
            tokens_in = tokens_in if tokens_in is not None else estimated_tokens(messages, tools)
            tokens_out = tokens_out if tokens_out is not None else estimated_tokens([answer.message])
        return Completion(
            answer.message,
            tokens_in,
            tokens_out,
            got.latency_ms,
            answer.finish,
            answer.malformed,
            fingerprint=answer.fingerprint,
            logprobs=answer.logprobs,
            tokens_cached=answer.tokens_cached,
        )

    def _client(self) -> AsyncOpenAI:
        """Return the library's client of the running event loop."""
        loop = asyncio.get_running_loop()
        if self._opened is None or self._opened.loop is not loop:
            client = _open(self.config)
            self._opened = _Opened(client, loop, loop.create_task(_kept_open(client)))
        return self._opened.client

    def _with_room(self, body: dict[str, Any]) -> dict[str, Any]:
        return {self._room if name == "max_tokens" else name: value for name, value in body.items()}

    def _other_room(self, failed: Failed) -> bool:
        """Whether to ask with `max_completion_tokens` instead, which OpenAI's newer models want for `max_tokens`."""
        asks = failed.kind is ModelErrorKind.BAD_REQUEST and "max_completion_tokens" in failed.message
        if not asks or self._room != "max_tokens":
            return False
        self._room = "max_completion_tokens"
        return True


_TOO_LARGE = Failed(ModelErrorKind.BROKEN_ANSWER, f"expected an answer of at most {LARGEST} bytes, found a larger one")


async def _streamed(stream: AsyncIterator[Any]) -> dict[str, Any] | Failed:
    """Return the answer of a stream, in one piece."""
    whole = Assembled()
    async for chunk in stream:
        whole.feed(chunk)
        if whole.size > LARGEST:
            return _TOO_LARGE
    if whole.finish is None:
        return Failed(ModelErrorKind.CUT_OFF, f"the stream ended after {whole.chunks} chunks, without a finish reason")
    return whole.body()


async def _kept_open(client: AsyncOpenAI) -> None:
    """Close the connections when this is cancelled, as `asyncio.run` does with what is left at its end."""
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await client.close()


@functools.cache
def _tls() -> ssl.SSLContext:
    """Return what all clients trust: to read a machine's certificates takes a tenth of a second."""
    return httpx2.create_ssl_context()


def _open(config: EndpointConfig) -> AsyncOpenAI:
    limits = httpx2.Limits(max_connections=config.concurrency, max_keepalive_connections=config.concurrency)
    url = urlsplit(config.base_url)
    return AsyncOpenAI(
        api_key=config.key.reveal() or NO_KEY,
        base_url=url._replace(query="").geturl(),
        default_query=dict(parse_qsl(url.query)),
        default_headers=dict(config.headers),
        max_retries=0,
        timeout=config.time_limit_s,
        http_client=openai.DefaultAsyncHttpxClient(limits=limits, verify=_tls()),
    )
