"""ShareGPT conversations in each published flavour as scenarios, and what is said of mistakes."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.importers.called_text import Called, NotCalls, json_calls, literal, read_calls
from evaluation.importers.conversations import Imported
from evaluation.importers.sharegpt import import_sharegpt
from evaluation.scenarios import Scenario
from evaluation.suite import SuiteError

WEATHER = {
    "name": "get_weather",
    "description": "Weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city"],
    },
}
OSLO = {"name": "get_weather", "arguments": {"city": "Oslo"}}
ROME = {"name": "get_weather", "arguments": {"city": "Rome", "days": 2}}


def part(who: str, value: Any) -> dict[str, Any]:
    return {"from": who, "value": value}


def imported(folder: Path, *rows: Any, **options: Any) -> Imported:
    path = folder / "chats.json"
    path.write_text(json.dumps(list(rows)))
    return import_sharegpt([path], **options)


def mistakes(folder: Path, *rows: Any) -> list[str]:
    with pytest.raises(SuiteError) as error:
        imported(folder, *rows)
    return [text.replace(f"{folder / 'chats.json'}:1: ", "") for text in error.value.mistakes]


def wanted(scenario: Scenario) -> list[tuple[str, dict[str, Any]]]:
    return [(c.name, {n: a.any_of[0] for n, a in c.arguments.items()}) for c in scenario.expected.calls]


def results(scenario: Scenario) -> list[str]:
    return [message.content for message in scenario.messages if message.role == "tool"]


FACTORY = {
    "system": "Be brief.",
    "tools": json.dumps([WEATHER]),
    "conversations": [
        part("human", "Weather in Oslo?"),
        part("function_call", json.dumps(OSLO)),
        part("observation", '{"high": 3}'),
        part("gpt", "Cold."),
        part("human", "And Oslo and Rome?"),
        part("function_call", json.dumps([OSLO, {**ROME, "arguments": json.dumps(ROME["arguments"])}])),
        part("observation", '[{"high": 3}, {"high": 20}]'),
        part("gpt", "Cold, and warm."),
    ],
}


def test_llama_factory(tmp_path: Path) -> None:
    one, answers, both, last = imported(tmp_path, FACTORY).scenarios
    assert [(m.role, m.content) for m in one.messages] == [("system", "Be brief."), ("user", "Weather in Oslo?")]
    assert (wanted(one), one.tools[0].parameters) == ([("get_weather", {"city": "Oslo"})], WEATHER["parameters"])
    assert (wanted(answers), answers.tags) == ([], ("sharegpt", "answer_after_results"))
    assert wanted(both) == [("get_weather", {"city": "Oslo"}), ("get_weather", {"city": "Rome", "days": 2})]
    assert both.expected.order == "any"
    assert results(last) == ['{"high": 3}', '{"high": 3}', '{"high": 20}']


CALL_PROMPT = "You are a function calling AI model. <tools>{}</tools> Return <tool_call>."
HERMES = {
    "id": "weather-1",
    "conversations": [
        part("system", CALL_PROMPT.format(json.dumps([{"type": "function", "function": WEATHER}]))),
        part("human", "Oslo and Rome?"),
        part("gpt", f"Let me see.\n<tool_call>\n{json.dumps(OSLO)}\n</tool_call>\n<tool_call>\n{ROME}\n</tool_call>"),
        part("tool", "<tool_response>\ncold\n</tool_response>\n<tool_response>\nwarm\n</tool_response>"),
        part("gpt", "Cold and warm."),
    ],
}  # fmt: skip


def test_hermes(tmp_path: Path) -> None:
    both, last = imported(tmp_path, HERMES).scenarios
    assert both.id == "sharegpt/weather-1/0"
    assert [m.role for m in both.messages] == ["user"], "the prompt that lists the tools is left out"
    assert wanted(both) == [("get_weather", {"city": "Oslo"}), ("get_weather", {"city": "Rome", "days": 2})]
    assert results(last) == ["cold", "warm"]
    assert last.messages[1].content == "Let me see."
    apart = [*HERMES["conversations"][:3], part("tool", "cold"), part("tool", "warm"), part("gpt", "So.")]
    assert results(imported(tmp_path, {**HERMES, "conversations": apart}).scenarios[1]) == ["cold", "warm"]
    alike = [*HERMES["conversations"][:3], part("tool", "mild"), part("gpt", "So.")]
    assert results(imported(tmp_path, {**HERMES, "conversations": alike}).scenarios[1]) == ["mild", "mild"]


FIRST = '[Market Trends API(kind="A, (B)", top=2.5, where={"x": [1]}, open=true), '
TOOLACE = {
    "system": "You are an expert. Here is a list of functions in JSON format that you can invoke:\n"
    + json.dumps([{"name": "Market Trends API", "description": "Trends.", "required": None,
                   "parameters": {"type": "dict", "properties": {"kind": {"type": "string"}, "top": {"type": "float"},
                   "where": {"type": "dict", "properties": {}}, "open": {"type": "boolean"}}, "required": ["kind"]}}])
    + ". \nShould you decide to return the function call(s). Put it in the format of [func1(params_name=params_value)]",
    "conversations": [
        part("user", "What moves?"),
        part("assistant", FIRST + "Market Trends API(kind='it\\'s')]"),
        part("tool", '[{"name": "Market Trends API", "results": 1}, {"name": "Market Trends API", "results": 2}]'),
        part("assistant", "Both move [up]."),
        part("user", "Sing."),
        part("assistant", "None of the functions can sing."),
    ],
}  # fmt: skip


def test_toolace(tmp_path: Path) -> None:
    both, answers, no_tool = imported(tmp_path, TOOLACE).scenarios
    assert both.tools[0].parameters["type"] == "object"
    assert both.tools[0].parameters["properties"]["top"] == {"type": "number"}
    assert wanted(both) == [
        ("Market Trends API", {"kind": "A, (B)", "top": 2.5, "where": {"x": [1]}, "open": True}),
        ("Market Trends API", {"kind": "it's"}),
    ]
    assert [json.loads(text)["results"] for text in results(answers)] == [1, 2]
    assert (wanted(no_tool), no_tool.tags[1]) == ([], "no_tool")
    assert [m.role for m in both.messages] == ["user"]


GLAIVE = {
    "system": "SYSTEM: You are a helpful assistant with access to the following functions. Use them if required -\n"
    + json.dumps(WEATHER, indent=4) + "\n" + json.dumps({**WEATHER, "name": "get_climate"}),
    "chat": "USER: Weather in Oslo?\n\n\nASSISTANT: <functioncall> "
    """{"name": "get_weather", "arguments": '{"city": "Oslo"}'} <|endoftext|>\n\n\n"""
    'FUNCTION RESPONSE: {"high": 3}\n\n\nASSISTANT: It is cold. <|endoftext|>\n\n\n',
}  # fmt: skip


def test_glaive(tmp_path: Path) -> None:
    asks, answers = imported(tmp_path, GLAIVE).scenarios
    assert [tool.name for tool in asks.tools] == ["get_weather", "get_climate"]
    assert wanted(asks) == [("get_weather", {"city": "Oslo"})]
    assert answers.expected.answer is not None
    assert (results(answers), answers.expected.answer.reference) == (['{"high": 3}'], "It is cold.")
    called = [part("gpt", "<functioncall> " + json.dumps(OSLO)), part("function_response", "3"), part("gpt", "Cold.")]
    said = [part("system", GLAIVE["system"]), part("human", "Weather in Oslo?"), *called]
    assert wanted(imported(tmp_path, {"conversations": said}).scenarios[0]) == [("get_weather", {"city": "Oslo"})]


def test_a_prompt_that_lists_no_tools_stays(tmp_path: Path) -> None:
    out = imported(tmp_path, FACTORY, {"conversations": [part("human", "Hi"), part("gpt", "Hello")]})
    assert out.scenarios[0].messages[0].content == "Be brief."
    assert out.left_out == {"no tools on offer": 1}


def talk(*parts: Any) -> dict[str, Any]:
    return {"tools": json.dumps([WEATHER]), "conversations": [part("human", "a"), *parts]}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (5, "expected an object, found 5"),
        ({"conversations": []}, "conversations: expected a list of what was said, found none"),
        ({"messages": []}, "`ratchet test import openai` reads `messages`"),
        ({"conversation": []}, "conversation: expected 'conversations', found 'conversation'"),
        ({**talk(part("gpt", "b")), "tools": "[{"}, "tools: expected JSON, found '[{'"),
        ({**talk(part("gpt", "b")), "tools": [5]}, "tools[0]: expected a tool, found 5"),
        ({**talk(part("gpt", "b")), "tools": [{**WEATHER, "parameters": {"required": 1}}]}, "expected a JSON Schema"),
        (talk(part("alien", "b")), "conversations[1].from: expected one of system, human"),
        (talk("b"), "conversations[1]: expected an object with from and value, found 'b'"),
        (talk(part("gpt", 5)), "conversations[1].value: expected a text, found 5"),
        (talk(part("function_call", "call it")), "conversations[1].value: expected JSON, found 'call it'"),
        (talk(part("function_call", "{}")), "expected an object with name and arguments"),
        (talk(part("gpt", "<tool_call>{nothing}</tool_call>")), "conversations[1].value: expected JSON"),
        (talk(part("gpt", '<functioncall> {"name": "a", "arguments": [1]}')), "expected an object of arguments for a"),
        (talk(part("gpt", "[get_weather(city)]")), "expected argument=value, found 'city'"),
        (talk(part("gpt", "[get_weather(city=Oslo)]")), "expected JSON, found 'Oslo'"),
        (talk(part("gpt", "[get_rain(city='b')]")), "call 1: expected a tool on offer (get_weather), found 'get_rain'"),
        (talk(part("gpt", "[get_weather(days=1)]")), "found 'city' is a required property"),
        (talk(part("observation", "3")), "conversations[1]: expected 0 results, as many as calls wait"),
        (talk(part("gpt", "[get_weather(city='b')]"), part("human", "c")), "expected the results of get_weather first"),
        ({"tools": [WEATHER], "conversations": [part("gpt", "b")]}, "expected a message of the user, found none"),
    ],
)
def test_each_mistake_has_its_field(tmp_path: Path, data: Any, said: str) -> None:
    found = mistakes(tmp_path, FACTORY, data)
    assert any(said in text for text in found), found
    out = imported(tmp_path, FACTORY, data, skip_bad=True)
    assert (len(out.scenarios), out.bad) == (4, 1)


def test_a_call_that_cannot_be_read_is_the_only_mistake(tmp_path: Path) -> None:
    data = talk(part("function_call", "call it"), part("observation", "3"), part("gpt", "So."))
    assert len(mistakes(tmp_path, data)) == 1


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("plain words", []),
        ("[1, 2]", []),
        ("[see (below)] and more", []),
        ("[a()]", [Called("a", {})]),
        (" [a.b(x=None, y=(1, 2)) , c d()] ", [Called("a.b", {"x": None, "y": [1, 2]}), Called("c d", {})]),
        ("[c(z={'k': False})]", [Called("c", {"z": {"k": False}})]),
        ("<tool_call>{'name': 'a', 'arguments': {'b': True}}", [Called("a", {"b": True})]),
        ("<tool_call>{\"name\": \"a\"}<tool_call>{'name': 'b'}", [Called("a", {}), Called("b", {})]),
    ],
)
def test_calls_in_texts(text: str, calls: list[Called]) -> None:
    assert list(read_calls(text).calls) == calls


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.text() | st.integers() | st.booleans()))
def test_whatever_the_values_are_a_call_is_read_back(arguments: dict[str, Any]) -> None:
    listed = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    assert read_calls(f"[do it({listed})]").calls == (Called("do it", arguments),)
    assert json_calls(json.dumps({"name": "a", "arguments": json.dumps(arguments)})) == [Called("a", arguments)]


@given(st.text() | st.text(alphabet="[](){}<>'\"=,:\\ab\n1"))
def test_no_text_breaks_the_reading(text: str) -> None:
    for told in (text, f"[a({text})]", f"<tool_call>{text}", f"<functioncall>{text}"):
        with contextlib.suppress(NotCalls):
            assert isinstance(read_calls(told).text, str)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{" * 5_000, "1" * 200_000 + "x", "{1: 2}", "{'a': 1j}", "b'x'", "-" * 50_000]
)
def test_hostile_literals_are_refused(text: str) -> None:
    with pytest.raises(NotCalls, match="expected JSON"):
        literal(text)
