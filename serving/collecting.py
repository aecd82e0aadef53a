"""Collecting over HTTP: the routes that the gateway and a collector without a model share.

    POST /v1/ratchet/examples   one example or a list → 202 with their ids, on disk by then; `known` says which of
                                these were there already, `differing` which say something else than what was there
    POST /v1/ratchet/feedback   → 202 with its id, on disk by then
    GET  /v1/ratchet/spool      how much waits, was refused, and lies among the dead letters

A full spool is 429 with `Retry-After`, and counted; a disk that takes nothing is 503: what was not confirmed was
not kept. Who may send is asked for a key where there are some (`access.py`); without keys, bind it to an address that
only your own programs reach.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from evaluation.protocols.strict_json import NotJson, parse_json
from serving.access import Keys, RequireKey
from serving.errors import BODY_LIMIT, BodyLimit, answer_errors
from serving.inbox import Inbox, Taken
from serving.incoming import read_examples, read_feedback


def add_examples_routes(app: FastAPI, inbox: Callable[[], Inbox | None], more: Callable[[], dict[str, int]]) -> None:
    """Add the routes for examples and for what waits; `more` are counts of the caller's own, added to the inbox's."""

    @app.post("/v1/ratchet/examples", status_code=202)
    async def examples(request: Request) -> dict[str, Any]:
        taken = await run_in_threadpool(_take, _required(inbox()), await request.body())
        status = "differs" if taken.differing else "known" if len(taken.known) == len(taken.ids) else "kept"
        return {"status": status, **taken._asdict()}

    @app.get("/v1/ratchet/spool")
    def spool() -> dict[str, int | None]:
        own, found = more(), inbox()
        counts = dict(found.counts()) if found is not None else {}
        return {name: (counts.get(name) or 0) + own.get(name, 0) for name in ("waiting", "refused")} | {
            name: counts.get(name) for name in ("waiting_bytes", "dead_letters")
        }


def build_collector_app(inbox: Inbox, reviews: APIRouter | None = None, *, keys: Keys | None = None) -> FastAPI:
    """Return an application that collects and serves no model; `reviews` are the routes of the review queue.

    `keys` let in, to all routes but `/healthz`; None lets everybody in.
    """
    app = FastAPI(title="Ratchet collector", docs_url=None, redoc_url=None)
    app.add_middleware(BodyLimit, limit=BODY_LIMIT)
    app.add_middleware(RequireKey, keys=lambda: keys, guarded=("/v1",))
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


def _take(inbox: Inbox, text: bytes) -> Taken:
    return inbox.take_examples(read_examples(read_json(text)))


def read_json(text: bytes) -> Any:
    """Return the body of a request, whatever type it claims to be: curl claims a form. Raises ValueError."""
    try:
        return parse_json(text.decode())
    except UnicodeDecodeError as error:
        found = text[error.start : error.start + 1].hex()
        raise ValueError(f"expected a body of JSON in UTF-8, found byte 0x{found} at {error.start}") from None
    except NotJson as error:
        found = str(error).removeprefix("JSONDecodeError: ").removeprefix("ValueError: ")
        raise ValueError(f"expected a body of JSON, found {found}") from None


def waiting(feedback_id: str) -> JSONResponse:
    """Return the answer for feedback that was kept before its example was looked up."""
    return JSONResponse({"status": "kept", "id": feedback_id}, 202)


def _required(inbox: Inbox | None) -> Inbox:
    if inbox is None:
        raise HTTPException(404, "examples are not collected here; run `ratchet serve` or `ratchet data serve`")
    return inbox
