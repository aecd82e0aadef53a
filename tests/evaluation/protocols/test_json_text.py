"""Calls as JSON in the text: between marks, or the whole text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.protocols import hermes
from evaluation.protocols.codec import Codec
from evaluation.protocols.load import load_protocol
from evaluation.protocols.strict_json import DEEPEST, NotJson, parse_json
from evaluation.records import Message, ToolCall
from tests.evaluation.protocols.making import LINEAR, cuts, growth, pocket

HERMES, MCP = (Codec(load_protocol(name), "json") for name in ("hermes", "mcp"))
PIECES = st.sampled_from(
    [hermes.OPEN, hermes.CLOSE, "{", "}", '"name"', ":", '"a"', ",", '"arguments"', "[", "]", "\\"]
)
TEXTS = st.lists(PIECES | st.text(max_size=4), max_size=20).map("".join)


@settings(max_examples=1000)
@given(TEXTS | st.text())
def test_reading_and_judging_never_raise(text: str) -> None:
    for codec in (HERMES, MCP):
        verdict = codec.check(text)
        assert verdict.valid == (verdict.error is None)
        decoded = codec.decode(text)
        assert decoded.malformed is None or decoded.message == Message(role="assistant", content=text)


@given(TEXTS, st.lists(st.integers(0, 10_000), max_size=12))
def test_cutting_the_text_changes_nothing(text: str, places: list[int]) -> None:
    for codec in (HERMES, MCP):
        parser = codec.parser()
        for piece in cuts(text, places):
            parser.feed(piece)  # type: ignore[arg-type]
        assert parser.close() == codec.read(text)


@given(TEXTS)
def test_the_engine_reads_what_the_protocol_reads(text: str) -> None:
    parsed, decoded = hermes.parse(text), HERMES.decode(text)
    assert (parsed.malformed is None) == (decoded.malformed is None)
    assert parsed.content == decoded.message.content
    calls = [(call.name, call.arguments) for call in decoded.message.tool_calls]
    assert [(call.name, call.arguments) for call in parsed.calls] == calls


def test_the_shipped_protocol_has_the_marks_of_the_engine() -> None:
    assert hermes.ENCODING.model_copy(update={"result": HERMES.encoding.result}) == HERMES.encoding


def test_one_bad_call_keeps_the_whole_text_and_none_is_taken() -> None:
    good = '<tool_call>{"name": "a", "arguments": {}}</tool_call>'
    text = f"{good}<tool_call>{{</tool_call>{good}"
    decoded = HERMES.decode(text)
    assert decoded.message == Message(role="assistant", content=text)
    assert str(decoded.malformed).startswith("malformed_json: expected a JSON object inside <tool_call>")


def test_a_request_is_read_from_its_places_and_an_answer_is_none() -> None:
    request = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "a", "arguments": {"x": 1}}}
    assert MCP.check(json.dumps(request)).params == {"x": 1}
    assert MCP.check(json.dumps([request, request])).valid
    assert MCP.decode("It is 5 degrees.").message.content == "It is 5 degrees."
    assert MCP.decode('{"result": 5}').message.content == '{"result": 5}'


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"method": "tools/list"}, "malformed_json"),
        ({"jsonrpc": "1.0"}, "malformed_json"),
        ({"params": {"name": 5}}, "malformed_json"),
        ({"params": {"name": "a", "arguments": [1]}}, "arguments_not_object"),
        ({"params": {"name": "a", "arguments": None}}, "arguments_not_object"),
    ],
)
def test_a_request_with_a_wrong_field_is_named(changed: dict[str, Any], error: str) -> None:
    request = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "a"}}
    assert MCP.check(json.dumps({**request, **changed})).error == error
    assert MCP.check(json.dumps(request)).valid


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    call = ToolCall(id="1", name="done", arguments={"summary": "a ]b] <c>"})
    for codec in (HERMES, MCP, pocket(tmp_path, "json")):
        (read,) = codec.decode(codec.write_call(call)).message.tool_calls
        assert (read.name, read.arguments) == (call.name, call.arguments)


@pytest.mark.parametrize("text", ["NaN", "[-Infinity]", '{"a": Infinity}', "", "01", "[" * 100_000, "'a'", '"\x01"'])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(NotJson):
        parse_json(text)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("[" * DEEPEST + "]" * DEEPEST, True),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), False),
        ('{"a":' * (DEEPEST + 1) + "1" + "}" * (DEEPEST + 1), False),
        ("[" + "[{}]," * DEEPEST + "1]", True),
        (json.dumps(["[{" * DEEPEST + '\\"']), True),
    ],
)
def test_how_deep_is_read_does_not_hang_on_how_deep_the_reader_is_called(text: str, read: bool) -> None:
    def said(below: int) -> str:
        if below:
            return said(below - 1)
        try:
            parse_json(text)
        except NotJson as error:
            return str(error)
        return ""

    assert said(0) == said(300) == ("" if read else f"more than {DEEPEST} levels of nesting")


@pytest.mark.parametrize(
    "pattern", ["<tool_call>", "</tool_call>", '<tool_call>{"name": "a"}</tool_call>', "{", '"', "<"]
)
def test_time_grows_with_the_length_alone(pattern: str) -> None:
    for codec in (HERMES, MCP):
        assert growth(lambda size, codec=codec: codec.read(pattern * size)) < LINEAR
