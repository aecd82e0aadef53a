"""What happens when a model calls a tool: check, execute, and turn whatever goes wrong into data.

Decisions: a call never raises. Arguments are checked against the tool's JSON Schema, then an injected fault strikes,
then the function runs in a thread under a time limit, on a copy of the world that replaces the world only if the call
succeeds: a tool that fails or hangs changes nothing. Threads are daemons, kept for reuse; a hung one is left behind.
Limits: calls of one `ToolBox` are made one after another. A suite file may name any importable function, so a suite
is code: use only those you trust.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import copy
import functools
import importlib
import json
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema

from evaluation.records import FailureKind, ToolCall
from evaluation.scenarios import Fault, ToolDef

ToolFunction = Callable[..., Any]


@dataclass(frozen=True)
class ToolOutcome:
    """What a call came to."""

    content: str
    """JSON text for the tool message."""
    failure: FailureKind | None = None
    message: str = ""
    """What went wrong."""


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
    ) -> None:
        """Make a box. `time_limit_s`: seconds a call may take; `output_limit`: most characters of its result."""
        self.world: dict[str, Any] = copy.deepcopy(dict(world or {}))
        """The state that the tools see; read it after the last call."""
        self._tools = {tool.name: tool for tool in tools}
        self._faults = dict(faults or {})
        self._struck = dict.fromkeys(self._faults, 0)
        self._time_limit_s = time_limit_s
        self._delay_s = 0.0
        self._output_limit = output_limit

    async def call(self, call: ToolCall) -> ToolOutcome:
        """Make one call without blocking the event loop. Never raises."""
        early = self._before(call)
        if early is not None:
            return early
        future = self._submit(call)
        await asyncio.wait([asyncio.wrap_future(future)], timeout=self._time_limit_s)
        return self._after(call, future)

    def call_now(self, call: ToolCall) -> ToolOutcome:
        """Make one call and wait for it. Never raises."""
        early = self._before(call)
        if early is not None:
            return early
        future = self._submit(call)
        concurrent.futures.wait([future], timeout=self._time_limit_s)
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
        return _RECORDED if tool.function is None and not self._delay_s else None

    def _submit(self, call: ToolCall) -> concurrent.futures.Future[_Executed]:
        tool, limit = self._tools[call.name], self._output_limit
        execute = functools.partial(_execute, tool, call.arguments, self.world, limit)
        return _THREADS.submit(functools.partial(_later, self._delay_s, execute) if self._delay_s else execute)

    def _after(self, call: ToolCall, future: concurrent.futures.Future[_Executed]) -> ToolOutcome:
        if not future.done():
            limit = f"{call.name} did not finish within {self._time_limit_s:g} s"
            return failed(FailureKind.TOOL_TIMEOUT, limit)
        executed = future.result()
        if executed.world is not None:
            self.world = executed.world
        return executed.outcome


def failed(kind: FailureKind, message: str) -> ToolOutcome:
    """Return the outcome of a failed call."""
    return ToolOutcome(json.dumps({"error": message}, ensure_ascii=False), kind, message)


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


def _execute(tool: ToolDef, arguments: dict[str, Any], world: dict[str, Any], limit: int) -> _Executed:
    """Run the tool's function on a copy of `world`. Whatever it raises becomes an outcome."""
    if tool.function is None:
        return _Executed(_RECORDED, None)
    try:
        after = copy.deepcopy(world)
        result = resolve(tool.function)(world=after, **copy.deepcopy(arguments))
        content = json.dumps(result, ensure_ascii=False, allow_nan=False)
    except BaseException as error:
        return _Executed(failed(FailureKind.TOOL_ERROR, f"{type(error).__name__}: {error}"), None)
    if len(content) > limit:
        too_long = f"{tool.name} returned {len(content)} characters; at most {limit} are allowed"
        return _Executed(failed(FailureKind.TOOL_ERROR, too_long), None)
    if isinstance(result, dict) and "error" in result:
        return _Executed(ToolOutcome(content, FailureKind.TOOL_ERROR, str(result["error"])), None)
    return _Executed(ToolOutcome(content), after)


def argument_mistakes(tool: ToolDef, arguments: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with `arguments` by the tool's JSON Schema, one short text each."""
    try:
        validator = _validator(json.dumps(tool.parameters, sort_keys=True))
        found = sorted(validator.iter_errors(dict(arguments)), key=lambda error: [str(p) for p in error.absolute_path])
    except (jsonschema.exceptions.SchemaError, RecursionError, TypeError, ValueError) as error:
        return [f"the tool's own schema cannot be used: {str(error).splitlines()[0]}"]
    return [": ".join([*(str(p) for p in error.absolute_path), error.message]) for error in found]


@functools.lru_cache(maxsize=4096)
def _validator(schema: str) -> Any:
    parameters = json.loads(schema)
    jsonschema.Draft202012Validator.check_schema(parameters)
    return jsonschema.Draft202012Validator(parameters)


@functools.lru_cache(maxsize=4096)
def resolve(function: str) -> ToolFunction:
    """Import `module:name`. Raises `ValueError` saying what is missing."""
    module, _, name = function.partition(":")
    if not module or not name:
        raise ValueError(f"expected a function as module:name, found {function!r}")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"expected a function that can be imported, found {function!r} ({error})") from error
    if not callable(found):
        raise ValueError(f"expected a function, found {function!r}, which is a {type(found).__name__}")
    return found  # type: ignore[no-any-return]


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
