"""What went wrong at an OpenAI-compatible endpoint, classified once. Pure but for reading what the library raised.

Endpoints agree on status codes, less on the rest: codes and words that say "too long" or "filtered" are those of
OpenAI, Azure, vLLM, llama.cpp, Ollama, SGLang and Ratchet's own gateway.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx2
import openai

from evaluation.clients.retry import RETRIED_STATUS, Failed, retry_after_s
from evaluation.clients.secrets import Secret
from evaluation.models import ModelError, ModelErrorKind, UnfitPrompt

TOLD = 300
"""Characters of an endpoint's own words that a message repeats."""
_READ = 100_000
_BY_STATUS = {
    401: ModelErrorKind.REFUSED,
    402: ModelErrorKind.REFUSED,
    403: ModelErrorKind.REFUSED,
    404: ModelErrorKind.UNKNOWN_MODEL,
    408: ModelErrorKind.TIMED_OUT,
    413: ModelErrorKind.UNFIT_PROMPT,
    429: ModelErrorKind.RATE_LIMITED,
}
_QUOTA = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_TOO_LONG = re.compile(
    r"context_length_exceeded|context[ _](?:length|window|size)|maximum (?:model|prompt|input) length|"
    r"(?:prompt|input)(?: is| has)? too (?:long|large|many tokens)|too many (?:input )?tokens",
    re.IGNORECASE,
)
_FILTERED = re.compile(r"content_filter|content_policy|content management policy|ResponsibleAI", re.IGNORECASE)
_MARKUP = re.compile(r"\s*<(?:!doctype|html|head|body|\?xml)", re.IGNORECASE)
_HELP = {
    ModelErrorKind.REFUSED: "check OPENAI_API_KEY or RATCHET_API_KEY",
    ModelErrorKind.UNKNOWN_MODEL: "check the model's name, and that the base URL ends in /v1 where the endpoint's does",
    ModelErrorKind.UNREACHABLE: "check that it runs, and the base URL",
}


def of_status(status: int, headers: Mapping[str, str], body: Any, secret: Secret) -> Failed:
    """Return what an error response means; `body` is its JSON, or its text."""
    code, words = _told(body.get("error", body) if isinstance(body, Mapping) else body, secret)
    kind = _kind(status, code, words)
    passing = (status in RETRIED_STATUS or status >= 500) and code not in _QUOTA
    overload = status in (429, 503, 529) and passing
    return Failed(kind, f"HTTP {status}: {words or 'no message'}", retry_after_s(headers), passing, overload)


def _kind(status: int, code: str, words: str) -> ModelErrorKind:
    if code in _QUOTA:
        return ModelErrorKind.REFUSED
    if status in (400, 413, 422, 500) and _TOO_LONG.search(f"{code} {words}"):
        return ModelErrorKind.UNFIT_PROMPT
    if status in (400, 403) and _FILTERED.search(f"{code} {words}"):
        return ModelErrorKind.FILTERED
    if status >= 500 or status == 409:
        return ModelErrorKind.SERVER_ERROR
    return _BY_STATUS.get(status, ModelErrorKind.BAD_REQUEST if status >= 400 else ModelErrorKind.BROKEN_ANSWER)


def of_error(error: Exception, secret: Secret) -> Failed:
    """Return what an exception means, of the library or of anything below it."""
    if isinstance(error, openai.APIStatusError):
        return of_status(error.status_code, error.response.headers, error.body, secret)
    if isinstance(error, TimeoutError | openai.APITimeoutError | httpx2.TimeoutException):
        return Failed(ModelErrorKind.TIMED_OUT, "no whole answer in time", overload=True)
    if isinstance(error, openai.APIConnectionError):
        return _of_connection(error.__cause__ or error, secret)
    if isinstance(error, httpx2.HTTPError):
        return _of_connection(error, secret)
    if isinstance(error, openai.APIError):
        return _of_stream(error, secret)
    return Failed(ModelErrorKind.BROKEN_ANSWER, f"what came back could not be read: {type(error).__name__}")


def _of_connection(cause: BaseException, secret: Secret) -> Failed:
    name = type(cause).__name__
    if name in ("ConnectError", "UnsupportedProtocol", "ProxyError", "InvalidURL", "LocalProtocolError"):
        return Failed(ModelErrorKind.UNREACHABLE, f"it cannot be reached ({_cut(str(cause), secret) or name})")
    if name in ("DecodingError", "TooManyRedirects"):
        what = "its compressed answer could not be read" if name == "DecodingError" else "it sends in a circle"
        return Failed(ModelErrorKind.BROKEN_ANSWER, what)
    return Failed(ModelErrorKind.CUT_OFF, f"the connection was lost before the whole answer came ({name})")


def _of_stream(error: openai.APIError, secret: Secret) -> Failed:
    """Return what an error means that a stream told in place of a chunk: its code may be a status."""
    code, words = _told(error.body, secret)
    words = words or _cut(error.message, secret)
    status = int(code) if code.isdecimal() and 400 <= int(code) <= 599 else 400
    kind = _kind(status, code, words)
    if status == 400 and kind is ModelErrorKind.BAD_REQUEST:
        kind = ModelErrorKind.SERVER_ERROR
    return Failed(kind, f"the stream ended in an error: {words or 'no message'}", overload=status in (429, 503, 529))


def not_json(text: str, why: str, secret: Secret) -> Failed:
    """Return what it means that an answer's text is no JSON."""
    if _MARKUP.match(text):
        return Failed(ModelErrorKind.BROKEN_ANSWER, f"expected JSON, found HTML: {_cut(text, secret, 80)!r}")
    return Failed(ModelErrorKind.BROKEN_ANSWER, f"expected JSON, found {_cut(text, secret, 80)!r} ({why})")


def model_error(failed: Failed, *, who: str, why: str, secret: Secret) -> ModelError:
    """Return the error that a client raises; `who` was asked, `why` it was not asked again."""
    told = [failed.message, why, _HELP.get(failed.kind, "")]
    message = secret.hide(f"{who}: {'; '.join(part for part in told if part)}")
    message = message.encode("utf-8", "replace").decode()
    if failed.kind is ModelErrorKind.UNFIT_PROMPT:
        return UnfitPrompt(message)
    return ModelError(message, failed.kind)


def _told(body: Any, secret: Secret) -> tuple[str, str]:
    """Return the code and the words of an error's body."""
    if isinstance(body, Mapping):
        words = body.get("message") or body.get("detail") or body.get("error") or ""
        return str(body.get("code") or body.get("type") or "")[:TOLD], _cut(str(words), secret)
    text = str(body or "")
    return "", f"a page of HTML: {_cut(text, secret, 80)}" if _MARKUP.match(text) else _cut(text, secret)


def _cut(text: str, secret: Secret, most: int = TOLD) -> str:
    """Return the beginning of a text in one line. The key is taken out first: half a key is a secret, too."""
    line = secret.hide(" ".join(text[:_READ].split()))
    return line if len(line) <= most else line[:most] + "…"
