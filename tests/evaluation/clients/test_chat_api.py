from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.clients.chat_api import NoAnswer, estimated_tokens, read_answer, request_body, writable
from evaluation.clients.chunks import Assembled
from evaluation.models import Sampling
from evaluation.records import Message, ToolCall, ToolSpec
from tests.evaluation.clients.endpoint import call, completion

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=5)
NAMES = st.sampled_from(
    ["choices", "message", "delta", "tool_calls", "function", "name", "arguments", "id", "index", "content", "usage",
     "logprobs", "token", "logprob", "top_logprobs", "finish_reason", "prompt_tokens", "text", "error"]
)  # fmt: skip
JSON = st.recursive(
    SCALARS | st.sampled_from(['{"a": 1}', "{", "[1]", "NaN"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=25,
)


def _said(**message: Any) -> dict[str, Any]:
    return {"choices": [{"message": message}]}


@given(JSON | st.builds(lambda calls, content: _said(tool_calls=calls, content=content), JSON, JSON))
def test_whatever_json_comes_is_an_answer_that_can_be_kept_or_none(body: Any) -> None:
    try:
        answer = read_answer(body)
    except NoAnswer:
        return
    assert Message.model_validate_json(answer.message.model_dump_json()) == answer.message
    assert len({one.id for one in answer.message.tool_calls}) == len(answer.message.tool_calls)
    assert (answer.tokens_in or 0) >= 0
    assert all(math.isfinite(one.logprob) for one in answer.logprobs)


@given(st.lists(JSON | st.builds(lambda delta: {"choices": [{"delta": delta}]}, JSON), max_size=6))
def test_whatever_chunks_come_are_put_together(chunks: list[Any]) -> None:
    whole = Assembled()
    for chunk in chunks:
        whole.feed(chunk)
    message = read_answer(whole.body()).message
    assert Message.model_validate_json(message.model_dump_json()) == message
    assert whole.chunks == len(chunks)


@given(st.text(min_size=1), st.dictionaries(st.text(max_size=5), st.integers()), st.integers(1, 9))
def test_what_comes_in_pieces_is_what_was_cut(content: str, arguments: dict[str, int], size: int) -> None:
    whole, text = Assembled(), json.dumps(arguments)
    for at in range(0, max(len(content), len(text)), size):
        piece = {"index": 0, "id": "a", "function": {"name": "f", "arguments": text[at : at + size]}}
        whole.feed({"choices": [{"delta": {"content": content[at : at + size], "tool_calls": [piece]}}]})
    calls = (ToolCall(id="a", name="f", arguments=arguments),)
    assert read_answer(whole.body()).message == Message(role="assistant", content=content, tool_calls=calls)


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5)), st.text(max_size=9))
def test_what_is_sent_is_what_comes_back(arguments: dict[str, Any], content: str) -> None:
    said = Message(role="assistant", content=content, tool_calls=(ToolCall(id="a", name="f", arguments=arguments),))
    sent = request_body("m", [said], (), Sampling())["messages"][0]
    assert read_answer({"choices": [{"message": json.loads(json.dumps(sent))}]}).message == said


def test_calls_with_one_id_get_ids_of_their_own() -> None:
    told = [call("f", "{}", "a"), call("f", "{}", "a"), call("f", "{}", ""), call("f", "{}", None)]
    answer = read_answer(completion(None, told), turn=3)
    ids = [one.id for one in answer.message.tool_calls]
    assert ids[0] == "a"
    assert len(set(ids)) == 4
    assert ids == [one.id for one in read_answer(completion(None, told), turn=3).message.tool_calls]


@pytest.mark.parametrize(
    ("message", "content"),
    [
        ({"content": [{"type": "text", "text": "a"}, {"type": "image"}, 5, {"text": "b"}]}, "ab"),
        ({"content": None, "refusal": "I will not."}, "I will not."),
        ({"content": 5}, ""),
        ({}, ""),
    ],
)
def test_content_is_read_as_text(message: dict[str, Any], content: str) -> None:
    assert read_answer({"choices": [{"message": message}]}).message.content == content


@pytest.mark.parametrize(
    ("details", "cached"),
    [({"cached_tokens": 5}, 5), ({"cached_tokens": 99}, 7), ({"cached_tokens": -1}, 0), (None, 0), ([5], 0), ({}, 0)],
)
def test_what_the_endpoint_s_cache_held_is_told_and_never_more_than_the_prompt(details: object, cached: int) -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": details}
    assert read_answer(completion(usage=usage)).tokens_cached == cached
    assert read_answer(completion(usage={"prompt_tokens_details": details})).tokens_cached == 0


def test_usage_that_makes_no_sense_is_not_told() -> None:
    for usage in (None, 5, {"prompt_tokens": -1, "completion_tokens": True}, {"prompt_tokens": 2.5}):
        answer = read_answer(completion(usage=usage))
        assert (answer.tokens_in, answer.tokens_out) == (None, None)


def test_tokens_are_estimated_by_the_length_of_what_is_sent() -> None:
    text = (Message(role="user", content="x" * 4000),)
    tool = ToolSpec(name="f", description="y" * 400, parameters={})
    assert 1000 <= estimated_tokens(text) <= 1020
    assert 100 <= estimated_tokens(text, [tool]) - estimated_tokens(text) <= 140


def test_writable_changes_nothing_that_can_be_written() -> None:
    value = {"a": ["é", 1, None, {"b": (True, 1.5)}]}
    assert writable(value) == {"a": ["é", 1, None, {"b": [True, 1.5]}]}
    assert writable({"\udc00": ["\ud800x"]}) == {"?": ["?x"]}


def test_a_schema_is_asked_for_as_the_api_names_it() -> None:
    from evaluation.clients.chat_api import request_body

    said = [Message(role="user", content="hi")]
    assert "response_format" not in request_body("m", said, [], Sampling())
    body = request_body("m", said, [], Sampling(response_schema='{"type": "object"}'))
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": {"type": "object"}},
    }
