from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI

from serving import http
from serving.gateway import Gateway, Headers, Routing
from serving.http import build_app
from serving.openai import ChatRequest
from tests.serving.backends import ROUTING, TOOL, Scripted, make_gateway

FORCED = {"type": "function", "function": {"name": "weather"}}
JSON = {"Content-Type": "application/json"}
Talk = Callable[[httpx.AsyncClient], Coroutine[Any, Any, Any]]


def over_http(gateway: Gateway, talk: Talk) -> Any:
    async def run() -> Any:
        transport = httpx.ASGITransport(build_app(lambda: gateway), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await talk(client)

    return asyncio.run(run())


def body(**more: Any) -> dict[str, Any]:
    return {"model": "shop", "messages": [{"role": "user", "content": "Weather?"}], **more}


def post(gateway: Gateway, sent: Any, headers: dict[str, str] | None = None, path: str = "chat/completions") -> Any:
    return over_http(gateway, lambda c: c.post(f"/v1/{path}", json=sent, headers=headers))


def events(answer: httpx.Response) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def test_the_openai_client_gets_the_same_with_and_without_streaming_and_with_tools(tmp_path: Path) -> None:
    gateway, _ = make_gateway(tmp_path)

    async def talk(http_client: httpx.AsyncClient) -> None:
        client = AsyncOpenAI(base_url="http://gateway/v1", api_key="k", http_client=http_client, max_retries=0)
        assert [m.id async for m in client.models.list()] == [
            "shop", "shop@champion", "shop@candidate", "shop:2", "shop:1"
        ]  # fmt: skip
        ask: dict[str, Any] = body(model="shop@champion", tools=[TOOL])
        whole = await client.chat.completions.create(**ask)
        called = whole.choices[0].message.tool_calls
        assert called is not None
        assert json.loads(called[0].function.arguments) == {"city": "Oslo"}  # type: ignore[union-attr]
        assert whole.choices[0].finish_reason == "tool_calls"
        ask["messages"] += [
            whole.choices[0].message.model_dump(exclude_none=True),
            {"role": "tool", "tool_call_id": called[0].id, "content": "rain"},
        ]
        answer = await client.chat.completions.create(**ask)
        stream = await client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in stream]
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert text == answer.choices[0].message.content == "It rains, says shop:1."
        assert chunks[-1].choices == []
        assert chunks[-1].usage == answer.usage

    over_http(gateway, talk)


def test_a_stream_tells_calls_whole_and_ends_with_done(tmp_path: Path) -> None:
    gateway, _ = make_gateway(tmp_path)
    told = events(post(gateway, body(stream=True, tools=[TOOL])))
    assert told[-1] == "[DONE]"
    deltas = [e["choices"][0]["delta"] for e in told[:-1]]
    assert deltas[0]["role"] == "assistant"
    assert deltas[1]["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city": "Oslo"}'}
    assert told[-2]["choices"][0]["finish_reason"] == "tool_calls"


def test_a_stream_that_breaks_says_so_and_does_not_say_done(tmp_path: Path) -> None:
    gateway, backends = make_gateway(tmp_path)
    for backend in backends.values():
        backend.breaks_after = 2
    told = events(post(gateway, body(stream=True)))
    assert told[-1]["error"]["type"] == "server_error"
    assert "[DONE]" not in told
    assert sum(b.closed for b in backends.values()) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_variant_is_asked_once_more_before_its_first_token_and_then_fails(tmp_path: Path, stream: bool) -> None:
    gateway, backends = make_gateway(tmp_path)
    backend = backends["shop:1"]
    backend.failures = 1
    assert "shop:1" in post(gateway, body(model="shop:1", stream=stream)).text
    backend.failures, backend.asked = 9, 0
    answer = post(gateway, body(model="shop:1", stream=stream))
    assert backend.asked == 2
    assert "server_error" in answer.text
    assert answer.status_code == (200 if stream else 503)


@pytest.mark.parametrize("stream", [False, True])
def test_each_try_that_fails_counts_against_its_variant(tmp_path: Path, stream: bool) -> None:
    gateway, backends = make_gateway(tmp_path)
    for backend in backends.values():
        backend.failures = 1
    answer = post(gateway, body(stream=stream))
    figures = gateway._spool.figures(answer.headers["X-Ratchet-Variant"])
    assert (figures.requests, figures.errors, figures.latency_n) == (2, 1, 1)


@pytest.mark.parametrize("choice", [None, "auto", "none"])
def test_tools_may_be_left_to_the_model_or_forbidden(tmp_path: Path, choice: str | None) -> None:
    answer = post(make_gateway(tmp_path)[0], body(tools=[TOOL], tool_choice=choice)).json()
    assert answer["choices"][0]["finish_reason"] == ("stop" if choice == "none" else "tool_calls")


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_that_does_not_fit_is_the_caller_s_affair(tmp_path: Path, stream: bool) -> None:
    gateway, backends = make_gateway(tmp_path)
    backends["shop:1"].room = 0
    answer = post(gateway, body(model="shop:1", stream=stream))
    error = events(answer)[-1]["error"] if stream else answer.json()["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "context_length_exceeded")
    assert error["message"] == "expected at most 0 messages"
    assert answer.status_code == (200 if stream else 400)
    assert backends["shop:1"].asked == 1


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        (body(model="other"), 404, "not served"),
        ({"model": "shop"}, 422, "messages"),
        (body(messages=[{"role": "wizard", "content": "x"}]), 400, "wizard"),
        (body(temperature="hot"), 422, "temperature"),
        (body(tools=[TOOL], tool_choice="required"), 400, 'expected auto or none, found "required"; a call cannot'),
        (body(tools=[TOOL], tool_choice=FORCED), 400, 'expected auto or none, found {"type"'),
    ],
)
def test_errors_have_the_openai_shape(tmp_path: Path, sent: Any, status: int, words: str) -> None:
    answer = post(make_gateway(tmp_path)[0], sent)
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]


def test_what_is_no_json_and_what_is_no_route_are_refused_alike(tmp_path: Path) -> None:
    gateway, _ = make_gateway(tmp_path)
    broken = over_http(gateway, lambda c: c.post("/v1/chat/completions", content=b"{", headers=JSON))
    assert (broken.status_code, set(broken.json())) == (400, {"error"})
    missing = over_http(gateway, lambda c: c.get("/v2"))
    assert (missing.status_code, set(missing.json())) == (404, {"error"})


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused_whatever_length_it_claims(tmp_path: Path, chunked: bool) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(http.BODY_LIMIT // 65536 + 1):
            yield b" " * 65536

    content: Any = parts() if chunked else b" " * (http.BODY_LIMIT + 1)
    gateway, _ = make_gateway(tmp_path)
    answer = over_http(gateway, lambda c: c.post("/v1/chat/completions", content=content))
    assert (answer.status_code, set(answer.json())) == (413, {"error"})


def test_a_full_spool_refuses(tmp_path: Path) -> None:
    gateway, _ = make_gateway(tmp_path, limit=1)
    assert post(gateway, body()).status_code == 200
    full = post(gateway, body())
    assert (full.status_code, full.json()["error"]["type"]) == (429, "rate_limit_error")


def test_nothing_in_production_is_a_404(tmp_path: Path) -> None:
    gateway, _ = make_gateway(tmp_path, Routing("shop", {}))
    assert post(gateway, body()).status_code == 404
    assert over_http(gateway, lambda c: c.get("/v1/models")).json()["data"] == []


def test_a_conversation_keeps_its_variant_until_that_is_gone(tmp_path: Path) -> None:
    gateway, _ = make_gateway(tmp_path)

    def variant(name: str) -> str:
        answer = post(gateway, body(), {"X-Ratchet-Conversation": name})
        return str(answer.headers["X-Ratchet-Variant"])

    names = [f"c{n}" for n in range(40)]
    before = {name: variant(name) for name in names}
    assert set(before.values()) == {"shop:1", "shop:2"}
    gateway.routing = replace(ROUTING, weights={"shop:2": 1.0, "shop:1": 0.0}, stage=2)
    assert {name: variant(name) for name in names} == before
    assert variant("new") == "shop:2"
    gateway.routing = replace(ROUTING, weights={"shop:2": 1.0}, stage=2)
    assert {variant(name) for name in names} == {"shop:2"}


def test_a_named_version_is_answered_by_it_and_is_no_evidence(tmp_path: Path) -> None:
    gateway, _ = make_gateway(tmp_path)
    for model, variant in (("shop:2", "shop:2"), ("shop@champion", "shop:1"), ("shop@candidate", "shop:2")):
        answer = post(gateway, body(model=model), {"X-Ratchet-Conversation": "one"})
        assert answer.headers["X-Ratchet-Variant"] == variant
    gateway.outcome("one", True)
    assert gateway._spool.figures("shop:2").requests == gateway._spool.figures("shop:2").conversations == 0


def test_outcomes_and_feedback_are_kept_for_what_is_known_only(tmp_path: Path) -> None:
    gateway, _ = make_gateway(tmp_path)
    answer = post(gateway, body(), {"X-Ratchet-Conversation": "one"})
    said = {"example_id": answer.headers["X-Ratchet-Captured"], "rating": 4}
    assert post(gateway, said, path="ratchet/feedback").status_code == 200
    assert post(gateway, {**said, "example_id": "none"}, path="ratchet/feedback").status_code == 404
    assert post(gateway, {**said, "raiting": 4}, path="ratchet/feedback").status_code == 422
    assert post(gateway, {**said, "rating": 6}, path="ratchet/feedback").status_code == 422
    assert post(gateway, {"conversation": "one", "success": True}, path="ratchet/outcomes").status_code == 200
    unknown = post(gateway, {"conversation": "two", "success": True}, path="ratchet/outcomes")
    assert (unknown.status_code, set(unknown.json())) == (404, {"error"})


def test_a_header_wins_over_metadata(tmp_path: Path) -> None:
    gateway, _ = make_gateway(tmp_path)
    told = body(metadata={"X-Ratchet-Conversation": "meta", "X-Ratchet-Task-Key": "planner"})
    post(gateway, told)
    post(gateway, told, {"X-Ratchet-Conversation": "head"})
    kept = [example for *_, example in gateway._spool.finished_exchanges(9, 0)]
    assert {(e.conversation, e.task_key) for e in kept} == {("meta", "planner"), ("head", "planner")}


def test_closing_a_stream_closes_the_variant_s(tmp_path: Path) -> None:
    gateway, backends = make_gateway(tmp_path)

    async def leave() -> Scripted:
        ticket = gateway.accept(ChatRequest.model_validate(body()), Headers())
        pieces = gateway.stream(ticket)
        await anext(pieces)
        await pieces.aclose()
        return backends[ticket.variant]

    assert asyncio.run(leave()).closed == 1
