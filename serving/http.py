"""The gateway over HTTP: a FastAPI application around `Gateway`.

Every error has the OpenAI shape. A stream that breaks says so in-band and ends without `[DONE]`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import aclosing
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel

from evaluation.models import Completion, ModelError, UnfitPrompt
from serving.gateway import FeedbackBody, Gateway, Headers, NoSuchModel, Ticket
from serving.openai import ChatRequest, call_deltas, chunk, error_body, response, usage
from serving.spool import SpoolFull

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Handler = Callable[[Request, Exception], JSONResponse]

BODY_LIMIT = 4 * 1024 * 1024
"""Bytes of a request's body."""


class OutcomeBody(BaseModel):
    """Body of `POST /v1/ratchet/outcomes`."""

    conversation: str
    success: bool


def headers_of(request: Request) -> Headers:
    """Return what the request's headers say."""
    get = request.headers.get
    key = (get("authorization") or "").removeprefix("Bearer ").strip() or None
    return Headers(get("x-ratchet-task-key"), get("x-ratchet-conversation"), get("x-ratchet-user"), key)


def build_app(gateway: Callable[[], Gateway]) -> FastAPI:
    """Return the application; `gateway` gives the running gateway, which Serve makes after the application."""
    app = FastAPI(title="Ratchet gateway", docs_url=None, redoc_url=None)
    app.add_middleware(_BodyLimit, limit=BODY_LIMIT)
    _errors(app)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        data = [{"id": n, "object": "model", "created": 0, "owned_by": "ratchet"} for n in gateway().models()]
        return {"object": "list", "data": data}

    @app.post("/v1/chat/completions")
    async def chat(body: ChatRequest, request: Request) -> Response:
        ticket = gateway().accept(body, headers_of(request))
        told = {"X-Ratchet-Variant": ticket.variant, "X-Ratchet-Captured": ticket.captured}
        if body.stream:
            with_usage = bool(body.stream_options and body.stream_options.include_usage)
            events = _events(gateway(), ticket, body.model, with_usage)
            return StreamingResponse(events, media_type="text/event-stream", headers=told)
        completion = await gateway().complete(ticket)
        return JSONResponse(response(completion, body.model, ticket.id), headers=told)

    @app.post("/v1/ratchet/outcomes")
    async def outcomes(body: OutcomeBody) -> dict[str, str]:
        if not gateway().outcome(body.conversation, body.success):
            raise HTTPException(404, f"conversation {body.conversation!r} is not known")
        return {"status": "kept"}

    @app.post("/v1/ratchet/feedback")
    async def feedback(body: FeedbackBody) -> dict[str, str]:
        if not gateway().feedback(body):
            raise HTTPException(404, f"example {body.example_id!r} is not known")
        return {"status": "kept"}

    @app.get("/v1/ratchet/rollout")
    async def rollout() -> dict[str, Any]:
        routing = gateway().routing
        return {"model": routing.model, "stage": routing.stage, "weights": dict(routing.weights)}

    return app


async def _events(gateway: Gateway, ticket: Ticket, model: str, with_usage: bool) -> AsyncIterator[str]:
    yield _event(chunk(ticket.id, model, {"role": "assistant", "content": ""}))
    try:
        async with aclosing(gateway.stream(ticket)) as pieces:
            async for piece in pieces:
                if not isinstance(piece, Completion):
                    yield _event(chunk(ticket.id, model, {"content": piece}))
                    continue
                for delta in call_deltas(piece.message):
                    yield _event(chunk(ticket.id, model, delta))
                yield _event(chunk(ticket.id, model, {}, piece.finish))
                if with_usage:
                    last = chunk(ticket.id, model, {})
                    yield _event({**last, "choices": [], "usage": usage(piece)})
    except UnfitPrompt as error:
        yield _event(error_body(str(error), code="context_length_exceeded"))
        return
    except ModelError as error:
        yield _event(error_body(str(error), "server_error"))
        return
    yield "data: [DONE]\n\n"


def _event(body: dict[str, Any]) -> str:
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n"


class _BodyLimit:
    """Refuses bodies over the limit, whatever length they claim, before anything reads them."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body, more = bytearray(), scope["method"] in ("POST", "PUT", "PATCH")
        while more:
            part = await receive()
            if part["type"] == "http.disconnect":
                return
            body += part.get("body", b"")
            more = part.get("more_body", False)
            if len(body) > self._limit:
                refusal = JSONResponse(error_body(f"expected a body of at most {self._limit} bytes, found more"), 413)
                await refusal(scope, receive, send)
                return
        whole: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": bytes(body), "more_body": False}]
        await self._app(scope, lambda: _next(whole, receive), send)


async def _next(whole: list[MutableMapping[str, Any]], receive: Receive) -> MutableMapping[str, Any]:
    return whole.pop() if whole else await receive()


def _errors(app: FastAPI) -> None:
    def answer(status: int, kind: str) -> Handler:
        return lambda _, error: JSONResponse(error_body(str(error), kind), status)

    def invalid(_: Request, error: Exception) -> JSONResponse:
        found: dict[str, Any] = (
            error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": str(error)}
        )
        if found.get("type") == "json_invalid":
            return JSONResponse(error_body(f"expected a body of JSON, found {found['ctx']['error']}"), 400)
        where = ".".join(str(part) for part in found["loc"][1:])
        return JSONResponse(error_body(f"{where or 'body'}: {found['msg']}"), 422)

    def too_long(_: Request, error: Exception) -> JSONResponse:
        return JSONResponse(error_body(str(error), code="context_length_exceeded"), 400)

    def plain(_: Request, error: Exception) -> JSONResponse:
        status = error.status_code if isinstance(error, HTTPException) else getattr(error, "status_code", 500)
        return JSONResponse(error_body(str(getattr(error, "detail", error))), status)

    app.add_exception_handler(NoSuchModel, answer(404, "invalid_request_error"))
    app.add_exception_handler(SpoolFull, answer(429, "rate_limit_error"))
    app.add_exception_handler(UnfitPrompt, too_long)
    app.add_exception_handler(ModelError, answer(503, "server_error"))
    app.add_exception_handler(ValueError, answer(400, "invalid_request_error"))
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(404, plain)
    app.add_exception_handler(405, plain)
    app.add_exception_handler(Exception, answer(500, "server_error"))
