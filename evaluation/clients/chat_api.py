"""The OpenAI chat API as its clients speak it: a request out of records, and an assistant turn out of an answer.

Decisions: an answer is read by hand, from plain JSON values, because endpoints that call themselves compatible leave
out, rename and mistype fields: what carries no meaning is passed over, what cannot be read as a call makes the turn
malformed, and only an answer without any assistant message is none. Arguments are JSON by the book; those that are
nested too deep for any store, or hold numbers that JSON has not, are malformed too, and the call's arguments are empty.
Text leaves as UTF-8 can hold it: a lone surrogate becomes `?`.
Not covered: several choices (the first counts), audio, images, custom tools (malformed).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from evaluation.models import Sampling, TokenLogprob
from evaluation.protocols.native import read_call
from evaluation.records import Message, ToolCall, ToolSpec, stable_id

NESTING = 100
"""Deepest nesting of arguments: stores and validators can take half as much again."""
UNLIKELY = -9999.0
"""What the API says in place of a logarithm of nothing."""
CHARACTERS_PER_TOKEN = 4
"""For the estimate where an endpoint does not tell what it used."""


class NoAnswer(ValueError):
    """The body holds no assistant message. Says what was expected and what was found."""


class Answer(NamedTuple):
    """An assistant turn as the endpoint told it."""

    message: Message
    malformed: str | None
    finish: Literal["stop", "tool_calls", "length"]
    tokens_in: int | None
    """None where the endpoint does not tell."""
    tokens_out: int | None
    fingerprint: str
    logprobs: tuple[TokenLogprob, ...]
    filtered: bool
    """The endpoint's content filter ended the answer."""
    tokens_cached: int = 0
    """Those of `tokens_in` that the endpoint's cache held, as far as it tells."""


def request_body(
    model: str, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling
) -> dict[str, Any]:
    """Return the body of a request: messages, tools and sampling as the API names them."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [writable(message.to_openai()) for message in messages],
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "seed": sampling.seed,
    }
    if tools:
        body["tools"] = [writable(tool.to_openai()) for tool in tools]
    if sampling.logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": sampling.logprobs}
    if sampling.response_schema is not None:
        schema = {"name": "answer", "schema": json.loads(sampling.response_schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def read_answer(body: Any, turn: int = 0) -> Answer:
    """Return the assistant turn of a `chat.completion`; `turn` numbers it, for calls that came without an id.

    Raises `NoAnswer`.
    """
    choices = body.get("choices") if isinstance(body, Mapping) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    said = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(body, Mapping) or not isinstance(choice, Mapping) or not isinstance(said, Mapping):
        raise NoAnswer(f"expected a chat completion with a choice and its message, found {_shape(body)}")
    calls, malformed = _calls(said.get("tool_calls"), turn)
    content = writable(_text(said.get("content")) or _text(said.get("refusal")))
    reason = choice.get("finish_reason")
    used = body.get("usage")
    usage = used if isinstance(used, Mapping) else {}
    return Answer(
        Message(role="assistant", content=content, tool_calls=calls),
        malformed,
        "tool_calls" if calls else "length" if reason == "length" else "stop",
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
        writable(_text(body.get("system_fingerprint"))),
        _logprobs(choice.get("logprobs")),
        reason == "content_filter",
        _cached(usage),
    )


def estimated_tokens(messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> int:
    """Return about how many tokens a text takes, for endpoints that do not tell and for budgets before a call."""
    written = sum(len(str(message.to_openai())) for message in messages)
    return -(-(written + sum(len(str(tool.to_openai())) for tool in tools)) // CHARACTERS_PER_TOKEN)


def writable(value: Any) -> Any:
    """Return a JSON value that UTF-8 can hold: lone surrogates become `?`. Values deeper than `NESTING` are left."""
    return _mapped(value, 3 * NESTING)


def _mapped(value: Any, left: int) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if left and isinstance(value, Mapping):
        return {_mapped(key, 0): _mapped(inner, left - 1) for key, inner in value.items()}
    if left and isinstance(value, list | tuple):
        return [_mapped(inner, left - 1) for inner in value]
    return value


def _calls(told: Any, turn: int) -> tuple[tuple[ToolCall, ...], str | None]:
    """Return the calls of a message, and the first reason why one of them could not be read."""
    if told is None:
        return (), None
    if not isinstance(told, list):
        return (), f"expected a list of tool_calls, found {_shape(told)}"
    calls: dict[str, ToolCall] = {}
    malformed: list[str] = []
    for number, one in enumerate(told):
        function = one.get("function") if isinstance(one, Mapping) else None
        name = function.get("name") if isinstance(function, Mapping) else None
        if not isinstance(one, Mapping) or not isinstance(function, Mapping) or not isinstance(name, str) or not name:
            malformed.append(f"tool_calls[{number}]: expected a function with a name, found {_shape(one)}")
            continue
        identifier = writable(_text(one.get("id")))
        if not identifier or identifier in calls:
            identifier = f"call_{stable_id(turn, number, name)[:8]}"
        arguments, wrong = _arguments(function.get("arguments"))
        if wrong is not None:
            malformed.append(f"arguments of {writable(name)}: {wrong}")
        calls[identifier] = ToolCall(id=identifier, name=writable(name), arguments=arguments)
    return tuple(calls.values()), malformed[0] if malformed else None


def _arguments(told: Any) -> tuple[dict[str, Any], str | None]:
    """Return the arguments of a call; empty, and why, where they cannot be read."""
    read = read_call("", "" if told is None else told)
    if read.error is not None:
        return {}, writable(read.detail)
    if trouble := _unstorable(read.params):
        return {}, trouble
    return writable(read.params), None


def _unstorable(value: Any) -> str | None:
    """Return why a JSON value cannot be kept; None where it can. Goes level by level: depth costs no stack."""
    level = [value]
    for _ in range(NESTING):
        if any(isinstance(one, float) and not math.isfinite(one) for one in level):
            return "expected finite numbers, found one that is too large"
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return None
    return f"expected at most {NESTING} levels of nesting, found more"


def _inside(value: Any) -> Sequence[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ()


def _text(value: Any) -> str:
    """Return a text, or the texts of its parts; empty where it is none."""
    if isinstance(value, list):
        return "".join(_text(part.get("text")) for part in value if isinstance(part, Mapping))
    return value if isinstance(value, str) else ""


def _cached(usage: Mapping[str, Any]) -> int:
    """Return how many prompt tokens came out of the cache: never more than there were."""
    details = usage.get("prompt_tokens_details")
    told = _count(details.get("cached_tokens")) if isinstance(details, Mapping) else None
    return min(told or 0, _count(usage.get("prompt_tokens")) or 0)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def _logprobs(told: Any) -> tuple[TokenLogprob, ...]:
    listed = told.get("content") if isinstance(told, Mapping) else None
    tokens = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
    return tuple(TokenLogprob(*_token(one), tuple(map(_token, _top(one)))) for one in tokens)


def _top(token: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    top = token.get("top_logprobs")
    return [one for one in top if isinstance(one, Mapping)] if isinstance(top, list) else []


def _token(one: Mapping[str, Any]) -> tuple[str, float]:
    value = one.get("logprob")
    known = isinstance(value, int | float) and math.isfinite(value)
    return writable(_text(one.get("token"))), float(value) if known and value is not None else UNLIKELY


def _shape(value: Any) -> str:
    """Return what a value is, in a few words that hold nothing of what it says."""
    if isinstance(value, Mapping):
        return f"an object with {', '.join(sorted(str(key)[:30] for key in list(value)[:6])) or 'no fields'}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "nothing" if value is None else f"a {type(value).__name__}"
