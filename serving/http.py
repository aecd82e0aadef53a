"""The gateway over HTTP: a FastAPI application around `Gateway`.

Every error has the OpenAI shape. A stream that breaks says so in-band and ends without `[DONE]`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from evaluation.models import Completion, ModelError
from serving.gateway import FeedbackBody, Gateway, Headers, NoSuchModel, Ticket
from serving.openai import ChatRequest, call_deltas, chunk, error_body, response, usage
from serving.spool import SpoolFull

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
    _errors(app)

    @app.middleware("http")
    async def limit(request: Request, call_next: Any) -> Response:
        if int(request.headers.get("content-length") or 0) > BODY_LIMIT:
            return JSONResponse(error_body(f"expected a body of at most {BODY_LIMIT} bytes"), 413)
        answer: Response = await call_next(request)
        return answer

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
        async for piece in gateway.stream(ticket):
            if not isinstance(piece, Completion):
                yield _event(chunk(ticket.id, model, {"content": piece}))
                continue
            for delta in call_deltas(piece.message):
                yield _event(chunk(ticket.id, model, delta))
            yield _event(chunk(ticket.id, model, {}, piece.finish))
            if with_usage:
                last = chunk(ticket.id, model, {})
                yield _event({**last, "choices": [], "usage": usage(piece)})
    except ModelError as error:
        yield _event(error_body(str(error), "server_error"))
        return
    yield "data: [DONE]\n\n"


def _event(body: dict[str, Any]) -> str:
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n"


def _errors(app: FastAPI) -> None:
    def answer(status: int, kind: str) -> Callable[[Request, Exception], JSONResponse]:
        return lambda _, error: JSONResponse(error_body(str(error), kind), status)

    def invalid(_: Request, error: Exception) -> JSONResponse:
        found = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": str(error)}
        where = ".".join(str(part) for part in found["loc"][1:])
        return JSONResponse(error_body(f"{where}: {found['msg']}"), 422 if where else 400)

    def plain(_: Request, error: Exception) -> JSONResponse:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return JSONResponse(error_body(str(getattr(error, "detail", error))), status)

    app.add_exception_handler(NoSuchModel, answer(404, "invalid_request_error"))
    app.add_exception_handler(SpoolFull, answer(429, "rate_limit_error"))
    app.add_exception_handler(ModelError, answer(503, "server_error"))
    app.add_exception_handler(ValueError, answer(400, "invalid_request_error"))
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, plain)
