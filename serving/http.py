"""The gateway over HTTP: a FastAPI application around `Gateway`.

Every error has the OpenAI shape. A stream that breaks says so in-band and ends without `[DONE]`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel

from evaluation.models import Completion, ModelError, UnfitPrompt
from serving.access import COLLECTING, RequireKey
from serving.collecting import add_examples_routes, read_json, waiting
from serving.errors import BODY_LIMIT, BodyLimit, answer_errors
from serving.gateway import Gateway, Headers, Ticket
from serving.incoming import read_feedback
from serving.openai import ChatRequest, call_deltas, chunk, error_body, response, usage


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
    app.add_middleware(BodyLimit, limit=BODY_LIMIT)
    app.add_middleware(RequireKey, keys=lambda: gateway().keys, guarded=COLLECTING)
    answer_errors(app)

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
    async def feedback(request: Request) -> Response:
        body = read_feedback(read_json(await request.body()))
        if gateway().feedback(body):
            return JSONResponse({"status": "kept"})
        inbox = gateway().inbox
        if inbox is None:
            raise HTTPException(404, f"example {body.example_id!r} is not known")
        return waiting(inbox.take_feedback(body))

    @app.get("/v1/ratchet/rollout")
    async def rollout() -> dict[str, Any]:
        routing = gateway().routing
        return {"model": routing.model, "stage": routing.stage, "weights": dict(routing.weights)}

    add_examples_routes(app, lambda: gateway().inbox, lambda: gateway().waiting())
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
