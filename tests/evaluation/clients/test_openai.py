from __future__ import annotations

import asyncio
import json
import logging
import pickle
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from evaluation.agents import attempt
from evaluation.clients.endpoint import EndpointConfig
from evaluation.clients.openai import OpenAIModel
from evaluation.clients.retry import RetryPolicy
from evaluation.clients.secrets import HIDDEN, Secret
from evaluation.models import Completion, ModelError, ModelErrorKind, Sampling, UnfitPrompt
from evaluation.records import Message, StopReason, ToolCall, ToolSpec
from evaluation.scenarios import Expected, Kind, Part, Scenario
from tests.evaluation.clients.endpoint import (
    CUT,
    Answering,
    Asked,
    Endpoint,
    answers,
    call,
    completion,
    delta,
    events,
    response,
)
from tests.serving.folders import free_port

KEY = "sk-test-0123456789abcdefghij"
HI = (Message(role="user", content="hi"),)
TOOL = ToolSpec(name="get_weather", description="Weather.", parameters={"type": "object", "properties": {}})
FAST = RetryPolicy(tries=3, first_s=0.001, longest_s=1.0)
K = ModelErrorKind


@asynccontextmanager
async def asked_at(answering: Answering, **more: Any) -> AsyncIterator[tuple[OpenAIModel, Endpoint]]:
    async with Endpoint(answering) as endpoint:
        config = EndpointConfig("m", endpoint.url, Secret(KEY), **{"retries": FAST, **more})
        model = OpenAIModel(config, random.Random(0))
        yield model, endpoint


GREEDY = Sampling()


def ask(answering: Answering, sampling: Sampling = GREEDY, tools: tuple[ToolSpec, ...] = (), **more: Any) -> Any:
    """Return what came of one request, completion or error, and the requests that the endpoint saw."""

    async def go() -> tuple[Completion | ModelError, list[Asked]]:
        async with asked_at(answering, **more) as (model, endpoint):
            try:
                return await model.complete(HI, tools, sampling), endpoint.asked
            except ModelError as error:
                return error, endpoint.asked

    return asyncio.run(asyncio.wait_for(go(), 30))


def test_an_answer_becomes_a_completion_with_its_figures() -> None:
    got, (asked,) = ask(answers(completion(system_fingerprint="fp_7")), Sampling(0.5, 33, seed=11), (TOOL,))
    assert (got.message, got.tokens_in, got.tokens_out) == (Message(role="assistant", content="hello"), 7, 3)
    assert (got.finish, got.malformed, got.fingerprint) == ("stop", None, "fp_7")
    assert got.latency_ms > 0
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.body == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [TOOL.to_openai()],
        "max_tokens": 33,
        "temperature": 0.5,
        "seed": 11,
    }


@pytest.mark.parametrize("stream", [False, True])
def test_calls_come_with_their_ids_and_arguments_whole_or_streamed(stream: bool) -> None:
    one, two = call("get_weather", '{"city": "Zürich"}', "a"), call("stop", "", None)
    whole = completion(None, [one, two], "tool_calls")
    pieces = events(
        delta(role="assistant", content="I "),
        delta(content="look."),
        delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "get_weather", "arguments": '{"ci'}}]),
        delta(tool_calls=[{"index": 0, "function": {"arguments": 'ty": "Zürich"}'}}]),
        delta(tool_calls=[{"index": 1, "function": {"name": "stop"}}]),
        delta("tool_calls"),
        {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}, "system_fingerprint": "fp_1"},
    )
    got, asked = ask(answers(pieces if stream else whole), stream=stream)
    assert [(c.name, c.arguments) for c in got.message.tool_calls] == [
        ("get_weather", {"city": "Zürich"}),
        ("stop", {}),
    ]
    assert got.message.tool_calls[0].id == "a"
    assert got.message.tool_calls[1].id.startswith("call_")
    assert got.message.content == ("I look." if stream else "")
    assert (got.finish, got.malformed, got.tokens_in, got.fingerprint) == ("tool_calls", None, 7, "fp_1")
    assert (asked[0].body.get("stream"), asked[0].body.get("stream_options")) == (
        (True, {"include_usage": True}) if stream else (None, None)
    )


@pytest.mark.parametrize("stream", [False, True])
def test_log_probabilities_are_asked_for_and_kept(stream: bool) -> None:
    told = {
        "content": [{"token": "hi", "logprob": -0.5, "top_logprobs": [{"token": "ho", "logprob": -1}]}, {"token": 5}]
    }
    whole = completion("hi")
    whole["choices"][0]["logprobs"] = told
    piece = delta("stop", content="hi")
    piece["choices"][0]["logprobs"] = told
    got, asked = ask(answers(events(piece) if stream else whole), Sampling(logprobs=1), stream=stream)
    assert (asked[0].body["logprobs"], asked[0].body["top_logprobs"]) == (True, 1)
    first, second = got.logprobs
    assert (first.token, first.logprob, first.likeliest) == ("hi", -0.5, (("ho", -1.0),))
    assert (second.token, second.logprob) == ("", -9999.0)


def test_an_endpoint_that_streams_nothing_though_asked_to_is_understood() -> None:
    got, _ = ask(answers(completion("whole")), stream=True)
    assert got.message.content == "whole"


@pytest.mark.parametrize("stream", [False, True])
def test_what_the_endpoint_s_cache_held_reaches_the_completion(stream: bool) -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}
    pieces = events(delta(role="assistant", content="hello"), delta("stop"), {"choices": [], "usage": usage})
    got, _ = ask(answers(pieces if stream else completion(usage=usage)), stream=stream)
    assert (got.tokens_in, got.tokens_cached) == (7, 4)


def test_usage_that_is_not_told_is_estimated_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    got, _ = ask(answers(completion("12345678", usage=None)))
    assert got.tokens_in > 0
    assert got.tokens_out > 0
    assert "does not tell how many tokens" in caplog.text


NESTED = '{"a":' * 500 + "1" + "}" * 500
MALFORMED = {
    "no JSON": (call("f", "{city: Paris"), "arguments of f: expected JSON"),
    "NaN": (call("f", '{"x": NaN}'), "no NaN in JSON"),
    "too large a number": (call("f", '{"x": [1e999]}'), "expected finite numbers"),
    "no object": (call("f", "[1]"), "expected an object, found list"),
    "no text": (call("f", {"x": 1}), "expected arguments as JSON text, found dict"),
    "nested deeply": (call("f", NESTED), "expected at most 100 levels of nesting"),
    "a megabyte of brackets": (call("f", "[" * 2**20), "levels of nesting"),
    "a megabyte of pairs of brackets": (call("f", "[" * 2**19 + "]" * 2**19), "levels of nesting"),
    "a number of 5,000 digits": (call("f", '{"x": %s}' % ("1" * 5000)), "expected JSON"),
    "no name": ({"id": "a", "function": {"arguments": "{}"}}, "expected a function with a name"),
    "a custom tool": ({"id": "a", "type": "custom", "custom": {"name": "f", "input": "x"}}, "expected a function"),
    "no object of a call": (17, "tool_calls[0]: expected a function with a name, found a int"),
}


@pytest.mark.parametrize("case", MALFORMED)
@pytest.mark.parametrize("stream", [False, True])
def test_what_cannot_be_read_as_a_call_is_a_malformed_turn(case: str, stream: bool) -> None:
    told, words = MALFORMED[case]
    streamed = events(delta(tool_calls=[{"index": 0, **told} if isinstance(told, dict) else told]), delta("tool_calls"))
    got, asked = ask(answers(streamed if stream else completion(None, [told])), stream=stream)
    if stream and case in ("no text", "no object of a call"):  # pieces that are no pieces are passed over
        assert got.malformed is None or "expected" in got.malformed
    else:
        assert words in got.malformed, got.malformed
    assert len(asked) == 1
    assert all(one.arguments == {} for one in got.message.tool_calls)
    assert Message.model_validate_json(got.message.model_dump_json()) == got.message


@pytest.mark.parametrize("stream", [False, True])
def test_lone_surrogates_become_what_a_store_can_keep(stream: bool) -> None:
    told = call("f\ud800", '{"\\ud800k": ["\\udfff"]}')
    whole = json.dumps(completion("a\ud800b", [told], system_fingerprint="\ud800")).encode()
    pieces = events(delta(content="a\ud800b"), delta("tool_calls", tool_calls=[{"index": 0, **told}]))
    got, _ = ask(answers(pieces if stream else response(200, whole)), stream=stream)
    assert got.message.content == "a?b"
    assert got.message.tool_calls[0].name == "f?"
    assert got.message.tool_calls[0].arguments == {"?k": ["?"]}
    got.message.model_dump_json()


def test_lone_surrogates_that_are_asked_do_not_stop_the_request() -> None:
    async def go() -> str:
        async with asked_at(answers(completion())) as (model, endpoint):
            await model.complete((Message(role="user", content="a\ud800"),), (), Sampling())
            return str(endpoint.asked[0].body["messages"][0]["content"])

    assert asyncio.run(go()) == "a?"


def error(status: int, message: str = "no", code: str | None = None, **headers: str) -> bytes:
    return response(status, json.dumps({"error": {"message": message, "code": code, "type": None}}), **headers)


HTML = "<!DOCTYPE html><html><body>Sign in</body></html>"
DEEP_BODY = "[" * 2**20
BROKEN: dict[str, tuple[Any, ModelErrorKind, str, int]] = {
    "wrong key": (error(401, "wrong key"), K.REFUSED, "HTTP 401: wrong key; check OPENAI_API_KEY", 1),
    "not allowed": (error(403), K.REFUSED, "HTTP 403", 1),
    "unknown model": (error(404, "no model m"), K.UNKNOWN_MODEL, "HTTP 404: no model m; check the model's name", 1),
    "a path that is none": (response(404, HTML, "text/html"), K.UNKNOWN_MODEL, "HTTP 404: a page of HTML", 1),
    "bad request": (error(400, "bad temperature"), K.BAD_REQUEST, "HTTP 400: bad temperature", 1),
    "errors of FastAPI": (response(422, '{"detail": [{"msg": "x"}]}'), K.BAD_REQUEST, "HTTP 422: [{'msg': 'x'}]", 1),
    "too long": (error(400, "no", "context_length_exceeded"), K.UNFIT_PROMPT, "HTTP 400", 1),
    "too long, by its words": (error(400, "This model's maximum context length is 8"), K.UNFIT_PROMPT, "is 8", 1),
    "too large": (response(413, ""), K.UNFIT_PROMPT, "HTTP 413: no message", 1),
    "filtered, before": (error(400, "policy", "content_filter"), K.FILTERED, "policy", 1),
    "filtered, after": (completion("I", finish="content_filter"), K.FILTERED, "content filter", 1),
    "a storm of 429": (error(429, "slow down"), K.RATE_LIMITED, "HTTP 429: slow down; after 3 tries", 3),
    "an empty account": (error(429, "no credit", "insufficient_quota"), K.REFUSED, "no credit", 1),
    "asks to wait too long": (error(429, Retry_After="3600"), K.RATE_LIMITED, "asks to wait 3600 s", 1),
    "request timeout": (error(408), K.TIMED_OUT, "HTTP 408", 3),
    "conflict": (error(409), K.SERVER_ERROR, "HTTP 409", 3),
    "server error": (error(500, "boom"), K.SERVER_ERROR, "HTTP 500: boom; after 3 tries", 3),
    "no gateway": (response(502, HTML, "text/html"), K.SERVER_ERROR, "HTTP 502: a page of HTML", 3),
    "overloaded": (error(529), K.SERVER_ERROR, "HTTP 529", 3),
    "cut before the answer": ([CUT], K.CUT_OFF, "the connection was lost", 3),
    "cut in the answer": ([response(200, "x" * 99)[:-50], CUT], K.CUT_OFF, "the connection was lost", 3),
    "not HTTP": ([b"SSH-2.0-OpenSSH\r\n\r\n", CUT], K.CUT_OFF, "the connection was lost", 3),
    "HTML": (response(200, HTML, "text/html"), K.BROKEN_ANSWER, "expected JSON, found HTML: '<!DOCTYPE", 1),
    "half JSON": (response(200, '{"choices": ['), K.BROKEN_ANSWER, "expected JSON, found", 1),
    "nothing": (response(200, ""), K.BROKEN_ANSWER, "expected JSON", 1),
    "no bytes of UTF-8": (response(200, b"\xff\xfe\x00"), K.BROKEN_ANSWER, "expected JSON", 1),
    "a body of brackets": (response(200, DEEP_BODY), K.BROKEN_ANSWER, "RecursionError", 1),
    "a number": (response(200, "17"), K.BROKEN_ANSWER, "found a int", 1),
    "no choices": ({"choices": []}, K.BROKEN_ANSWER, "found an object with choices", 1),
    "choices of null": ({"choices": [None]}, K.BROKEN_ANSWER, "found an object with choices", 1),
    "no message": ({"choices": [{"text": "hi"}]}, K.BROKEN_ANSWER, "expected a chat completion", 1),
    "compressed, badly": (response(200, b"no gzip", Content_Encoding="gzip"), K.BROKEN_ANSWER, "compressed", 1),
    "moved in a circle": (response(307, "", Location="/v1/chat/completions"), K.BROKEN_ANSWER, "in a circle", 21),
}


@pytest.mark.parametrize("case", BROKEN)
def test_each_way_to_fail_has_its_kind_and_is_tried_again_where_that_may_help(case: str) -> None:
    told, kind, words, tries = BROKEN[case]
    got, asked = ask(answers(told))
    assert isinstance(got, ModelError), got
    assert got.kind == kind, got
    assert isinstance(got, UnfitPrompt) == (kind is K.UNFIT_PROMPT)
    assert words in str(got)
    assert len(asked) == tries
    assert str(got).count("127.0.0.1") == 1, "says who was asked"
    assert got.__cause__ is None
    assert got.__context__ is None


STREAMS: dict[str, tuple[Any, ModelErrorKind, str]] = {
    "cut in a chunk": (events(delta(content="I"), 'data: {"cho', done=False, whole=False), K.CUT_OFF, "lost"),
    "ended without a reason": (events(delta(content="I")), K.CUT_OFF, "without a finish reason"),
    "ended at once": (events(done=False), K.CUT_OFF, "after 0 chunks"),
    "an error in it": (events(delta(content="I"), {"error": {"message": "boom"}}), K.SERVER_ERROR, "boom"),
    "an error of text": (events({"error": "boom"}), K.SERVER_ERROR, "ended in an error"),
    "too long": (events({"error": {"message": "x", "code": "context_length_exceeded"}}), K.UNFIT_PROMPT, "x"),
    "a limit, in it": (events({"error": {"message": "slow down", "code": 429}}), K.RATE_LIMITED, "slow down"),
    "no JSON in it": (events("data: {nonsense\n\n"), K.BROKEN_ANSWER, "JSONDecodeError"),
    "brackets in it": (events(f"data: {DEEP_BODY}\n\n"), K.BROKEN_ANSWER, "RecursionError"),
    "no UTF-8 in it": ([events()[0], b"7\r\ndata: \xff\r\n", b"0\r\n\r\n"], K.BROKEN_ANSWER, "UnicodeDecodeError"),
    "HTML": (response(200, HTML, "text/html"), K.BROKEN_ANSWER, "found HTML"),
}


@pytest.mark.parametrize("case", STREAMS)
def test_each_way_of_a_stream_to_fail_has_its_kind(case: str) -> None:
    told, kind, words = STREAMS[case]
    got, asked = ask(answers(told), stream=True)
    assert isinstance(got, ModelError), got
    assert (got.kind, words in str(got)) == (kind, True), got
    assert len(asked) == (3 if kind in (K.CUT_OFF, K.SERVER_ERROR, K.RATE_LIMITED) else 1)


def test_chunks_of_any_shape_are_passed_over() -> None:
    odd = [17, None, [], "x", {"choices": 3}, {"choices": [5]}, {"choices": [{"delta": 5, "logprobs": 5}]}]
    pieces = events(*odd, delta(content=5, tool_calls={"a": 1}), delta(tool_calls=[3, {"function": 5}]), delta("stop"))
    got, _ = ask(answers(pieces), stream=True)
    assert isinstance(got, Completion), got
    assert "expected a function with a name" in str(got.malformed)


def test_pieces_of_calls_without_an_index_belong_to_the_last_one_that_began() -> None:
    pieces = [
        {"id": "a", "function": {"name": "f", "arguments": "{"}},
        {"function": {"arguments": "}"}},
        {"id": "b", "function": {"name": "g", "arguments": "{}"}},
    ]
    got, _ = ask(answers(events(*(delta(tool_calls=[piece]) for piece in pieces), delta("tool_calls"))), stream=True)
    assert [(one.id, one.name, one.arguments) for one in got.message.tool_calls] == [("a", "f", {}), ("b", "g", {})]
    assert got.malformed is None


def test_an_endpoint_that_is_down_says_so() -> None:
    async def go() -> ModelError:
        model = OpenAIModel(EndpointConfig("m", f"http://127.0.0.1:{free_port()}/v1", retries=FAST))
        with pytest.raises(ModelError) as raised:
            await model.complete(HI, (), Sampling())
        return raised.value

    got = asyncio.run(go())
    assert got.kind is K.UNREACHABLE
    assert "it cannot be reached" in str(got)
    assert "after 3 tries; check that it runs" in str(got)
    assert not got.kind.ends_run


def test_an_endpoint_that_never_answers_is_left_in_time() -> None:
    async def hangs(_: Asked) -> AsyncIterator[Any]:
        yield events(delta(content="I"))[0]
        await asyncio.sleep(60)

    for stream in (False, True):
        got, asked = ask(hangs, stream=stream, time_limit_s=0.1)
        assert (got.kind, "after 3 tries" in str(got)) == (K.TIMED_OUT, True)
        assert 1 <= len(asked) <= 3, "on a busy machine a try may be over before the endpoint hears of it"


def test_an_answer_that_does_not_end_is_left_at_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluation.clients.openai.LARGEST", 100_000)

    async def endless(asked: Asked) -> AsyncIterator[Any]:
        piece = events(delta(content="x" * 1000))[1]
        yield events()[0] if asked.body.get("stream") else b"HTTP/1.1 200 OK\r\n\r\n"
        while True:
            yield piece

    for stream in (False, True):
        got, _ = ask(endless, stream=stream)
        assert (got.kind, "of at most" in str(got)) == (K.BROKEN_ANSWER, True)


def test_after_failures_that_pass_comes_the_answer_with_the_latency_of_its_try_alone() -> None:
    got, asked = ask(answers(error(503), [CUT], completion("third")))
    assert got.message.content == "third"
    assert len(asked) == 3
    slow = RetryPolicy(tries=2, first_s=0.001, longest_s=5)
    begun = time.perf_counter()
    got, asked = ask(answers(error(429, Retry_After="0.6"), completion()), retries=slow)
    assert len(asked) == 2
    assert got.latency_ms < (time.perf_counter() - begun) * 1000 - 590


def test_what_an_endpoint_asks_for_is_waited_by_all_requests() -> None:
    async def go() -> list[float]:
        times: list[float] = []
        clock = asyncio.get_running_loop().time

        async def answering(asked: Asked) -> AsyncIterator[Any]:
            times.append(clock())
            yield error(429, Retry_After="0.4") if asked.number == 0 else response(200, json.dumps(completion()))

        async with asked_at(answering) as (model, _):
            first = asyncio.create_task(model.complete(HI, (), Sampling()))
            while not times:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            await asyncio.gather(first, model.complete(HI, (), Sampling()))
        return times

    times = asyncio.run(go())
    assert len(times) == 3
    assert min(times[1:]) - times[0] >= 0.4


def test_newer_models_are_told_how_much_they_may_say_by_its_other_name() -> None:
    wants = error(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")

    async def go() -> list[dict[str, Any]]:
        async with asked_at(answers(wants, completion())) as (model, endpoint):
            for _ in range(2):
                await model.complete(HI, (), Sampling(max_tokens=5))
            return [asked.body for asked in endpoint.asked]

    first, *others = asyncio.run(go())
    assert first["max_tokens"] == 5
    assert len(others) == 2
    assert all("max_tokens" not in body and body["max_completion_tokens"] == 5 for body in others)


def test_keys_are_told_nobody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    words = f"Incorrect API key provided: {KEY}. Authorization: Bearer {KEY}, sk-proj-abc***xyz, ?api_key=12345&x=1 "
    quoted = json.dumps(completion(f"you sent {KEY}", [call("f", json.dumps({"k": KEY}))]))
    told = [
        ask(answers(error(401, words))),
        ask(answers(error(500, "x" * 280 + words))),
        ask(answers(response(403, words, "text/plain"))),
        ask(answers(response(200, f"{words} is no JSON"))),
        ask(answers(events({"error": {"message": words}})), stream=True),
    ]
    texts = [part for got, _ in told for part in (str(got), repr(got), repr(got.args), repr(pickle.dumps(got)))]
    good, _ = ask(answers(response(200, quoted)))
    texts += [good.message.model_dump_json(), repr(good)]
    config = EndpointConfig("m", "http://h/v1", Secret(KEY), headers=(("X-Key", KEY),))
    texts += [repr(config), repr(OpenAIModel(config)), str(config), caplog.text]
    for text in texts:
        assert KEY not in text
        assert KEY[:14] not in text
        assert "sk-proj-abc" not in text
        assert "12345" not in text
    assert good.message.content == f"you sent {HIDDEN}"
    assert HIDDEN in str(told[0][0])


def test_an_episode_records_kind_seed_and_fingerprint() -> None:
    scenario = Scenario(
        id="s", group="g", part=Part.TRAIN, kind=Kind.NO_TOOL, messages=HI, tools=(), expected=Expected()
    )

    async def go(answering: Answering) -> Any:
        async with asked_at(answering) as (model, endpoint):
            return await attempt(scenario, model, sampling=Sampling(seed=41)), endpoint.asked[0].body["seed"]

    episode, seed = asyncio.run(go(answers(completion("fine"))))
    assert (episode.seed, seed) == (41, 41)
    assert episode.model_calls[0].fingerprint == "fp_1"
    episode, _ = asyncio.run(go(answers(error(401, "wrong key"))))
    assert episode.stop_reason is StopReason.MODEL_ERROR
    assert episode.failures[0].message.startswith("ModelError: refused: m at http://127.0.0.1")


def test_256_are_in_flight_at_an_endpoint_that_can_take_them() -> None:
    sent: list[int] = []

    async def go() -> Endpoint:
        all_there = asyncio.Event()

        async def slow(asked: Asked) -> AsyncIterator[Any]:
            if asked.number == 255:
                all_there.set()
            await all_there.wait()
            await asyncio.sleep(0.1)
            sent.append(model.limiter.in_flight)
            yield response(200, json.dumps(completion()))

        async with asked_at(slow) as (model, endpoint):
            await asyncio.gather(*(model.complete(HI, (), Sampling()) for _ in range(512)))
            return endpoint

    endpoint = asyncio.run(go())
    assert len(endpoint.asked) == 512
    assert endpoint.most == 256
    # Until the first half is answered, whoever leaves makes room for the next at once.
    assert min(sent[:256]) >= 250
    assert endpoint.connections < 512, "connections are kept, but for those that were idle for seconds"


def test_a_client_serves_one_event_loop_after_another() -> None:
    model = OpenAIModel(EndpointConfig("m", "http://127.0.0.1:1/v1", retries=RetryPolicy(tries=1)))

    async def go() -> str:
        async with Endpoint(answers(completion("again"))) as endpoint:
            model.config = EndpointConfig("m", endpoint.url)
            got = await model.complete(HI, (), Sampling())
            return got.message.content

    assert [asyncio.run(go()), asyncio.run(go())] == ["again", "again"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://me:hunter22@host/v1", "without credentials"),
        ("http://host/v1?api-key=hunter22", "without credentials"),
        ("host/v1", "expected a URL such as"),
        ("ftp://host", "expected a URL such as"),
        ("http://host:hunter22/v1", "cannot be read"),
    ],
)
def test_urls_that_cannot_be_used_are_refused_without_telling_their_secrets(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as raised:
        EndpointConfig("", url, concurrency=0)
    assert "model: expected a name" in str(raised.value)
    assert "concurrency: expected at least 1" in str(raised.value)
    if "cannot be read" not in words:
        assert "hunter22" not in str(raised.value)


def test_parameters_of_a_url_are_sent() -> None:
    async def go() -> str:
        async with Endpoint(answers(completion())) as endpoint:
            model = OpenAIModel(EndpointConfig("m", f"{endpoint.url}?api-version=2024-10"))
            await model.complete(HI, (), Sampling())
            return endpoint.asked[0].path

    assert asyncio.run(go()) == "/v1/chat/completions?api-version=2024-10"


def test_what_was_said_is_sent_back_in_the_api_s_own_form() -> None:
    said = Message(role="assistant", tool_calls=(ToolCall(id="a", name="f", arguments={"x": "é"}),))
    result = Message(role="tool", content="sunny", tool_call_id="a", name="f")

    async def go() -> Any:
        async with asked_at(answers(completion())) as (model, endpoint):
            await model.complete((*HI, said, result), (TOOL,), Sampling())
            return endpoint.asked[0].body["messages"]

    sent = asyncio.run(go())
    assert sent[1]["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"x": "é"}'}
    assert (sent[2]["role"], sent[2]["tool_call_id"]) == ("tool", "a")


def test_an_endpoint_that_refuses_from_the_start_is_asked_once_and_one_that_answered_again() -> None:
    async def go(*told: Any) -> tuple[list[str], int]:
        said = []
        async with asked_at(answers(*told)) as (model, endpoint):
            for _ in range(3):
                try:
                    said.append((await model.complete(HI, (), Sampling())).message.content)
                except ModelError as failed:
                    said.append(failed.kind.value)
            return said, len(endpoint.asked)

    assert asyncio.run(go(error(401, "no such key"))) == (["refused"] * 3, 1)
    assert asyncio.run(go(completion("fine"), error(401), completion("again"))) == (["fine", "refused", "again"], 3)
