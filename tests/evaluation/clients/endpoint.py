"""An HTTP server that answers as it is told to, well or badly, byte by byte; it counts who is under way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, NamedTuple

CUT = object()
"""In place of bytes: close the connection here."""


class Asked(NamedTuple):
    number: int
    """Requests so far, from 0."""
    headers: dict[str, str]
    body: dict[str, Any]
    path: str


Answering = Callable[[Asked], AsyncIterator[Any]]
"""Yields the bytes of the whole response, head included."""


class Endpoint:
    """Listens at a free port of 127.0.0.1 while it is entered."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self.asked: list[Asked] = []
        self.under_way = 0
        self.most = 0
        """Most requests under way at the same time."""
        self.connections = 0

    async def __aenter__(self) -> Endpoint:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**24, backlog=1024)
        self._tasks: set[asyncio.Task[None]] = set()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        going = True
        try:
            # A client that leaves, and the end of this endpoint, end a connection: neither is an error.
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while going:
                    going = await self._one(reader, writer)
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        asked = Asked(len(self.asked), headers, json.loads(body), first.split()[1])
        self.asked.append(asked)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            async for piece in self._answering(asked):
                if piece is CUT:
                    return False
                writer.write(piece)
                await writer.drain()
        finally:
            self.under_way -= 1
        return True


def response(status: int, body: bytes | str, kind: str = "application/json", **headers: str) -> bytes:
    """Return a whole response; underscores in names of headers stand for hyphens."""
    data = body if isinstance(body, bytes) else body.encode()
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n{more}\r\n".encode() + data


def completion(content: str | None = "hello", calls: Any = None, finish: str = "stop", **more: Any) -> dict[str, Any]:
    """Return the body of a usual answer."""
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if calls is not None:
        message["tool_calls"] = calls
    return {
        "id": "c1",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
        "system_fingerprint": "fp_1",
        **more,
    }


def call(name: str, arguments: Any, id: str | None = "call_1") -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def answers(*responses: Any) -> Answering:
    """Answer with each response in turn, and with the last one ever after; a response is bytes, JSON, or a list."""

    async def answering(asked: Asked) -> AsyncIterator[Any]:
        told = responses[min(asked.number, len(responses) - 1)]
        for piece in told if isinstance(told, list) else [told]:
            yield response(200, json.dumps(piece)) if isinstance(piece, dict) else piece

    return answering


def events(*chunks: Any, done: bool = True, whole: bool = True) -> list[Any]:
    """Return a stream of server-sent events, in the pieces of a chunked response; not `whole`: cut before its end."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    texts = [chunk if isinstance(chunk, str) else f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    data = [text.encode() for text in [*texts, *(["data: [DONE]\n\n"] if done else [])]]
    pieces: list[Any] = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in data]
    return [head, *pieces, b"0\r\n\r\n" if whole else CUT]


def delta(finish: str | None = None, **said: Any) -> dict[str, Any]:
    """Return one chunk of a stream."""
    return {"choices": [{"index": 0, "delta": said, "finish_reason": finish}]}
