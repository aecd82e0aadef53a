"""Tools that answer what the scenario's world says they answer: `recorded` by tool name, a list of calls with results.

`evaluation.generate.stub_tools:find_user` is the tool `find_user`. A call that is not recorded finds nothing, as a
look-up with another value would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from evaluation.scenarios import ToolDef
from evaluation.validators.values import DIFFERENT, likeness

RECORDED = "recorded"
"""Key of the world under which the results stand."""


def function_of(tool: str) -> str:
    """Return the function of the tool `tool`, as a scenario names it."""
    return f"{__name__}:{tool}"


def is_stub(tool: ToolDef) -> bool:
    """Say whether a tool answers from the world."""
    return tool.function is not None and tool.function.startswith(f"{__name__}:")


def recorded(tool: str, arguments: dict[str, Any], result: Any) -> dict[str, Any]:
    """Return a world in which `tool`, called with `arguments`, answers `result`."""
    return {RECORDED: {tool: [{"arguments": arguments, "result": result}]}}


def answer(tool: str, arguments: Mapping[str, Any], world: Mapping[str, Any]) -> Any:
    """Return what `tool` answers in `world`."""
    for one in world.get(RECORDED, {}).get(tool, ()):
        wanted = one["arguments"].items()
        if all(key in arguments and likeness(value, arguments[key]) != DIFFERENT for key, value in wanted):
            return one["result"]
    return {"error": "nothing was found for these arguments"}


def __getattr__(name: str) -> Callable[..., Any]:
    if name.startswith("__"):
        raise AttributeError(name)

    def call(world: dict[str, Any], **arguments: Any) -> Any:
        return answer(name, arguments, world)

    return call
