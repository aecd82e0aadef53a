"""Files of messages and files of verdicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.protocols.cases import check_file
from evaluation.protocols.load import ProtocolError, load_protocol
from tests.evaluation.protocols.making import native

ROO = load_protocol("roo")


def write(folder: Path, *lines: Any) -> Path:
    path = folder / "cases.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def case(message: Any, encoding: str = "xml", **fields: Any) -> dict[str, Any]:
    return {"id": "a", "protocol": encoding, "assistant_message": message, **fields}


def test_verdicts_stand_in_the_order_of_the_cases(tmp_path: Path) -> None:
    good = "<list_files><path>\ud83d a</path></list_files>"
    lines = [case("Done.", id=7), "", case(good), case(native(("list_files", "{}")), "native", note="?", family="f")]
    out = tmp_path / "deep" / "verdicts.jsonl"
    checked = check_file(ROO, write(tmp_path, *lines), out)
    none = {"valid": False, "tool": None, "params": {}, "error": None, "error_param": None}
    params = {"path": "\ud83d a"}
    assert [json.loads(line) for line in out.read_text().splitlines()] == [
        {**none, "id": 7, "error": "no_tool_use"},
        {**none, "id": "a", "valid": True, "tool": "list_files", "params": params},
        {**none, "id": "a", "tool": "list_files", "error": "missing_param", "error_param": "path"},
    ]
    assert (checked.valid, checked.errors) == (1, {"missing_param": 1, "no_tool_use": 1})


def test_arguments_that_are_nested_deep_are_judged(tmp_path: Path) -> None:
    deep = json.dumps({"server_name": "s", "tool_name": "t", "arguments": {}}).replace(
        "{}", '{"a":' * 400 + "1" + "}" * 400
    )
    out = tmp_path / "verdicts.jsonl"
    check_file(ROO, write(tmp_path, case(native(("use_mcp_tool", deep)), "native")), out)
    verdict = json.loads(out.read_text())
    assert verdict["valid"]
    assert json.dumps(verdict["params"]["arguments"]).count("{") == 400


def test_tools_of_a_case_stand_in_for_the_protocols_own(tmp_path: Path) -> None:
    tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "required": ["x"]}}}
    lines = [case(native((name, "{}")), "native", tools=[tool]) for name in ("add", "list_files")]
    out = tmp_path / "verdicts.jsonl"
    checked = check_file(load_protocol("openai"), write(tmp_path, *lines), out)
    assert [verdict.error for verdict in checked.verdicts] == ["missing_param", "unknown_tool"]


def test_the_only_encoding_need_not_be_named(tmp_path: Path) -> None:
    line = {"id": 1, "assistant_message": "hello"}
    assert check_file(load_protocol("hermes"), write(tmp_path, line), tmp_path / "v").valid == 1


def test_all_mistakes_of_a_file_are_said_and_nothing_is_written(tmp_path: Path) -> None:
    lines = [
        case("fine"),
        [],
        {"protocol": "xml", "assistant_message": "x"},
        case("x", "json"),
        case("x", "native"),
        case({}, "xml"),
        case({"tool_calls": {}}, "native"),
        {"id": 5, "assistant_message": "x"},
        case(5),
    ]
    path, out = write(tmp_path, *lines), tmp_path / "verdicts.jsonl"
    out.write_text("before")
    with pytest.raises(ProtocolError) as error:
        check_file(ROO, path, out)
    said = [line.removeprefix(f"{path}:") for line in error.value.mistakes]
    assert said[0] == "2: expected one JSON object, found []"
    assert said[1:] == [
        "3: id: expected a value, found none",
        "4: protocol: expected 'xml' or 'native', an encoding of roo, found 'json'",
        "5: assistant_message: expected an object with content and tool_calls in native, found a text",
        "6: assistant_message: expected a text in xml, found an object",
        "7: assistant_message: expected tool_calls to be a list, found dict",
        "8: protocol: expected 'xml' or 'native', an encoding of roo, found None",
        "9: assistant_message: expected a text, or an object with content and tool_calls, found int",
    ]
    assert out.read_text() == "before"


@pytest.mark.parametrize(
    ("text", "says"), [("{", ":1: expected one JSON object, found"), ("", ":1: expected one case a line")]
)
def test_a_file_without_cases_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        check_file(ROO, write(tmp_path, text), tmp_path / "v")
    with pytest.raises(ProtocolError, match=r"none\.jsonl:1: expected a readable UTF-8 file"):
        check_file(ROO, tmp_path / "none.jsonl", tmp_path / "v")
    assert not (tmp_path / "v").exists()
