"""Both ways between calls as data and calls as text; one scenario, each encoding, the same verdict."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.models import Sampling, ScriptedModel
from evaluation.protocols.codec import Codec
from evaluation.protocols.endpoint import EncodedModel
from evaluation.protocols.load import ProtocolError, builtin_protocols, load_protocol
from evaluation.records import FailureKind, Message, ToolCall, ToolSpec, Verdict
from tests.evaluation.attempts import BY_ID, calling, failed, run, saying, verdicts
from tests.evaluation.attempts import call as made
from tests.evaluation.protocols.making import ROO_XML, pocket

ENCODINGS = [(name, encoding) for name in builtin_protocols() for encoding in load_protocol(name).encodings]
TOOL = ToolSpec(
    name="book",
    description="Books a room.",
    parameters={
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Where."},
            "nights": {"type": "integer"},
            "price": {"type": "number"},
            "quiet": {"type": "boolean"},
            "guests": {"type": "array", "items": {"type": "string"}},
            "extras": {"type": "object"},
            "note": {"type": ["string", "null"]},
            "free": {},
        },
        "required": ["city"],
    },
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(lambda text: "<" not in text)
# XML takes whitespace away at the ends, and reads `null` where null is allowed: the limits that are told.
TRIMMED = TEXT.map(lambda text: text.strip().strip("\x1c\x1d\x1e\x1f\x85\ufeff"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
ARGUMENTS = st.fixed_dictionaries(
    {"city": TRIMMED},
    optional={
        "nights": st.integers(),
        "price": st.floats(allow_nan=False, allow_infinity=False),
        "quiet": st.booleans(),
        "guests": st.lists(TEXT, max_size=2),
        "extras": st.dictionaries(TEXT, JSON, max_size=2),
        "note": st.none() | TRIMMED.filter(lambda text: text != "null"),
        "free": st.lists(st.integers(), max_size=2) | st.integers() | st.booleans(),
    },
)


@pytest.mark.parametrize(("name", "encoding"), ENCODINGS)
@given(arguments=ARGUMENTS, said=st.sampled_from(["", "I book."]))
def test_what_is_written_is_read_back(name: str, encoding: str, arguments: dict[str, Any], said: str) -> None:
    codec = Codec(load_protocol(name), encoding, [TOOL])
    message = Message(role="assistant", content="" if name == "mcp" else said, tool_calls=(made("book", **arguments),))
    written: Any = message.to_openai() if not codec.in_text else codec.encode([message])[1].content
    decoded = codec.decode(written)
    assert decoded.malformed is None
    (read,) = decoded.message.tool_calls
    assert decoded.message.content == message.content
    doubles = getattr(codec.encoding, "numbers", "exact") == "double"
    assert read.arguments == (json.loads(json.dumps(arguments), parse_int=float) if doubles else arguments)
    assert codec.check(written).valid


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(ProtocolError, match=r"expected an encoding of roo \(xml, native\), found 'json'"):
        Codec(load_protocol("roo"), "json")


def test_tags_inside_a_parameter_become_lists_and_back() -> None:
    follow_up = [{"text": "Yes & <no>"}, {"text": "Plan", "mode": "architect"}]
    asked = made("ask_followup_question", question="Which?", follow_up=follow_up)
    files = [{"path": "a.py", "line_range": ["1-5", "9-9"]}, {"path": "b.py", "line_range": "1-2"}]
    for one in (asked, made("read_file", args=files)):
        (read,) = ROO_XML.decode(ROO_XML.write_call(one)).message.tool_calls
        assert (read.name, read.arguments) == (one.name, one.arguments)
    assert '<suggest mode="architect">Plan</suggest>' in ROO_XML.write_call(asked)


def test_what_cannot_be_read_as_its_type_stays_text_and_is_refused() -> None:
    codec = Codec(load_protocol("roo"), "xml", [TOOL])
    text = "<book><city>Oslo</city><nights>two</nights><quiet>TRUE</quiet></book>"
    assert codec.decode(text).message.tool_calls[0].arguments == {"city": "Oslo", "nights": "two", "quiet": True}
    verdict = codec.check(text)
    assert (verdict.error, verdict.parameter) == ("invalid_param", "nights")
    assert verdict.detail == "nights: expected type \"integer\", found 'two'"


@pytest.mark.parametrize(
    ("arguments", "error", "detail"),
    [
        ({}, "missing_param", "text: expected a value, found none"),
        ({"text": ""}, "missing_param", "text: expected a value, found empty text"),
        ({"text": "a", "pinned": 5}, "invalid_param", 'pinned: expected type "boolean", found 5'),
        ({"text": "a", "tags": ["a", 5]}, "invalid_param", 'tags.1: expected type "string", found 5'),
        ({"text": "a", "x": 1}, "invalid_param", "x: expected a parameter that the tool has, found this one"),
    ],
)
def test_arguments_are_judged_by_the_schema(tmp_path: Path, arguments: dict[str, Any], error: str, detail: str) -> None:
    for encoding in ("native", "json"):
        codec = pocket(tmp_path, encoding)
        call = made("add_note", **arguments)
        said: Any = (
            codec.write_call(call) if codec.in_text else Message(role="assistant", tool_calls=(call,)).to_openai()
        )
        verdict = codec.check(said)
        assert (verdict.error, verdict.detail) == (error, detail)


def test_extra_parameters_can_be_let_through(tmp_path: Path) -> None:
    codec = pocket(tmp_path, "native", **{"kind: native,": "kind: native, extra_parameters: ignored,"})
    verdict = codec.check(Message(role="assistant", tool_calls=(made("done", summary="a", x=1),)).to_openai())
    assert (verdict.valid, verdict.params) == (True, {"summary": "a"})


def test_a_schema_that_cannot_be_used_is_said() -> None:
    broken = TOOL.model_copy(update={"parameters": {"type": "objekt"}})
    codec = Codec(load_protocol("openai"), "native", [broken])
    verdict = codec.check(Message(role="assistant", tool_calls=(made("book"),)).to_openai())
    assert verdict.detail.startswith("the tool's own schema cannot be used")


def test_a_conversation_is_written_without_tools() -> None:
    codec = Codec(load_protocol("roo"), "xml", [TOOL])
    messages = [
        Message(role="system", content="Be brief."),
        Message(role="user", content="Book Oslo."),
        Message(role="assistant", content="I do.", tool_calls=(made("book", city="Oslo", nights=2),)),
        Message(role="tool", content='{"ok": true}', tool_call_id="c", name="book"),
        Message(role="tool", content="{content}", tool_call_id="d", name="book"),
        Message(role="assistant", content="Done."),
    ]
    system, *others = codec.encode(messages)
    assert system.content.startswith("Be brief.\n\n# Tools")
    assert "- city (string, required): Where." in system.content
    assert "- note (null or string)" in system.content
    assert "<book>\n<city>…</city>\n</book>" in system.content
    assert others == [
        messages[1],
        Message(role="assistant", content="I do.\n<book>\n<city>Oslo</city>\n<nights>2</nights>\n</book>"),
        Message(role="user", content='[book] Result:\n{"ok": true}\n\n[book] Result:\n{content}'),
        messages[5],
    ]
    assert Codec(load_protocol("openai"), "native", [TOOL]).encode(messages) == tuple(messages)


def test_a_result_of_mcp_is_an_answer_to_its_request() -> None:
    codec = Codec(load_protocol("mcp"), "json", [TOOL])
    calls = (made("book", id="1", city="Oslo"), made("book", id="2", city="Rome"))
    told = codec.encode(
        [Message(role="assistant", tool_calls=calls), Message(role="tool", content='a "b"', tool_call_id="1")]
    )
    assert [request["id"] for request in json.loads(told[1].content)] == ["1", "2"]
    answer = json.loads(told[2].content)
    assert (answer["id"], answer["result"]["content"][0]["text"]) == ("1", 'a "b"')


def test_calls_beyond_the_most_are_not_taken() -> None:
    one = "<list_files><path>{}</path></list_files>"
    decoded = ROO_XML.decode(one.format("a") + one.format("b"))
    assert [call.arguments for call in decoded.message.tool_calls] == [{"path": "a"}]
    assert decoded.malformed == "multiple_tools: expected at most 1 call(s), found 2"


def test_native_calls_that_cannot_be_read_have_no_arguments() -> None:
    decoded = Codec(load_protocol("openai"), "native").decode(
        {"tool_calls": [{"function": {"name": "a", "arguments": "{"}}, {"function": {"name": "b", "arguments": "{}"}}]}
    )
    assert [(call.name, call.arguments) for call in decoded.message.tool_calls] == [("a", {}), ("b", {})]
    assert str(decoded.malformed).startswith("malformed_json: expected JSON")


class Writer:
    """A model behind an endpoint without tools: it writes the turns of a script as text."""

    def __init__(self, codec: Codec, turns: Sequence[Message]) -> None:
        self.asked: list[tuple[Sequence[Message], Sequence[ToolSpec]]] = []
        texts = [Message(role="assistant", content=codec.encode([turn])[-1].content) for turn in turns]
        self._model = ScriptedModel(texts if codec.in_text else turns, name="writer")
        self.name, self.template_hash = "writer", "t"

    async def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling) -> Any:
        self.asked.append((messages, tools))
        return await self._model.complete(messages, tools, sampling)


TURNS = [
    calling(made("stock", item="pen")),
    calling(made("order", item="pen", count=1234)),
    saying("There are 1,234 pens."),
]


@pytest.mark.parametrize(("name", "encoding"), ENCODINGS)
def test_one_scenario_is_scored_alike_in_each_encoding(name: str, encoding: str) -> None:
    scenario = BY_ID["chain"]
    tools = [tool.spec() for tool in scenario.tools]
    wrong = [calling(made("stock", item="cup")), *TURNS[1:]]
    for turns, failing in ((TURNS, set()), (wrong, failed(scenario, run(scenario, ScriptedModel(wrong))))):
        codec = Codec(load_protocol(name), encoding, tools)
        writer = Writer(codec, turns)
        episode = run(scenario, EncodedModel(writer, load_protocol(name), encoding))
        assert failed(scenario, episode) == failing
        assert verdicts(scenario, episode).keys() == verdicts(scenario, run(scenario, ScriptedModel(turns))).keys()
        assert (episode.model, episode.template_hash) == ("writer", "t")
        assert all(bool(offered) == (not codec.in_text) for _, offered in writer.asked)
    assert failing


def test_a_broken_text_is_a_failure_of_the_episode() -> None:
    scenario = BY_ID["near_twin"]
    model = ScriptedModel([saying("<stock><item>pen</item>"), saying("no"), saying("no")])
    episode = run(scenario, EncodedModel(model, load_protocol("roo"), "xml"))
    assert [(failure.kind, failure.message) for failure in episode.failures] == [
        (FailureKind.MALFORMED_OUTPUT, "unclosed_tool: expected </stock>, found the end of the message")
    ]
    assert verdicts(scenario, episode)["protocol"] == Verdict.FAILED


def test_without_tools_a_model_is_told_of_none() -> None:
    codec = Codec(load_protocol("roo"), "xml", [TOOL])
    writer = Writer(codec, [saying("Hello.")])
    asked = [Message(role="user", content="Hi.")]
    done = asyncio.run(EncodedModel(writer, load_protocol("roo"), "xml").complete(asked, (), Sampling()))
    assert done.message.content == "Hello."
    assert writer.asked == [(asked, ())]


def test_a_model_that_calls_natively_all_the_same_is_left_alone() -> None:
    model = EncodedModel(ScriptedModel([calling(made("stock", item="pen"))]), load_protocol("roo"), "xml")
    done = asyncio.run(model.complete([Message(role="user", content="?")], [TOOL], Sampling()))
    assert done.message.tool_calls == (ToolCall(id="c", name="stock", arguments={"item": "pen"}),)
    with pytest.raises(ProtocolError):
        EncodedModel(ScriptedModel([]), load_protocol("roo"), "morse")
