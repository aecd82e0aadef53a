"""Collecting over HTTP: the routes that the gateway and a collector without a model share.

    POST /v1/ratchet/examples   one example or a list → 202 with their ids, on disk by then
    POST /v1/ratchet/feedback   → 202 with its id, on disk by then
    GET  /v1/ratchet/spool      how much waits, was refused, and lies among the dead letters

A full spool is 429 with `Retry-After`, and counted; a disk that takes nothing is 503: what was not confirmed was
not kept. Not covered: who may send. Bind it to an address that only your own programs reach.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from serving.errors import BODY_LIMIT, BodyLimit, answer_errors
from serving.inbox import Inbox
from serving.incoming import read_examples, read_feedback


def add_examples_routes(app: FastAPI, inbox: Callable[[], Inbox | None], more: Callable[[], dict[str, int]]) -> None:
    """Add the routes for examples and for what waits; `more` are counts of the caller's own, added to the inbox's."""

    @app.post("/v1/ratchet/examples", status_code=202)
    async def examples(request: Request) -> dict[str, Any]:
        text = await request.body()
        return {"status": "kept", "ids": await run_in_threadpool(_take, _required(inbox()), text)}

    @app.get("/v1/ratchet/spool")
    def spool() -> dict[str, int | None]:
        own, found = more(), inbox()
        counts = dict(found.counts()) if found is not None else {}
        return {name: (counts.get(name) or 0) + own.get(name, 0) for name in ("waiting", "refused")} | {
            name: counts.get(name) for name in ("waiting_bytes", "dead_letters")
        }


def build_collector_app(inbox: Inbox, reviews: APIRouter | None = None) -> FastAPI:
    """Return an application that collects and serves no model; `reviews` are the routes of the review queue."""
    app = FastAPI(title="Ratchet collector", docs_url=None, redoc_url=None)
    app.add_middleware(BodyLimit, limit=BODY_LIMIT)
    answer_errors(app)

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/v1/ratchet/feedback", status_code=202)
    async def feedback(request: Request) -> JSONResponse:
        body = read_feedback(read_json(await request.body()))
        return waiting(await run_in_threadpool(inbox.take_feedback, body))

    add_examples_routes(app, lambda: inbox, dict)
    if reviews is not None:
        app.include_router(reviews)
    return app


def _take(inbox: Inbox, text: bytes) -> list[str]:
    return inbox.take_examples(read_examples(read_json(text)))


def read_json(text: bytes) -> Any:
    """Return the body of a request, whatever type it claims to be: curl claims a form. Raises ValueError."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"expected a body of JSON, found {error}") from None


def waiting(feedback_id: str) -> JSONResponse:
    """Return the answer for feedback that was kept before its example was looked up."""
    return JSONResponse({"status": "kept", "id": feedback_id}, 202)


def _required(inbox: Inbox | None) -> Inbox:
    if inbox is None:
        raise HTTPException(404, "examples are not collected here; run `ratchet serve` or `ratchet data serve`")
    return inbox
