"""Tools of real MCP servers, over stdio and HTTP, that answer, fail, hang, die and say too much."""

from __future__ import annotations

import functools
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from evaluation.records import FailureKind, ToolCall
from evaluation.scenarios import ToolDef
from evaluation.tools.execute import ToolBox
from evaluation.tools.mcp_calls import close_shared, mcp_tools
from evaluation.tools.outside import NOWHERE, McpServer, Reach
from evaluation.tools.results import Bounds, CallFailed

HERE = Path(__file__).parent
STDIO = McpServer(command=(sys.executable, str(HERE / "mcp_server.py")))
PLAIN = McpServer(command=(sys.executable, str(HERE / "plain_server.py")), environment=("SHELF_TOKEN",))
REACH = Reach.of(["mcp", "private"])
BOUNDS = Bounds(20.0, 20_000, REACH)
ERROR, TIMEOUT = FailureKind.TOOL_ERROR, FailureKind.TOOL_TIMEOUT


@pytest.fixture(scope="module", autouse=True)
def token() -> Iterator[None]:
    os.environ["SHELF_TOKEN"] = "t0ken-of-the-shelf"
    yield
    del os.environ["SHELF_TOKEN"]


@pytest.fixture(scope="module")
def http() -> Iterator[McpServer]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([*STDIO.command, "http", str(port)], stderr=subprocess.DEVNULL)
    for _ in range(2400):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    else:
        pytest.fail("the server did not start within two minutes")
    secrets = {"token": "SHELF_TOKEN"}
    yield McpServer(url=f"http://localhost:{port}/mcp", headers={"Authorization": "Bearer {token}"}, secrets=secrets)
    process.kill()
    process.wait()


@pytest.fixture(params=["stdio", "http"])
def server(request: pytest.FixtureRequest) -> McpServer:
    return STDIO if request.param == "stdio" else request.getfixturevalue("http")


@functools.cache
def listed(server: str, session: str) -> list[ToolDef]:
    return mcp_tools(McpServer.model_validate_json(server), BOUNDS, session=session)


def box(server: McpServer, *, seconds: float = 20.0, session: str = "episode", reach: Reach = REACH) -> ToolBox:
    tools = listed(server.model_dump_json(), session)
    return ToolBox(tools, {"kept": 1}, time_limit_s=seconds, reach=reach)


def call(toolbox: ToolBox, name: str, /, **arguments: Any) -> Any:
    return toolbox.call_now(ToolCall(id="c", name=name, arguments=arguments))


def test_tools_are_listed_called_and_their_failures_classified(server: McpServer) -> None:
    toolbox = box(server)
    assert json.loads(call(toolbox, "add", a=2, b=3).content) == {"result": 5}
    first, second = (json.loads(call(toolbox, "count").content) for _ in range(2))
    assert second == {"calls": first["calls"] + 1, "process": first["process"]}, "one session for the episode"
    assert json.loads(call(toolbox, "told", text="café").content) == "café"
    assert json.loads(call(toolbox, "told", text='{"a": [1]}').content) == {"a": [1]}
    assert json.loads(call(toolbox, "told", text="NaN").content) == "NaN"
    assert json.loads(call(toolbox, "picture").content) == "[image: image/png]"
    fails = call(toolbox, "fails")
    assert (fails.failure, "the shelf is empty" in fails.message) == (ERROR, True), fails
    assert call(toolbox, "add", a="two", b=3).failure == FailureKind.INVALID_ARGUMENTS
    assert call(toolbox, "subtract").failure == FailureKind.UNKNOWN_TOOL
    assert toolbox.world == {"kept": 1}
    toolbox.close()


def test_a_result_over_the_limit_is_an_error_and_a_huge_one_ends_the_session(http: McpServer) -> None:
    for server in (PLAIN, http):
        toolbox = box(server)
        assert "at most 20000 are allowed" in call(toolbox, "told", text="x" * 30_000).message
        huge = call(toolbox, "big", megabytes=100)
        assert (huge.failure, "more than 1048576 bytes" in huge.message) == (ERROR, True), huge
        assert call(toolbox, "told", text="again").content == '"again"', "the next call begins a new session"
        toolbox.close()


def test_a_server_that_dies_or_hangs_is_a_failure_of_the_tool() -> None:
    toolbox = box(PLAIN, seconds=1.0)
    first = json.loads(call(toolbox, "count").content)
    dies = call(toolbox, "dies")
    assert (dies.failure, "broke off: the program ended" in dies.message) == (ERROR, True), dies
    again = json.loads(call(toolbox, "count").content)
    assert (again["calls"], again["process"] != first["process"]) == (1, True)
    hangs = call(toolbox, "hangs")
    assert (hangs.failure, "within 1 s" in hangs.message) == (TIMEOUT, True), hangs
    assert json.loads(call(toolbox, "count").content)["process"] != again["process"]
    toolbox.close()
    _wait_until_ended(again["process"])


def test_sessions_end_with_the_episode_or_are_shared_over_the_run() -> None:
    one, two = box(PLAIN), box(PLAIN)
    own = [json.loads(call(b, "count").content)["process"] for b in (one, two)]
    assert own[0] != own[1]
    one.close()
    del two
    shared = [json.loads(call(box(PLAIN, session="run"), "count").content) for _ in range(2)]
    assert shared == [{**shared[1], "calls": 1}, {**shared[0], "calls": 2}]
    close_shared()
    for process in (*own, shared[0]["process"]):
        _wait_until_ended(process)


def _wait_until_ended(process: int) -> None:
    for _ in range(1200):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail(f"process {process} still runs")


def test_a_program_that_cannot_be_used_is_a_failure() -> None:
    missing = McpServer(command=("/no/such/program",))
    with pytest.raises(CallFailed, match="/no/such/program could not be used: FileNotFoundError"):
        mcp_tools(missing, BOUNDS)
    ends = McpServer(command=(sys.executable, "-c", "pass"))
    with pytest.raises(CallFailed, match="the program ended"):
        mcp_tools(ends, BOUNDS)
    mute = McpServer(command=(*PLAIN.command, "mute"))
    with pytest.raises(CallFailed, match=r"did not answer within 0\.5 s") as slow:
        mcp_tools(mute, Bounds(5.0, 100, REACH, start_seconds=0.5))
    assert slow.value.kind == TIMEOUT


def test_the_environment_is_handed_on_by_name_and_never_recorded() -> None:
    toolbox = box(PLAIN)
    assert call(toolbox, "seen", variable="SHELF_TOKEN").content == '"[SHELF_TOKEN]"'
    assert call(toolbox, "seen", variable="PYTEST_CURRENT_TEST").content == '"none"'
    toolbox.close()


def test_only_what_is_allowed_is_offered_and_reached(http: McpServer) -> None:
    assert [tool.name for tool in mcp_tools(PLAIN, BOUNDS, only=["told", "count"])] == ["count", "told"]
    with pytest.raises(CallFailed, match=r"expected tools of .*\(count, dies.*found \['drop'\]"):
        mcp_tools(PLAIN, BOUNDS, only=["drop"])
    with pytest.raises(CallFailed, match="--allow-tools mcp"):
        mcp_tools(PLAIN, Bounds(5.0, 100, NOWHERE))
    assert "--allow-tools mcp" in call(box(PLAIN, reach=Reach.of(["http"])), "count").message
    assert "of a private network" in call(box(http, reach=Reach.of(["mcp"])), "add", a=1, b=1).message


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "either `command` or `url`"),
        ({"command": ["a"], "url": "https://a.example/"}, "either `command` or `url`"),
        ({"url": "https://{host}/mcp"}, "without placeholders"),
        ({"url": "https://a.example/", "headers": {"X": "{key}"}}, "expected placeholders of `secrets`"),
    ],
)
def test_mistakes_in_a_server_are_found_when_it_is_read(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        McpServer.model_validate(fields)
