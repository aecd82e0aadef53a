"""Calls of HTTP tools: fill the request, send it, read the answer as a stream, classify what comes.

Decisions: each hop of at most three redirects is checked as the first was; to another origin neither headers nor a body
go. The body is read as it comes and the connection is closed at the limit, so that a large one is never held;
compressed bodies are refused, since they may be larger than they look. Proxies and `.netrc` of this machine are not
used. Secrets are read from the environment at the call, and taken out of everything that the call says.
Limits: 408 and 504 are timeouts, every other status of 300 and more is an error; nothing is tried again here.
"""

from __future__ import annotations

import functools
import os
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from evaluation.protocols.strict_json import NotJson, parse_json
from evaluation.records import FailureKind
from evaluation.scenarios import ToolDef
from evaluation.tools.addresses import reachable
from evaluation.tools.outside import HttpTool
from evaluation.tools.placeholders import Unfit, filled, filled_header, filled_url
from evaluation.tools.results import Bounds, CallFailed, ToolOutcome, as_json, failed, outcome_of, raised, redacted

MOST_REDIRECTS = 3
_CHUNK = 64 * 1024
_ACCEPT = {"Accept": "application/json, text/plain;q=0.9, */*;q=0.5", "User-Agent": "ratchet"}
_TIMEOUTS = (408, 504)
_MOVED = (301, 302, 303, 307, 308)
_HINTS = {401: "; its secret is missing or wrong", 403: "; its secret may not do this", 429: "; too many calls"}


@dataclass(frozen=True)
class Request:
    """A request, ready to be sent."""

    method: str
    url: httpx.URL
    headers: dict[str, str]
    content: bytes | None = None


@dataclass(frozen=True)
class _Answer:
    status: int
    reason: str
    content_type: str
    charset: str
    location: str | None
    body: bytes


def call_http(tool: ToolDef, arguments: Mapping[str, Any], bounds: Bounds) -> ToolOutcome:
    """Make one call of an HTTP tool, whose arguments fit its schema. Never raises."""
    http = tool.http
    if http is None:
        raise ValueError(f"expected an HTTP tool, found {tool.name}")
    if why := bounds.reach.refusal("http"):
        return failed(FailureKind.TOOL_ERROR, f"{tool.name}: {why}")
    secrets: dict[str, str] = {}
    try:
        secrets = secrets_of(http.secrets)
        values = {**_defaults(tool.parameters), **arguments, **{n: secrets[v] for n, v in http.secrets.items()}}
        request = prepared(http, values, known=set(_properties(tool.parameters)) | set(http.secrets))
        outcome = outcome_of(tool.name, _result(_sent(http, request, bounds)), bounds.characters)
    except Unfit as error:
        outcome = failed(FailureKind.INVALID_ARGUMENTS, f"invalid arguments for {tool.name}: {error}")
    except httpx.TimeoutException:
        outcome = failed(FailureKind.TOOL_TIMEOUT, f"{tool.name} did not finish within {bounds.seconds:g} s")
    except Exception as error:
        outcome = raised(error)
    return redacted(outcome, secrets)


def secrets_of(secrets: Mapping[str, str]) -> dict[str, str]:
    """Return the values of environment variables by their names. Raises `CallFailed` naming all that are missing."""
    missing = sorted({variable for variable in secrets.values() if not os.environ.get(variable)})
    if missing:
        raise CallFailed(FailureKind.TOOL_ERROR, f"expected a secret in the environment, set {', '.join(missing)}")
    return {variable: os.environ[variable] for variable in secrets.values()}


def prepared(http: HttpTool, values: Mapping[str, Any], *, known: set[str]) -> Request:
    """Return the request that `values` make. Raises `Unfit` for values that it cannot hold, and for unknown ones."""
    if unknown := sorted(set(values) - known):
        raise Unfit(f"expected arguments that the tool has, found {', '.join(unknown)}")
    headers = {name: filled_header(text, values) for name, text in http.headers.items()}
    url = httpx.URL(filled_url(http.url, http.query, values))
    if http.body is None:
        return Request(http.method, url, headers)
    try:
        content = as_json(filled(http.body, values)).encode()
    except ValueError as error:
        raise Unfit(str(error)) from error
    return Request(http.method, url, {"Content-Type": "application/json", **headers}, content)


def _properties(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = parameters.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def _defaults(parameters: Mapping[str, Any]) -> dict[str, Any]:
    schemas = _properties(parameters).items()
    return {name: one["default"] for name, one in schemas if isinstance(one, Mapping) and "default" in one}


def _sent(http: HttpTool, request: Request, bounds: Bounds) -> _Answer:
    """Send a request and follow where it is sent on. Raises `CallFailed` and httpx's errors."""
    ends = time.monotonic() + bounds.seconds
    hosts = {request.url.host.lower(), *(host.lower() for host in http.hosts)}
    for _ in range(MOST_REDIRECTS + 1):
        answer = _once(request, ends, bounds)
        if answer.status not in _MOVED or answer.location is None:
            return answer
        request = redirected(request, answer.status, answer.location, hosts)
    raise CallFailed(FailureKind.TOOL_ERROR, f"expected at most {MOST_REDIRECTS} redirects, found more")


def redirected(request: Request, status: int, location: str, hosts: set[str]) -> Request:
    """Return the request that a redirect asks for. Raises `CallFailed` where it may not be followed."""
    try:
        url = request.url.join(location)
    except httpx.InvalidURL as error:
        raise CallFailed(FailureKind.TOOL_ERROR, f"sent on to what is no URL: {error}") from error
    shown = f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}"
    if url.userinfo or url.scheme not in ("http", "https") or (url.scheme, request.url.scheme) == ("http", "https"):
        raise CallFailed(FailureKind.TOOL_ERROR, f"sent on to {shown}, which is not followed")
    if url.host.lower() not in hosts:
        raise CallFailed(FailureKind.TOOL_ERROR, f"sent on to {shown}, which is none of the tool's `hosts`")
    same = (url.scheme, url.host, url.port) == (request.url.scheme, request.url.host, request.url.port)
    if status in (307, 308):
        if not same and request.content is not None:
            raise CallFailed(FailureKind.TOOL_ERROR, f"sent on to {shown} with its body, which is not followed")
        return Request(request.method, url, request.headers if same else {}, request.content)
    if request.method not in ("GET", "POST") and status != 303:
        return Request(request.method, url, request.headers if same else {}, None)
    headers = {name: value for name, value in request.headers.items() if name.lower() != "content-type"}
    return Request("GET", url, headers if same else {})


def _once(request: Request, ends: float, bounds: Bounds) -> _Answer:
    """Send one request to the first address of its host that answers."""
    url = request.url
    addresses = reachable(url.host, url.port or (443 if url.scheme == "https" else 80), bounds.reach)
    for last, address in enumerate(addresses, start=1 - len(addresses)):
        try:
            with _streamed(request, address, ends) as response:
                return _Answer(
                    response.status_code,
                    response.reason_phrase,
                    response.headers.get("content-type", "").partition(";")[0].strip().lower(),
                    response.charset_encoding or "utf-8",
                    response.headers.get("location"),
                    _body(response, ends, bounds.characters * 4),
                )
        except httpx.ConnectError:
            if not last:
                raise
    raise CallFailed(FailureKind.TOOL_ERROR, f"the host {url.host} has no address")


@contextmanager
def _streamed(request: Request, address: str, ends: float) -> Iterator[httpx.Response]:
    left = max(ends - time.monotonic(), 0.001)
    headers = {**_ACCEPT, **request.headers, "Accept-Encoding": "identity", "Host": request.url.netloc.decode("ascii")}
    with httpx.Client(verify=_tls(), trust_env=False, timeout=left) as client:
        # To the address that was checked; the certificate is still checked against the name.
        to = request.url.copy_with(host=address)
        named = {"sni_hostname": request.url.host}
        made = client.build_request(request.method, to, headers=headers, content=request.content, extensions=named)
        response = client.send(made, stream=True, follow_redirects=False)
        try:
            yield response
        finally:
            response.close()


@functools.cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _body(response: httpx.Response, ends: float, most: int) -> bytes:
    """Return the body. Raises `CallFailed` past `most` bytes, and httpx's timeout once the time is over."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise CallFailed(FailureKind.TOOL_ERROR, f"expected a plain body, found content encoding {encoding[:40]}")
    body = bytearray()
    for chunk in response.iter_raw(_CHUNK):
        body += chunk
        if len(body) > most:
            raise CallFailed(FailureKind.TOOL_ERROR, f"answered with more than {most} bytes, which were not read")
        if time.monotonic() > ends:
            raise httpx.ReadTimeout("the time is over", request=response.request)
    return bytes(body)


def _result(answer: _Answer) -> Any:
    """Return what a tool message holds: JSON where the answer is JSON, else its text. Raises `CallFailed`."""
    if answer.status >= 300:
        kind = FailureKind.TOOL_TIMEOUT if answer.status in _TIMEOUTS else FailureKind.TOOL_ERROR
        said = f"HTTP {answer.status} {answer.reason}".strip() + _HINTS.get(answer.status, "")
        raise CallFailed(kind, f"{said}: {_text(answer)[:500]}" if answer.body else said)
    if not answer.body:
        return {"status": answer.status}
    if "json" in answer.content_type:
        try:
            return parse_json(_text(answer))
        except NotJson as error:
            raise CallFailed(
                FailureKind.TOOL_ERROR, f"expected JSON, found {_text(answer)[:80]!r} ({error})"
            ) from error
    if answer.content_type and not answer.content_type.startswith("text/") and "xml" not in answer.content_type:
        raise CallFailed(FailureKind.TOOL_ERROR, f"expected JSON or text, found {answer.content_type[:80]}")
    return _text(answer)


def _text(answer: _Answer) -> str:
    try:
        return answer.body.decode(answer.charset, "replace")
    except LookupError:
        return answer.body.decode("utf-8", "replace")
