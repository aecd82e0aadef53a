"""OpenAI chat and fine-tuning files as scenarios: what becomes of each turn, and what is said of each mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.importers.conversations import Imported
from evaluation.importers.openai import import_openai
from evaluation.load import load, save_jsonl
from evaluation.records import Message
from evaluation.scenarios import ExpectedArgument, Scenario
from evaluation.splits import Suite, check_split
from evaluation.suite import SuiteError
from tests.evaluation import attempts

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"type": "string", "default": "C"}},
            "required": ["city"],
        },
    },
}
TIME = {"type": "function", "function": {"name": "get_time"}}


def call(identifier: str, name: str = "get_weather", **arguments: Any) -> dict[str, Any]:
    return {"id": identifier, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


def calls(*made: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(made), **more}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def says(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **more}


def result(identifier: str, text: str = '{"high": 3}') -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": identifier, "content": text}


CHAT = [
    {"role": "developer", "content": "Be brief."},
    user("Weather in Oslo and Rome?"),
    calls(call("a", city="Oslo", unit="C"), call("b", city="Rome")),
    result("b", "warm"),
    result("a", "cold"),
    says("Cold in Oslo, warm in Rome."),
    user("Thanks! And there?"),
    says("Where do you mean?"),
]


def row(messages: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    return {"messages": messages, "tools": [WEATHER, TIME], **fields}


def imported(folder: Path, *rows: Any, **options: Any) -> Imported:
    path = folder / "chats.jsonl"
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows))
    return import_openai([path], **options)


def mistakes(folder: Path, *rows: Any) -> list[str]:
    with pytest.raises(SuiteError) as error:
        imported(folder, *rows)
    return [text.replace(f"{folder / 'chats.jsonl'}:", "") for text in error.value.mistakes]


def test_each_turn_of_the_assistant_becomes_a_scenario(tmp_path: Path) -> None:
    asks, answers, clarifies = imported(tmp_path, row(CHAT, parallel_tool_calls=True)).scenarios
    assert [m.role for m in asks.messages] == ["system", "user"]
    assert [t.name for t in asks.tools] == ["get_weather", "get_time"]
    oslo, rome = (dict(c.arguments) for c in asks.expected.calls)
    default = ExpectedArgument(any_of=("C",), optional=True)
    assert oslo == {"city": ExpectedArgument(any_of=("Oslo",)), "unit": default}
    assert rome == {"city": ExpectedArgument(any_of=("Rome",))}
    assert (asks.stop, asks.expected.order, asks.tags) == ("calls", "any", ("openai", "calls"))
    assert [(m.role, m.tool_call_id, m.name) for m in answers.messages[2:]] == [
        ("assistant", None, None), ("tool", "b", "get_weather"), ("tool", "a", "get_weather"),
    ]  # fmt: skip
    assert (answers.expected.calls, answers.tags[1]) == ((), "answer_after_results")
    assert answers.expected.answer is not None
    assert answers.expected.answer.reference == "Cold in Oslo, warm in Rome."
    assert (clarifies.expected.calls, clarifies.tags[1], len(clarifies.messages)) == ((), "no_tool", 7)
    assert len({s.group for s in (asks, answers, clarifies)}) == 1


def test_right_attempts_pass_and_wrong_ones_fail(tmp_path: Path) -> None:
    asks, answers, clarifies = imported(tmp_path, row(CHAT)).scenarios
    oslo, rome = attempts.call("get_weather", id="1", city="Oslo"), attempts.call("get_weather", id="2", city="Rome")

    def wrong(one: Scenario, turn: Message) -> set[str]:
        return attempts.failed(one, attempts.follow(one, turn))

    assert wrong(asks, attempts.calling(rome, oslo)) == set()
    assert (
        wrong(asks, attempts.calling(oslo))
        == {"tool_selection", "arguments"} & wrong(asks, attempts.calling(oslo))
        != set()
    )
    assert wrong(answers, attempts.saying("Cold and warm.")) == set()
    assert wrong(answers, attempts.calling(oslo)) >= {"tool_selection"}
    assert wrong(clarifies, attempts.saying("Which city?")) == set()
    assert wrong(clarifies, attempts.calling(oslo)) >= {"tool_selection"}


def test_only_first_turns_where_that_is_asked_for(tmp_path: Path) -> None:
    (only,) = imported(tmp_path, row(CHAT), turns="first").scenarios
    assert only.id.endswith("/0")


def test_older_function_calls_and_parts_of_texts_are_read(tmp_path: Path) -> None:
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "Weather "}, {"type": "text", "text": "in Oslo?"}]},
        says("One moment.", function_call={"name": "get_weather", "arguments": '{"city": "Oslo"}'}),
        {"role": "function", "name": "get_weather", "content": "cold"},
        {"role": "assistant", "content": None, "refusal": "I would rather not say."},
    ]  # fmt: skip
    functions = [WEATHER["function"]]
    asks, answers = imported(tmp_path, {"messages": messages, "functions": functions}).scenarios
    assert asks.query == "Weather in Oslo?"
    assert [c.name for c in asks.expected.calls] == ["get_weather"]
    assert answers.messages[-1].name == "get_weather"
    assert answers.expected.answer is not None
    assert answers.expected.answer.reference == "I would rather not say."


def test_turns_of_weight_zero_are_context_and_may_be_wrong(tmp_path: Path) -> None:
    messages = [
        user("Weather in Oslo?"),
        calls(call("a", town="Oslo"), weight=0),
        result("a", "no city given"),
        calls(call("b", city="Oslo"), weight=1),
    ]
    (recovers,) = imported(tmp_path, row(messages)).scenarios
    assert recovers.expected.calls[0].arguments["city"].any_of == ("Oslo",)
    assert len(recovers.messages) == 3


def test_preference_rows_take_the_preferred_output(tmp_path: Path) -> None:
    data = {
        "input": {"messages": [user("Weather in Oslo?")], "tools": [WEATHER], "parallel_tool_calls": True},
        "preferred_output": [calls(call("a", city="Oslo"))],
        "non_preferred_output": [says("It is fine.")],
    }
    (only,) = imported(tmp_path, data).scenarios
    assert only.expected.calls[0].arguments["city"].any_of == ("Oslo",)


def test_ids_do_not_depend_on_place_or_file_and_own_ids_are_kept(tmp_path: Path) -> None:
    one, two = row(CHAT), row([user("Time?"), calls(call("a", "get_time"))])
    first, other = imported(tmp_path, one, two).scenarios, imported(tmp_path, two, one).scenarios
    assert {s.id: s for s in first} == {s.id: s for s in other}
    (named,) = imported(tmp_path, {**two, "id": "chat-7"}).scenarios
    assert named.id == "openai/chat-7/0"


def test_the_same_words_are_one_group_and_nothing_straddles_the_split(tmp_path: Path) -> None:
    rows = [row([user(f"Weather in city {n % 20}?"), calls(call("a", city=f"{n}"))]) for n in range(60)]
    out = imported(tmp_path, *rows, rows[0])
    assert (len(out.scenarios), len({s.group for s in out.scenarios}), sum(out.left_out.values())) == (60, 20, 1)
    suite = Suite(name="s", seed=0, split_seed=0, scenarios=tuple(out.scenarios))
    assert check_split(suite.scenarios) == []
    save_jsonl(suite, tmp_path / "suite.jsonl")
    assert load(tmp_path / "suite.jsonl").scenarios == suite.scenarios


def test_what_has_nothing_to_test_is_counted(tmp_path: Path) -> None:
    greets = row([says("Hello!"), user("Bye.")])
    out = imported(tmp_path, row(CHAT), {"messages": [user("Hi"), says("Hello")]}, greets)
    assert out.left_out == {"no tools on offer": 1, "no turn of the assistant to test": 1}
    assert out.mistakes == []


def chat(*turns: Any) -> dict[str, Any]:
    return row([user("a"), *turns])


def raw(arguments: str) -> dict[str, Any]:
    return {"id": "x", "function": {"name": "get_time", "arguments": arguments}}


def offering(*tools: Any) -> dict[str, Any]:
    return {"messages": CHAT, "tools": list(tools)}


BAD: list[tuple[Any, str]] = [
    ("{not json", "expected one JSON object, found: JSONDecodeError"),
    ("[1]", "expected an object, found [1]"),
    ('{"messages": NaN}', "there is no NaN in JSON"),
    ({"messages": []}, "messages: expected a list of messages, found none"),
    ({"messages": "hi", "tools": []}, "messages: expected a list, found 'hi'"),
    ({"conversations": []}, "`ratchet test import sharegpt` reads `conversations`"),
    ({"message": CHAT, "tools": [WEATHER]}, "message: expected 'messages', found 'message'"),
    (chat({"role": "robot", "content": "b"}), "messages[1].role: expected one of system, developer"),
    (chat("b"), "messages[1]: expected a message, found 'b'"),
    (row([{"role": "user", "content": 5}]), "messages[0].content: expected a text or a list of parts, found 5"),
    (row([{"role": "user", "content": [{"type": "image_url"}]}]), "content[0]: expected a part of type text"),
    (chat(says("b", weight=2)), "messages[1].weight: expected 0 or 1, found 2"),
    (chat(says("b", weight="1")), "messages[1].weight: expected a number, found '1'"),
    (
        chat(calls(call("x", "get_wether", city="b"))),
        "call 1: expected a tool on offer (get_weather, get_time), found 'get_wether'",
    ),
    (chat(calls(call("x", town="b"))), "messages[1]: call 1: expected arguments that fit get_weather, found 'city'"),
    (chat(calls(call("x", city=5))), "found city: 5 is not of type 'string'"),
    (chat(calls(raw("{"))), "messages[1].tool_calls[0].function.arguments: expected JSON text"),
    (chat(calls(raw("[]"))), "function.arguments: expected a JSON object"),
    (chat(calls({"id": "x", "function": {}})), "function.name: expected the tool's name, found none"),
    (chat(calls({"id": "x"})), "messages[1].tool_calls[0]: expected a call with its function"),
    (chat(calls(call("x", city="b"), call("x", city="c"))), "expected an id of its own for each call"),
    (
        chat(calls(call("x", city="b")), result("y")),
        "tool_call_id: expected the result of a call that waits for one (x), found 'y'",
    ),
    (
        chat(calls(call("x", city="b")), {"role": "tool", "content": "c"}),
        "tool_call_id: expected the id of the call, found none",
    ),
    (chat(calls(call("x", city="b")), user("c")), "messages[2]: expected the results of get_weather first, found none"),
    (row([says("a")]), "expected a message of the user, found none"),
    (offering(WEATHER, WEATHER), "tools[1].name: expected each tool once, found 'get_weather' again"),
    (offering({"type": "web_search"}), "tools[0].type: expected 'function', found 'web_search'"),
    (offering(5), "tools[0]: expected a tool, found 5"),
    (offering({"function": {"name": "a", "parameters": {"type": 5}}}), "tools[0].parameters: expected a JSON Schema"),
    (offering({"function": {"name": "a", "parameters": [1]}}), "parameters: expected a JSON Schema, found [1]"),
    (offering({"function": {"description": "a"}}), "tools[0].name: expected the tool's name"),
    (row(CHAT, parallel_tool_calls="yes"), "parallel_tool_calls: expected true or false, found 'yes'"),
    ('{"messages": [{"role": "user", "content": "\\ud800"}]}', "expected text that UTF-8 can hold"),
]


@pytest.mark.parametrize(("data", "said"), BAD)
def test_each_mistake_has_its_line_and_field(tmp_path: Path, data: Any, said: str) -> None:
    found = mistakes(tmp_path, row(CHAT), data)
    assert [text[:2] for text in found] == ["2:"] * len(found)
    assert any(said in text for text in found), found


def test_all_mistakes_come_at_once_and_bad_rows_can_be_left_out(tmp_path: Path) -> None:
    rows = [row(CHAT), *(data for data, _ in BAD)]
    assert {int(text.partition(":")[0]) for text in mistakes(tmp_path, *rows)} == set(range(2, len(BAD) + 2))
    out = imported(tmp_path, *rows, skip_bad=True)
    assert (len(out.scenarios), out.bad, len(out.mistakes) >= len(BAD)) == (3, len(BAD), True)
    with pytest.raises(
        SuiteError, match=f"expected a conversation with tools, found no rows, {len(BAD)} with mistakes"
    ):
        imported(tmp_path, *rows[1:], skip_bad=True)


def test_one_id_for_two_conversations_is_a_mistake(tmp_path: Path) -> None:
    other = row([user("Time?"), calls(call("a", "get_time"))], id="x")
    assert mistakes(tmp_path, row(CHAT, id="x"), other) == ["2: id: expected each id once, found 'x' again"]


def test_a_json_list_is_read_with_the_lines_of_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "chats.json"
    path.write_text(json.dumps([row(CHAT), {"messages": []}], indent=1))
    with pytest.raises(SuiteError) as error:
        import_openai([path])
    line = path.read_text().split("\n").index([" {", '  "messages": []'][0], 2) + 1
    assert error.value.mistakes == (f"{path}:{line}: messages: expected a list of messages, found none",)
    for broken, said in (("[{}", "expected a comma or the list's end"), ("[{} {}]", "a comma"), ("[}", "a JSON list")):
        path.write_text(broken)
        with pytest.raises(SuiteError, match=said):
            import_openai([path])
    path.write_text("[ ]")
    with pytest.raises(SuiteError, match="found no rows"):
        import_openai([path])
