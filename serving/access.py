"""Who may send examples and feedback: whoever has one of the keys, where there are keys.

Decisions: keys stand in a file, one a line, so that they are in no settings file and in no list of processes; the same
header as for the OpenAI API carries them (`Authorization: Bearer KEY`). Every key is compared, each in constant time
over its digest, so that the time taken tells nothing. The check stands before anything reads the request's body.
Not covered: several rights, keys that end by themselves, and a limit on tries; put a proxy before it for those.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from pathlib import Path

from fastapi.responses import JSONResponse

from evaluation.records import Record
from serving.openai import error_body
from serving.wire import ASGIApp, Receive, Scope, Send

COLLECTING = ("/v1/ratchet/examples", "/v1/ratchet/feedback", "/v1/ratchet/spool")
"""Routes of the gateway that a key is asked for."""
_SCHEME = b"bearer "


class AccessError(Exception):
    """The keys cannot be used. Says what was expected and found."""


class CollectConfig(Record):
    """Who may send examples and feedback."""

    keys: Path | None = None
    """File with one key a line; None: none is asked for. Flag: `ratchet data serve --keys`."""


class Keys:
    """Keys that are let in."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._digests = [_digest(key.encode()) for key in keys]

    def allow(self, authorization: bytes) -> bool:
        """Whether a request's `Authorization` header holds one of the keys."""
        given = authorization[len(_SCHEME) :].strip() if authorization[: len(_SCHEME)].lower() == _SCHEME else b""
        digest = _digest(given)
        return sum(hmac.compare_digest(digest, known) for known in self._digests) > 0


def read_keys(path: Path | None) -> tuple[str, ...]:
    """Return the keys of a file, none where there is no file to read. Raises `AccessError` where it holds none."""
    if path is None:
        return ()
    try:
        lines = path.expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or error
        raise AccessError(f"data.collect.keys: expected a file with one key a line, found {path}: {said}") from None
    keys = tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
    if not keys:
        raise AccessError(f"data.collect.keys: expected at least one key in {path}, found none")
    return keys


class RequireKey:
    """Answers 401 to requests for `guarded` paths (and what is below them) without a key; no keys let everybody in."""

    def __init__(self, app: ASGIApp, keys: Callable[[], Keys | None], guarded: Sequence[str]) -> None:
        self._app, self._keys, self._guarded = app, keys, tuple(guarded)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        keys = self._keys() if scope["type"] == "http" and self._is_guarded(scope["path"]) else None
        given = next((value for name, value in scope.get("headers", ()) if name == b"authorization"), b"")
        if keys is None or keys.allow(given):
            await self._app(scope, receive, send)
            return
        found = "another one" if given else "none"
        said = f"expected a key of this collector (Authorization: Bearer KEY), found {found}"
        refusal = JSONResponse(error_body(said, "authentication_error"), 401, {"WWW-Authenticate": "Bearer"})
        await refusal(scope, receive, send)

    def _is_guarded(self, path: str) -> bool:
        return any(path == one or path.startswith(one.rstrip("/") + "/") for one in self._guarded)


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
