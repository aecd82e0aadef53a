"""MCP servers as this harness talks to them: started or found, asked under limits, and closed.

Decisions: one event loop in a daemon thread holds all connections, since a session has to be closed by the task that
opened it. A program's line, or an HTTP answer, longer than the limit ends the session instead of filling memory. After
a call that took too long the session is given up: what the server still does belongs to no call. A server's own
requests (sampling, elicitation) are not answered.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import functools
import os
import signal
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

import anyio
import httpx2
import mcp
from mcp import types as mcp_types
from mcp.client.stdio import get_default_environment
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage

from evaluation.records import FailureKind
from evaluation.tools.addresses import reachable
from evaluation.tools.http_calls import secrets_of
from evaluation.tools.outside import McpServer
from evaluation.tools.placeholders import filled_header
from evaluation.tools.results import Bounds, CallFailed

T = TypeVar("T")

GRACE_S = 2.0
"""Seconds that a program has to end once its input is closed."""
_LEAST_LINE = 1 << 20
"""A list of tools may well be longer than a result may be."""


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="mcp", daemon=True).start()
    return loop


class Session:
    """One connection to one server. Made by `open_session`; all its calls may be made from any thread."""

    def __init__(self, server: McpServer, bounds: Bounds) -> None:
        self.server = server
        self.trouble = ""
        """Why the connection ended, where this side ended it."""
        self._bounds = bounds
        self._ready: concurrent.futures.Future[mcp.Client] = concurrent.futures.Future()
        self._leaving = asyncio.Event()
        self._holder: asyncio.Task[Any] | None = None
        self._task = asyncio.run_coroutine_threadsafe(self._held(), _loop())
        _OPEN.add(self)

    @property
    def ended(self) -> bool:
        """Whether it cannot be used any more."""
        return self._task.done() or bool(self.trouble)

    def ask(self, question: Callable[[mcp.Client], Coroutine[Any, Any, T]], seconds: float) -> T:
        """Return what the server answers. Raises `CallFailed` where it does not in time, or breaks off."""
        client = self._client()
        asked = asyncio.run_coroutine_threadsafe(self._asked(client, question), _loop())
        try:
            return asked.result(timeout=seconds)
        except concurrent.futures.TimeoutError as error:
            asked.cancel()
            raise self._late(seconds) from error
        except CallFailed:
            raise
        except mcp.MCPError as error:
            if error.error.code == mcp_types.CONNECTION_CLOSED or self.trouble:
                self.trouble = self.trouble or "it closed the connection"
                self.close()
                text = f"the MCP server {self.server.label} broke off: {self.trouble}"
                raise CallFailed(FailureKind.TOOL_ERROR, text) from error
            wrong = error.error.code == mcp_types.INVALID_PARAMS
            kind = FailureKind.INVALID_ARGUMENTS if wrong else FailureKind.TOOL_ERROR
            raise CallFailed(kind, f"the MCP server {self.server.label} refused: {error}") from error

    def close(self, wait_s: float = 0.0) -> None:
        """End the connection; a program that does not end by itself is killed. Waits up to `wait_s` for it."""
        _loop().call_soon_threadsafe(self._leave)
        if wait_s:
            concurrent.futures.wait([self._task], timeout=wait_s)

    def _leave(self) -> None:
        self._leaving.set()
        if not self._ready.done() and self._holder is not None:
            self._holder.cancel()

    def _client(self) -> mcp.Client:
        """Wait until the connection stands. Raises `CallFailed`."""
        try:
            return self._ready.result(timeout=self._bounds.start_seconds)
        except concurrent.futures.TimeoutError as error:
            raise self._late(self._bounds.start_seconds) from error

    def _late(self, seconds: float) -> CallFailed:
        """Give the session up, since something took longer than it may, and return what to raise."""
        self.trouble = self.trouble or f"no answer within {seconds:g} s"
        self.close()
        text = f"the MCP server {self.server.label} did not answer within {seconds:g} s"
        return CallFailed(FailureKind.TOOL_TIMEOUT, text)

    async def _asked(self, client: mcp.Client, question: Callable[[mcp.Client], Coroutine[Any, Any, T]]) -> T:
        asking = asyncio.ensure_future(question(client))
        leaving = asyncio.ensure_future(self._leaving.wait())
        try:
            await asyncio.wait([asking, leaving], return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                return asking.result()
            text = f"the MCP server {self.server.label} broke off: {self.trouble or 'the session was closed'}"
            raise CallFailed(FailureKind.TOOL_ERROR, text)
        finally:
            asking.cancel()
            leaving.cancel()

    async def _held(self) -> None:
        """Hold the connection until it is to be closed."""
        self._holder = asyncio.current_task()
        entered = False
        try:
            async with mcp.Client(self._transport()) as client:
                entered = True
                self._ready.set_result(client)
                await self._leaving.wait()
        except BaseException as error:
            self.trouble = self.trouble or _said(error)
            if not entered:
                text = f"the MCP server {self.server.label} could not be used: {self.trouble}"
                self._ready.set_exception(CallFailed(FailureKind.TOOL_ERROR, text))
        finally:
            self._leaving.set()

    def _transport(self) -> Any:
        most = max(self._bounds.characters * 4, _LEAST_LINE)
        if self.server.command:
            return _program(self.server, most, self._broken)
        return _over_http(self.server, self._bounds, most, self._broken)

    def _broken(self, why: str) -> None:
        self.trouble = self.trouble or why
        self._leaving.set()


_OPEN: weakref.WeakSet[Session] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    """End what is still open, so that no program outlives this process."""
    ending = list(_OPEN)
    for session in ending:
        session.close()
    for session in ending:
        session.close(2 * GRACE_S)


def _said(error: BaseException) -> str:
    """Return what lies at the bottom of an error, which task groups wrap."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) if isinstance(error, CallFailed) else f"{type(error).__name__}: {error}"[:300]


@contextlib.asynccontextmanager
async def _program(server: McpServer, most: int, broken: Callable[[str], None]) -> AsyncIterator[Any]:
    """Start a server's program and yield the streams of its messages, a line each.

    The SDK's own has no limit for the length of a line.
    """
    environment = get_default_environment() | {n: os.environ[n] for n in server.environment if n in os.environ}
    process = await asyncio.create_subprocess_exec(
        *server.command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment,
        limit=most,
        start_new_session=True,
    )
    received, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write, to_send = anyio.create_memory_object_stream[SessionMessage](0)
    tasks = [
        asyncio.ensure_future(_receive(process, received, most, broken)),
        asyncio.ensure_future(_send(process, to_send)),
    ]
    try:
        yield read, write
    finally:
        for task in tasks:
            task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.gather(*tasks, return_exceptions=True)
            for stream in (received, read, write, to_send):
                stream.close()
            await _ended(process)


async def _receive(process: asyncio.subprocess.Process, to: Any, most: int, broken: Callable[[str], None]) -> None:
    if process.stdout is None:
        raise ValueError("expected a program with its output piped")
    async with to:
        try:
            while line := await process.stdout.readline():
                with contextlib.suppress(ValueError):  # what a program prints beside its messages
                    await to.send(SessionMessage(mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False)))
        except ValueError:
            broken(f"it wrote a message of more than {most} bytes")
        else:
            broken("the program ended")


async def _send(process: asyncio.subprocess.Process, messages: Any) -> None:
    if process.stdin is None:
        raise ValueError("expected a program with its input piped")
    async for message in messages:
        text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
        process.stdin.write(text.encode() + b"\n")
        with contextlib.suppress(ConnectionError):
            await process.stdin.drain()


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Let a program end, and kill it and what it started where it does not."""
    if process.stdin is not None:
        process.stdin.close()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), GRACE_S)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


@contextlib.asynccontextmanager
async def _over_http(server: McpServer, bounds: Bounds, most: int, broken: Callable[[str], None]) -> AsyncIterator[Any]:
    secrets = secrets_of(server.secrets)
    values = {name: secrets[variable] for name, variable in server.secrets.items()}
    headers = {name: filled_header(text, values) for name, text in server.headers.items()}
    guarded = _Guarded(bounds, most, broken)
    async with (
        httpx2.AsyncClient(headers=headers, transport=guarded, timeout=httpx2.Timeout(30.0, read=300.0)) as client,
        streamable_http_client(server.url or "", http_client=client, max_sse_event_size=most) as streams,
    ):
        yield streams


class _Guarded(httpx2.AsyncBaseTransport):
    """Checks each address as HTTP tools do, and ends an answer that is too long."""

    def __init__(self, bounds: Bounds, most: int, broken: Callable[[str], None]) -> None:
        self._inner = httpx2.AsyncHTTPTransport(trust_env=False)
        self._bounds, self._most, self._broken = bounds, most, broken

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = await asyncio.to_thread(reachable, url.host, port, self._bounds.reach)
        request.extensions = {**request.extensions, "sni_hostname": url.host}
        request.headers["Accept-Encoding"] = "identity"
        for last, address in enumerate(addresses, start=1 - len(addresses)):
            request.url = url.copy_with(host=address)
            try:
                response = await self._inner.handle_async_request(request)
                break
            except httpx2.ConnectError:
                if not last:
                    raise
        request.url = url
        response.stream = _Counted(response.stream, self._most, self._broken)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Counted(httpx2.AsyncByteStream):
    """A body that ends with an error once it is too long."""

    def __init__(self, inner: Any, most: int, broken: Callable[[str], None]) -> None:
        self._inner, self._most, self._broken = inner, most, broken

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._inner:
            size += len(chunk)
            if size > self._most:
                why = f"it answered with more than {self._most} bytes"
                self._broken(why)
                raise httpx2.ReadError(why)
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()
