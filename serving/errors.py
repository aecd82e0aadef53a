"""What every HTTP application of ours answers where something is wrong: the OpenAI shape, and a limit on bodies."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from evaluation.ledger.outbox import OutboxError, OutboxFull
from evaluation.models import ModelError, UnfitPrompt
from serving.gateway import NoSuchModel
from serving.incoming import Unreadable
from serving.openai import error_body
from serving.spool import SpoolFull
from serving.wire import ASGIApp, Receive, Scope, Send

Handler = Callable[[Request, Exception], JSONResponse]

BODY_LIMIT = 4 * 1024 * 1024
"""Bytes of a request's body."""
RETRY_AFTER_S = 5
"""What a caller is told to wait where there is no room."""


class BodyLimit:
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


def answer_errors(app: FastAPI) -> None:
    """Let each kind of error have its status and the OpenAI shape."""

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

    def full(_: Request, error: Exception) -> JSONResponse:
        return JSONResponse(error_body(str(error), "rate_limit_error"), 429, {"Retry-After": str(RETRY_AFTER_S)})

    def plain(_: Request, error: Exception) -> JSONResponse:
        status = error.status_code if isinstance(error, HTTPException) else getattr(error, "status_code", 500)
        return JSONResponse(error_body(str(getattr(error, "detail", error))), status)

    app.add_exception_handler(NoSuchModel, answer(404, "invalid_request_error"))
    app.add_exception_handler(SpoolFull, full)
    app.add_exception_handler(OutboxFull, full)
    app.add_exception_handler(OutboxError, answer(503, "server_error"))
    app.add_exception_handler(UnfitPrompt, too_long)
    app.add_exception_handler(ModelError, answer(503, "server_error"))
    app.add_exception_handler(Unreadable, answer(422, "invalid_request_error"))
    app.add_exception_handler(ValueError, answer(400, "invalid_request_error"))
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(404, plain)
    app.add_exception_handler(405, plain)
    app.add_exception_handler(Exception, answer(500, "server_error"))
