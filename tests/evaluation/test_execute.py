"""Tools that work, raise, hang or lie, and what the harness makes of each."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import Any

import pytest

from evaluation.records import FailureKind, ToolCall
from evaluation.scenarios import Fault, ToolDef
from evaluation.tools.execute import ToolBox, ToolOutcome, resolve
from tests.evaluation import attempts

RELEASE = threading.Event()
HERE = "tests.evaluation.test_execute"


def add(world: dict[str, Any], item: str, count: int = 1) -> dict[str, Any]:
    world.setdefault("items", []).append([item, count])
    return {"items": len(world["items"])}


def spoil_and_raise(world: dict[str, Any], item: str) -> None:
    world["items"] = "spoiled"
    raise KeyError(item)


def leave_the_process(world: dict[str, Any], item: str) -> None:
    raise SystemExit(item)


def hang(world: dict[str, Any], item: str) -> None:
    world["items"] = "too late"
    RELEASE.wait(20)


def no_json(world: dict[str, Any], item: str) -> Any:
    return {item: {1, 2}}


def not_a_number(world: dict[str, Any], item: str) -> Any:
    return float("nan")


def endless(world: dict[str, Any], item: str) -> Any:
    return item * 30_000


def reports(world: dict[str, Any], item: str) -> Any:
    return {"error": f"no {item} left"}


SCHEMA = {
    "type": "object",
    "properties": {"item": {"type": "string"}, "count": {"type": "integer"}},
    "required": ["item"],
    "additionalProperties": False,
}


def tool(name: str, *, recorded: bool = False) -> ToolDef:
    function = None if recorded else f"{HERE}:{name}"
    return ToolDef(name=name, description="", parameters=SCHEMA, function=function)


def call(box: ToolBox, name: str, **arguments: Any) -> ToolOutcome:
    """Call both ways and return the outcome of the asynchronous one."""
    made = ToolCall(id="1", name=name, arguments=arguments)
    return asyncio.run(box.call(made))


def test_a_call_reads_and_changes_the_boxs_own_copy_of_the_world() -> None:
    world = {"items": [["pen", 1]]}
    box = ToolBox([tool("add")], world)
    assert json.loads(call(box, "add", item="cup", count=2).content) == {"items": 2}
    assert box.call_now(ToolCall(id="2", name="add", arguments={"item": "hat"})).content == '{"items": 3}'
    assert box.world["items"] == [["pen", 1], ["cup", 2], ["hat", 1]]
    assert world == {"items": [["pen", 1]]}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("spoil_and_raise", "KeyError: 'cup'"),
        ("leave_the_process", "SystemExit: cup"),
        ("no_json", "not JSON serializable"),
        ("not_a_number", "not JSON compliant"),
        ("endless", "returned 90002 characters; at most 20000"),
        ("reports", "no cup left"),
        ("missing_function", "can be imported, found 'tests.evaluation.test_execute:missing_function'"),
    ],
)
def test_a_tool_that_goes_wrong_is_an_error_result_and_changes_nothing(name: str, said: str) -> None:
    box = ToolBox([tool(name)], {"items": []})
    outcome = call(box, name, item="cup")
    assert outcome.failure == FailureKind.TOOL_ERROR
    assert said in outcome.message
    assert said in json.loads(outcome.content)["error"]
    assert box.world == {"items": []}


def test_a_hung_tool_times_out_and_holds_up_nobody() -> None:
    box = ToolBox([tool("hang"), tool("add")], {"items": []}, time_limit_s=0.05)
    start = time.monotonic()
    outcomes = [call(box, "hang", item="x") for _ in range(3)]
    after = box.call_now(ToolCall(id="2", name="add", arguments={"item": "cup"}))
    RELEASE.set()
    assert {o.failure for o in outcomes} == {FailureKind.TOOL_TIMEOUT}
    assert "within 0.05 s" in json.loads(outcomes[0].content)["error"]
    assert after == ToolOutcome('{"items": 1}')
    assert box.world == {"items": [["cup", 1]]}
    assert time.monotonic() - start < 5


def test_calls_in_a_row_share_one_thread() -> None:
    box = ToolBox([tool("add")])
    before = threading.active_count()
    for _ in range(200):
        box.call_now(ToolCall(id="1", name="add", arguments={"item": "cup"}))
    assert len(box.world["items"]) == 200
    assert threading.active_count() <= before + 1


def test_unknown_tools_and_wrong_arguments_name_what_was_expected() -> None:
    box = ToolBox([tool("add")])
    unknown = call(box, "ad", item="cup")
    assert unknown.failure == FailureKind.UNKNOWN_TOOL
    assert json.loads(unknown.content) == {"error": "there is no tool ad; the tools are: add"}
    wrong = call(box, "add", count="many", colour="red")
    assert wrong.failure == FailureKind.INVALID_ARGUMENTS
    for part in ("'item' is a required property", "count: 'many' is not of type 'integer'", "colour"):
        assert part in wrong.message
    assert "items" not in box.world


def test_a_schema_that_is_none_is_the_calls_failure() -> None:
    broken = ToolDef(name="b", description="", parameters={"type": "dict"}, function=f"{HERE}:add")
    assert call(ToolBox([broken]), "b").failure == FailureKind.INVALID_ARGUMENTS


def test_faults_strike_as_often_as_they_say() -> None:
    faults = {"add": Fault(kind="error", message="busy", times=2), "reports": Fault(kind="timeout", message="slow")}
    box = ToolBox([tool("add"), tool("reports")], faults=faults)
    assert call(box, "add", count=1).failure == FailureKind.INVALID_ARGUMENTS
    got = [call(box, "add", item="cup") for _ in range(3)]
    assert [o.failure for o in got] == [FailureKind.TOOL_ERROR, FailureKind.TOOL_ERROR, None]
    assert json.loads(got[0].content) == {"error": "busy"}
    assert {call(box, "reports", item="x").failure for _ in range(3)} == {FailureKind.TOOL_TIMEOUT}


def test_a_tool_without_function_is_recorded() -> None:
    assert call(ToolBox([tool("note", recorded=True)]), "note", item="x") == ToolOutcome('{"status": "recorded"}')


@pytest.mark.parametrize("name", ["os", "no_such_module:f", "json:no_such_name", "string:digits"])
def test_what_cannot_be_called_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match="expected a function"):
        resolve(name)


def test_a_slow_tool_works_later_and_past_the_limit_is_a_timeout() -> None:
    slow = Fault(kind="slow", seconds=0.05, times=1)
    box = ToolBox(attempts.TOOLS, {"stock": {"pen": 3}}, {"stock": slow}, time_limit_s=2.0)
    begun = time.perf_counter()
    assert box.call_now(attempts.call("stock", item="pen")).failure is None
    assert time.perf_counter() - begun >= 0.05
    late = ToolBox(attempts.TOOLS, {"stock": {"pen": 3}}, {"stock": Fault(kind="slow", seconds=0.5)}, time_limit_s=0.05)
    assert late.call_now(attempts.call("stock", item="pen")).failure == FailureKind.TOOL_TIMEOUT
