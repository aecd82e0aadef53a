"""Native calls: messages and streams of chunks, arguments as JavaScript reads them, and the names behind names."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.protocols.codec import Codec
from evaluation.protocols.load import load_protocol
from evaluation.protocols.turns import Verdict
from tests.evaluation.protocols.making import ROO_NATIVE, cuts, native

JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from([*ROO_NATIVE.tools, "write_file", "search_and_replace", "mcp--a--b", "nothing", ""])


def check(name: str, /, **arguments: Any) -> Verdict:
    return ROO_NATIVE.check(native((name, json.dumps(arguments))))


def streamed(*chunks: dict[str, Any]) -> Verdict:
    return ROO_NATIVE.check({"role": "assistant", "tool_call_chunks": list(chunks)})


@settings(max_examples=1000)
@given(NAMES | st.text(max_size=8), JSON.map(json.dumps) | st.text() | JSON, st.text())
def test_reading_and_judging_never_raise(name: str, arguments: Any, content: str) -> None:
    verdict = ROO_NATIVE.check(native((name, arguments), content=content))
    assert verdict.valid == (verdict.error is None)


@given(st.dictionaries(st.sampled_from(["path", "offset", "files", "indentation", "x"]), JSON, max_size=4))
def test_any_arguments_can_be_judged(arguments: dict[str, Any]) -> None:
    for tool in ROO_NATIVE.tools:
        renamed = dict(zip(ROO_NATIVE.tools[tool].tool.parameters, arguments.values(), strict=False))  # type: ignore[union-attr]
        for given_ in (arguments, renamed):
            verdict = check(tool, **given_)
            assert verdict.valid == (verdict.error is None)


@pytest.mark.parametrize(
    "message", [{}, {"tool_calls": None}, {"tool_calls": []}, {"content": "x", "tool_call_chunks": []}]
)
def test_a_message_without_calls_is_none(message: dict[str, Any]) -> None:
    assert ROO_NATIVE.check(message).error == "no_tool_use"


@pytest.mark.parametrize(
    "call", [None, 5, {}, {"function": None}, {"function": {"name": 5}}, {"function": {"name": "x"}}]
)
def test_a_call_of_another_shape_is_a_verdict(call: Any) -> None:
    assert ROO_NATIVE.check({"tool_calls": [call]}).error in ("malformed_json", "unknown_tool")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("", "missing_param"),
        (" ", "malformed_json"),
        ('{"path": "a",}', "malformed_json"),
        ('{"path": NaN}', "malformed_json"),
        ('{"path": "a\nb"}', "malformed_json"),
        ("{" * 100_000, "malformed_json"),
        ('{"path": ' * 100_000, "malformed_json"),
        ("null", "arguments_not_object"),
        ("[]", "arguments_not_object"),
        ('"{}"', "arguments_not_object"),
        ("5", "arguments_not_object"),
        ({"path": "a"}, "malformed_json"),
        (None, "malformed_json"),
    ],
)
def test_arguments_that_are_no_object_are_named(arguments: Any, error: str) -> None:
    assert ROO_NATIVE.check(native(("list_files", arguments))).error == error


def test_values_are_read_as_their_type_where_they_spell_one() -> None:
    assert check("read_file", path="a", offset=" 1e1 ", limit="0x10", mode="any").params == {
        "path": "a", "mode": "any", "offset": 10, "limit": 16,
    }  # fmt: skip
    assert check("list_files", path="a", recursive=" TRUE ").params == {"path": "a", "recursive": True}
    assert check("list_files", path="a", recursive="yes", depth=1).params == {"path": "a"}
    nested = check("read_file", path="a", indentation={"anchor_line": "3", "include_header": "false", "x": 1})
    assert nested.params["indentation"] == {"anchor_line": 3, "include_header": False}
    assert check("execute_command", command="ls", timeout="5").params == {"command": "ls", "timeout": "5"}


def test_numbers_are_double_precision_only_where_the_agent_has_them() -> None:
    text = '{"command": "ls", "timeout": 12345678901234567890}'
    assert ROO_NATIVE.check(native(("execute_command", text))).params["timeout"] == float(12345678901234567890)
    exact = Codec(load_protocol("openai"), "native").check(native(("x", text)))
    assert exact.params["timeout"] == 12345678901234567890


@pytest.mark.parametrize(
    ("name", "arguments", "error", "parameter"),
    [
        ("read_file", {"path": "a", "offset": 0}, "invalid_param", None),
        ("read_file", {"path": "a", "indentation": {"anchor_line": "0"}}, "invalid_param", None),
        ("read_file", {"path": 5}, "invalid_param", None),
        ("read_file", {"path": None}, "missing_param", "path"),
        ("read_file", {"files": []}, "missing_param", "path"),
        ("read_file", {"files": [{}]}, "invalid_param", None),
        ("read_command_output", {"artifact_id": "../cmd-1.txt"}, "invalid_param", None),
        ("ask_followup_question", {"question": "?", "follow_up": "yes"}, "missing_param", "follow_up"),
        ("ask_followup_question", {"question": "?", "follow_up": [None]}, "invalid_param", None),
        ("search_and_replace", {"file_path": "a", "old_string": "b"}, "missing_param", "new_string"),
        ("use_mcp_tool", {"server_name": "s", "tool_name": "t", "arguments": None}, "invalid_param", None),
        ("switch_mode", {"mode_slug": "poet", "reason": ""}, "invalid_param", None),
        ("apply_patch", {"patch": "*** Begin Patch\n*** End Patch"}, "invalid_param", None),
        ("write_to_file", {"path": ""}, "missing_param", "content"),
        ("attempt_completion", {"result": ""}, "missing_param", "result"),
        ("apply_diff", {"path": "a", "diff": None}, "missing_param", "diff"),
        ("apply_diff", {"path": "a", "diff": ["b"]}, "invalid_param", None),
        ("custom_tool", {}, "unknown_tool", None),
    ],
)
def test_what_is_refused_is_named(name: str, arguments: dict[str, Any], error: str, parameter: str | None) -> None:
    verdict = check(name, **arguments)
    assert (verdict.error, verdict.error_param) == (error, parameter)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("write_to_file", {"path": "a", "content": ""}),
        ("edit_file", {"file_path": "a", "old_string": "", "new_string": ""}),
        ("ask_followup_question", {"question": "?", "follow_up": []}),
        ("update_todo_list", {"todos": ""}),
        ("use_mcp_tool", {"server_name": "s", "tool_name": "t"}),
        ("apply_diff", {"path": "a", "diff": "not yet looked at"}),
    ],
)
def test_what_the_agent_lets_through_is_valid(name: str, arguments: dict[str, Any]) -> None:
    assert check(name, **arguments).valid


def test_the_former_list_of_files_is_understood() -> None:
    files = [{"path": "a", "line_ranges": [[1, 2], "3-4", {"start": "5", "end": 6}, [7], None]}, {"path": "b"}]
    for given_ in (files, json.dumps(files)):
        assert check("read_file", files=given_, path="c").params == {
            "files": [
                {"path": "a", "lineRanges": [{"start": 1, "end": 2}, {"start": 3, "end": 4}, {"start": 5, "end": 6}]},
                {"path": "b"},
            ],
            "_legacyFormat": True,
        }


@pytest.mark.parametrize("name", ["mcp--web--get_page", "mcp__web__get_page", "mcp--web__get_page"])
def test_a_put_together_name_is_a_server_and_its_tool(name: str) -> None:
    verdict = check(name, url="x")
    assert (verdict.valid, verdict.tool) == (True, "use_mcp_tool")
    assert verdict.params == {"server_name": "web", "tool_name": "get_page", "arguments": {"url": "x"}}


@pytest.mark.parametrize("name", ["mcp--web", "mcp__", "mcp----x", "MCP--a--b", "mcp-a-b", "xmcp--a--b"])
def test_other_names_are_not(name: str) -> None:
    verdict = check(name)
    assert (verdict.error, verdict.tool) == ("unknown_tool", name)


def test_arguments_of_a_server_that_are_no_object_are_its_own_mistake() -> None:
    assert ROO_NATIVE.check(native(("mcp--a--b", "[1]"))).error == "invalid_param"
    assert ROO_NATIVE.check(native(("mcp--a--b", "{"))).error == "malformed_json"


def test_the_first_bad_call_is_named_and_else_the_first() -> None:
    good, bad = ("list_files", '{"path": "a"}'), ("read_file", "{}")
    verdict = ROO_NATIVE.check(native(good, bad, ("nothing", "")))
    assert (verdict.tool, verdict.error) == ("read_file", "missing_param")
    assert ROO_NATIVE.check(native(good, ("read_file", '{"path": "b"}'))).tool == "list_files"


@given(st.text(max_size=20), st.lists(st.integers(0, 1000), max_size=6))
def test_chunks_are_put_together_however_they_are_cut(path: str, places: list[int]) -> None:
    text = json.dumps({"path": path})
    pieces = [{"index": 0, "arguments": piece} for piece in cuts(text, places)]
    other = {"index": 1, "id": "b", "name": "list_files", "arguments": '{"path": "."}'}
    mixed = [{"index": 0, "id": "a", "name": "read_file"}, other, *pieces]
    whole = ROO_NATIVE.check(native(("read_file", text), ("list_files", '{"path": "."}')))
    assert streamed(*mixed) == whole


def test_a_call_needs_an_id_and_a_name_to_be_one() -> None:
    arguments = {"index": 0, "arguments": '{"path": "."}'}
    assert streamed({"index": 0, "id": "a"}, arguments, {"index": 0, "name": "list_files"}).valid
    assert streamed({"index": 0, "name": "list_files"}, {"index": 0, "id": "a"}, arguments).error == "no_tool_use"
    assert streamed({"index": 0, "name": "list_files"}, arguments).error == "no_tool_use"
    assert streamed({"index": 0, "id": "a"}, arguments).error == "no_tool_use"
    assert (
        streamed({"index": 0, "id": "a", "name": "list_files"}, {**arguments, "name": "read_file"}).tool == "list_files"
    )
    assert streamed({"index": None}, {"id": 5, "name": 5, "arguments": 5}).error == "no_tool_use"
