"""What happens when a model calls a tool: check, execute, and turn whatever goes wrong into data.

Decisions: a call never raises. Arguments are checked against the tool's JSON Schema, then an injected fault strikes,
then the function runs in a thread under a time limit, on a copy of the world that replaces the world only if the call
succeeds: a tool that fails or hangs changes nothing. Threads are daemons, kept for reuse; a hung one is left behind.
Whatever it returns, raises or leaves in the world is checked before it counts. HTTP and MCP tools come after the same
checks and faults, under the same limits, and only where the box may reach them.
Limits: calls of one `ToolBox` are made one after another. A suite file may name any importable function, so a suite
is code: use only those you trust.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import copy
import functools
import json
import queue
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema

from evaluation.records import FailureKind, ToolCall, ToolSpec
from evaluation.scenarios import Fault, ToolDef
from evaluation.tools.functions import ToolFunction, invoke, resolve
from evaluation.tools.outside import NOWHERE, Reach
from evaluation.tools.results import Bounds, ToolOutcome, as_json, failed, outcome_of, raised

__all__ = ["Reach", "ToolBox", "ToolFunction", "ToolOutcome", "argument_mistakes", "failed", "resolve"]

MOST_OF_A_MISTAKE = 300
"""Most characters that one mistake in the arguments is told in."""
UNUSABLE = "the tool's own schema cannot be used"
"""How a mistake begins that is not the arguments'."""


@dataclass(frozen=True)
class _Executed:
    """What a tool's thread hands back."""

    outcome: ToolOutcome
    world: dict[str, Any] | None
    """The world after the call; None where the call failed."""


_RECORDED = ToolOutcome('{"status": "recorded"}')


class ToolBox:
    """The tools of one episode, its world and its faults."""

    def __init__(
        self,
        tools: Sequence[ToolDef],
        world: Mapping[str, Any] | None = None,
        faults: Mapping[str, Fault] | None = None,
        *,
        time_limit_s: float = 5.0,
        output_limit: int = 20_000,
        reach: Reach = NOWHERE,
    ) -> None:
        """Make a box. `time_limit_s`: seconds a call may take; `output_limit`: most characters of its result; `reach`:
        what HTTP and MCP tools may reach, by default nothing.
        """
        self.world: dict[str, Any] = copy.deepcopy(dict(world or {}))
        """The state that the tools see; read it after the last call."""
        self._tools = {tool.name: tool for tool in tools}
        self._faults = dict(faults or {})
        self._struck = dict.fromkeys(self._faults, 0)
        self._bounds = Bounds(time_limit_s, output_limit, reach)
        self._delay_s = 0.0
        self._opened: Any = None

    async def call(self, call: ToolCall) -> ToolOutcome:
        """Make one call without blocking the event loop. Never raises."""
        early = self._before(call)
        if early is not None:
            return early
        future = self._submit(call)
        await asyncio.wait([asyncio.wrap_future(future)], timeout=self._patience(call))
        return self._after(call, future)

    def call_now(self, call: ToolCall) -> ToolOutcome:
        """Make one call and wait for it. Never raises."""
        early = self._before(call)
        if early is not None:
            return early
        future = self._submit(call)
        concurrent.futures.wait([future], timeout=self._patience(call))
        return self._after(call, future)

    def _before(self, call: ToolCall) -> ToolOutcome | None:
        """Return what ends the call before any function runs, or None."""
        tool = self._tools.get(call.name)
        if tool is None:
            offered = ", ".join(self._tools) or "none"
            return failed(FailureKind.UNKNOWN_TOOL, f"there is no tool {call.name}; the tools are: {offered}")
        wrong = argument_mistakes(tool, call.arguments)
        if wrong:
            return failed(FailureKind.INVALID_ARGUMENTS, f"invalid arguments for {call.name}: {'; '.join(wrong)}")
        fault = self._faults.get(call.name)
        self._delay_s = 0.0
        if fault is not None and (fault.times is None or self._struck[call.name] < fault.times):
            self._struck[call.name] += 1
            if fault.kind != "slow":
                return _struck(fault)
            self._delay_s = fault.seconds
        return _RECORDED if tool.function is None and not tool.outside and not self._delay_s else None

    def _submit(self, call: ToolCall) -> concurrent.futures.Future[_Executed]:
        tool = self._tools[call.name]
        if tool.outside:
            sessions = self._sessions() if tool.mcp is not None else None
            execute = functools.partial(_execute_outside, tool, copy.deepcopy(call.arguments), self._bounds, sessions)
        else:
            execute = functools.partial(_execute, tool, call.arguments, self.world, self._bounds)
        return _THREADS.submit(functools.partial(_later, self._delay_s, execute) if self._delay_s else execute)

    def _patience(self, call: ToolCall) -> float:
        """Return how many seconds a call is waited for."""
        starting = self._bounds.start_seconds if self._tools[call.name].mcp is not None else 0.0
        return self._bounds.seconds + starting

    def _sessions(self) -> Any:
        """Return the sessions with MCP servers, made at the first call, since that takes the SDK along."""
        from evaluation.tools.mcp_calls import Sessions

        if self._opened is None:
            self._opened = Sessions()
            # Also where nobody closes the box: a server should not outlive the episode that it was started for.
            weakref.finalize(self, self._opened.close)
        return self._opened

    def close(self) -> None:
        """End the sessions with MCP servers that this box began."""
        if self._opened is not None:
            self._opened.close()

    def _after(self, call: ToolCall, future: concurrent.futures.Future[_Executed]) -> ToolOutcome:
        if not future.done():
            limit = f"{call.name} did not finish within {self._bounds.seconds:g} s"
            return failed(FailureKind.TOOL_TIMEOUT, limit)
        executed = future.result()
        if executed.world is not None:
            self.world = executed.world
        return executed.outcome


def _struck(fault: Fault) -> ToolOutcome:
    match fault.kind:
        case "error":
            return failed(FailureKind.TOOL_ERROR, fault.message)
        case "timeout":
            return failed(FailureKind.TOOL_TIMEOUT, fault.message)
        case "malformed":
            return failed(FailureKind.TOOL_ERROR, f"the tool's result is no JSON: {fault.message}")
        case "slow":
            raise AssertionError("a slow call is made, and takes longer")


def _later(seconds: float, execute: Callable[[], _Executed]) -> _Executed:
    time.sleep(seconds)
    return execute()


def _execute(tool: ToolDef, arguments: dict[str, Any], world: dict[str, Any], bounds: Bounds) -> _Executed:
    """Run the tool's function on a copy of `world`. Whatever it raises becomes an outcome."""
    if tool.function is None:
        return _Executed(_RECORDED, None)
    try:
        after = copy.deepcopy(world)
        result = invoke(resolve(tool.function), after, copy.deepcopy(arguments))
        outcome = outcome_of(tool.name, result, bounds.characters)
        as_json(after)
    except BaseException as error:
        return _Executed(raised(error), None)
    return _Executed(outcome, after if outcome.failure is None else None)


def _execute_outside(tool: ToolDef, arguments: dict[str, Any], bounds: Bounds, sessions: Any) -> _Executed:
    """Make a call outside this process; the world is not touched."""
    try:
        if tool.http is not None:
            from evaluation.tools.http_calls import call_http

            return _Executed(call_http(tool, arguments, bounds), None)
        from evaluation.tools.mcp_calls import call_mcp

        return _Executed(call_mcp(tool, arguments, bounds, sessions), None)
    except BaseException as error:
        return _Executed(raised(error), None)


def argument_mistakes(tool: ToolSpec, arguments: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with `arguments` by the tool's JSON Schema, one short text each."""
    try:
        as_json(arguments)
    except (RecursionError, TypeError, ValueError) as error:
        return [f"expected what JSON can hold: {str(error)[:MOST_OF_A_MISTAKE]}"]
    try:
        validator = _validator(json.dumps(tool.parameters, sort_keys=True))
        found = sorted(validator.iter_errors(dict(arguments)), key=lambda error: [str(p) for p in error.absolute_path])
    except (jsonschema.exceptions.SchemaError, RecursionError, TypeError, ValueError) as error:
        return [f"{UNUSABLE}: {str(error).splitlines()[0]}"]
    return [": ".join([*(str(p) for p in error.absolute_path), _short(error.message)]) for error in found]


def _short(text: str) -> str:
    return text if len(text) <= MOST_OF_A_MISTAKE else text[: MOST_OF_A_MISTAKE - 1] + "…"


@functools.lru_cache(maxsize=4096)
def _validator(schema: str) -> Any:
    parameters = json.loads(schema)
    jsonschema.Draft202012Validator.check_schema(parameters)
    return jsonschema.Draft202012Validator(parameters)


_Job = tuple[Callable[[], _Executed], "concurrent.futures.Future[_Executed]"]


class _Threads:
    """Daemon threads, made when none is idle: a hung one holds up nobody and does not keep the process alive."""

    def __init__(self) -> None:
        self._idle: list[queue.SimpleQueue[_Job]] = []
        self._lock = threading.Lock()

    def submit(self, work: Callable[[], _Executed]) -> concurrent.futures.Future[_Executed]:
        future: concurrent.futures.Future[_Executed] = concurrent.futures.Future()
        with self._lock:
            inbox = self._idle.pop() if self._idle else None
        if inbox is None:
            inbox = queue.SimpleQueue()
            threading.Thread(target=self._serve, args=(inbox,), name="tool", daemon=True).start()
        inbox.put((work, future))
        return future

    def _serve(self, inbox: queue.SimpleQueue[_Job]) -> None:
        while True:
            work, future = inbox.get()
            executed = work() if future.set_running_or_notify_cancel() else None
            # Idle before the caller wakes, or its next call would start another thread.
            with self._lock:
                self._idle.append(inbox)
            if executed is not None:
                future.set_result(executed)


_THREADS = _Threads()
