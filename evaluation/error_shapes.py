"""Whether a tool's result says that the call failed, and how: by the shapes in which tools of the world say so. Pure.

Decisions: JSON objects are read by their fields (`error` and `errors`, `exception`, MCP's `isError`, a `status` or a
`success` that says so, problem details with a status of 400 or more (RFC 9457), JSON-RPC codes), texts by how they
begin: a word for "error", a status line of HTTP, a traceback or the name of an exception. What kind of error it is
follows from the status or the JSON-RPC code where there is one, else from its words.
Limits: a text is an error by its beginning alone; a field `error` that holds a number is a figure, unless it is an HTTP
status; words for "error" are known in a dozen languages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from evaluation.records import FailureKind

_PHRASES = "|".join(re.escape(status.phrase) for status in HTTPStatus if status >= HTTPStatus.BAD_REQUEST)
_WORD = re.compile(
    r"""\s*(?:[\[(*#>!-]+\s*)?(?:
    (?:(?:internal|server|fatal|runtime|validation|http|api|tool)\s+)?(?:error|exception|traceback|fatal|failed|failure)\b
    | panic:
    | (?:fehler|erreur|errore|fout|fel|erro|błąd|chyba|hata|ошибка)\b
    | 错误|錯誤|エラー|오류
    | HTTP(?:/\d(?:\.\d)?)?[ :]+(?:status\s+(?:code\s+)?)?[45]\d\d\b
    | [45]\d\d[ :,-]+(?:(?i:client|server)\ (?i:error)|PHRASES)
    | (?:[a-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Fault)\b
    | caused\ by:
    )""".replace("PHRASES", _PHRASES),
    re.VERBOSE,
)
_WORD_ANY_CASE = re.compile(_WORD.pattern.split("| HTTP")[0] + ")", re.VERBOSE | re.IGNORECASE)
_HTTP_FIRST = re.compile(r"\s*(?:HTTP\S*[ :]+(?:status\s+(?:code\s+)?)?)?([45]\d\d)\b")
_TRACEBACK_END = re.compile(
    r"^((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Fault|Interrupt|Exit)\b.*)$", re.MULTILINE
)
_SAID = ("message", "detail", "description", "error_description", "title", "reason", "msg")
_BAD = frozenset({"error", "fatal", "exception"})
_FAILED = frozenset({"failed", "failure", "fail"})
"""States that may be those of a thing that was looked up (a payment): errors beside words only."""
_KINDS: tuple[tuple[FailureKind, re.Pattern[str]], ...] = (
    (
        FailureKind.TOOL_TIMEOUT,
        re.compile(r"did not finish within|time[ds]?[ -]?out|deadline[ _]exceeded", re.I),
    ),
    (
        FailureKind.UNKNOWN_TOOL,
        re.compile(
            r"\b(?:(?:unknown|no such) (?:tool|function)|there is no tool|(?:tool|method|function) not found)\b", re.I
        ),
    ),
    (
        FailureKind.INVALID_ARGUMENTS,
        re.compile(
            r"\b(?:(?:invalid|bad|missing|unexpected|unrecognized|malformed) (?:required )?(?:keyword )?"
            r"(?:argument|parameter|param|field|input|value|request)|missing \d+ required (?:positional|keyword)"
            r"|(?:argument|parameter|field|property)s? (?:is |are )?(?:required|missing|invalid)|is a required property"
            r"|required (?:argument|parameter|field)|validation ?error|unprocessable)",
            re.I,
        ),
    ),
)
_BY_STATUS = {408: FailureKind.TOOL_TIMEOUT, 504: FailureKind.TOOL_TIMEOUT, 400: FailureKind.INVALID_ARGUMENTS,
              422: FailureKind.INVALID_ARGUMENTS}  # fmt: skip
_BY_RPC = {-32601: FailureKind.UNKNOWN_TOOL, -32602: FailureKind.INVALID_ARGUMENTS}


def error_in(content: str) -> str | None:
    """Return what a tool's result says went wrong; None where it is no error."""
    if content.lstrip()[:1] in ("{", "["):
        try:
            result = json.loads(content)
        except (ValueError, RecursionError):
            return content if _begins_as_error(content) else None
        return _error_of(result) if isinstance(result, dict) else None
    return content if _begins_as_error(content) else None


def kind_of_error(error: str, content: str = "") -> FailureKind:
    """Return which kind of failure an error of a tool is; `content`: the whole result, which may hold a status."""
    coded = next(
        (kind for code in _codes(content or error) if (kind := _BY_RPC.get(code) or _BY_STATUS.get(code))), None
    )
    if coded is not None:
        return coded
    return next((kind for kind, words in _KINDS if words.search(error)), FailureKind.TOOL_ERROR)


def short_error(error: str) -> str:
    """Return the line of a traceback that says what happened; any other error as it is."""
    if not re.match(r"\s*Traceback \(most recent call last\)", error):
        return error
    found = _TRACEBACK_END.findall(error)
    return str(found[-1]) if found else error


def _begins_as_error(content: str) -> bool:
    return _WORD.match(content) is not None or _WORD_ANY_CASE.match(content) is not None


def _error_of(result: Mapping[str, Any]) -> str | None:
    """Return what an object says went wrong. The fields are asked in the order of how plainly they say so."""
    for name in ("error", "errors", "exception", "Error", "errorMessage", "fault"):
        if name in result and (said := _told(result[name], result)) is not None:
            return said
    flagged = result.get("isError") is True or result.get("is_error") is True
    bad = _BAD | _FAILED if any(isinstance(result.get(name), str) for name in _SAID) else _BAD
    states = (result.get(name) for name in ("status", "state", "result", "outcome"))
    flagged = flagged or any(isinstance(state, str) and state.lower() in bad for state in states)
    flagged = flagged or any(result.get(name) is False for name in ("success", "succeeded", "ok"))
    if flagged or _status(result) is not None or _is_refusal(result):
        return _message(result) or json.dumps(result, ensure_ascii=False)
    return None


def _told(said: Any, around: Mapping[str, Any]) -> str | None:
    """Return a field `error` as text; None where it says that there is none."""
    if not said or (isinstance(said, bool | int | float) and said is not True and not _is_status(said)):
        return None
    if isinstance(said, str):
        more = next(
            (around[name] for name in ("error_description", "message") if isinstance(around.get(name), str)), ""
        )
        return f"{said}: {more}" if more and more not in said else said
    if isinstance(said, Mapping):
        return _message(said) or json.dumps(said, ensure_ascii=False)
    if isinstance(said, list) and isinstance(said[0], Mapping) and (first := _message(said[0])):
        return first
    return _message(around) if said is True and _message(around) else json.dumps(said, ensure_ascii=False)


def _message(of: Mapping[str, Any]) -> str:
    """Return the words that an error object has for people, with its code or type before them where it has one."""
    words = next((of[name] for name in _SAID if isinstance(of.get(name), str) and of[name].strip()), "")
    if not words and isinstance(of.get("detail"), list):
        words = "; ".join(_located(one) for one in of["detail"] if isinstance(one, Mapping))
    if not words and isinstance(of.get("content"), list):
        words = " ".join(str(one["text"]) for one in of["content"] if isinstance(one, Mapping) and "text" in one)
    code = next((of[name] for name in ("code", "status", "statusCode", "type", "__type") if of.get(name)), None)
    if not words or not isinstance(code, str | int) or str(code) in words or str(code).lower() in _BAD | _FAILED:
        return words
    return f"{code}: {words}"


def _located(one: Mapping[str, Any]) -> str:
    """Return one line of a list of validation errors, as FastAPI writes them."""
    place = ".".join(str(part) for part in one.get("loc", ()) if part != "body")
    return f"{place}: {one.get('msg', one.get('message', ''))}".strip(": ")


def _is_refusal(result: Mapping[str, Any]) -> bool:
    """Whether it is nothing but a web framework's refusal: `{"detail": "Not found"}`, or a list of mistakes."""
    detail = result.get("detail")
    if isinstance(detail, list):
        return bool(detail) and all(isinstance(one, Mapping) and "loc" in one for one in detail)
    named = result.get("__type") or result.get("type")
    return isinstance(named, str) and named.endswith(("Exception", "Error")) and "message" in {*map(str.lower, result)}


def _status(result: Mapping[str, Any]) -> int | None:
    """Return an HTTP status of 400 or more; beside words only, since a figure may be about anything."""
    found = next((result[name] for name in ("status", "statusCode", "status_code", "code", "http_status")
                  if _is_status(result.get(name))), None)  # fmt: skip
    return found if found is not None and any(name in result for name in _SAID) else None


def _is_status(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 400 <= value <= 599


def _codes(content: str) -> Iterator[int]:
    """Yield the statuses and codes that a result holds in the places where errors have them."""
    try:
        value = json.loads(content) if content.lstrip().startswith("{") else None
    except (ValueError, RecursionError):
        value = None
    places = [value, value.get("error")] if isinstance(value, dict) else []
    for place in (one for one in places if isinstance(one, Mapping)):
        codes = (place.get(name) for name in ("code", "status", "statusCode", "status_code", "http_status"))
        yield from (code for code in codes if isinstance(code, int) and not isinstance(code, bool))
        if isinstance(place.get("detail"), list):
            yield 422
    if first := _HTTP_FIRST.match(content):
        yield int(first[1])
