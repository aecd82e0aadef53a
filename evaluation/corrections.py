"""How an example should have been: a conversation with one turn put right. Pure.

Decisions: a correction ends with the turn that was put right, since what followed answered something else; it is
checked like any call, by the offered tools and their JSON Schemas, so that no reviewer teaches a call that cannot be
made.
Limits: one turn at a time; calls of the same turn beside the corrected one stay as they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from evaluation.records import Message, ToolCall, ToolSpec
from evaluation.tools.execute import argument_mistakes


class CallSite(NamedTuple):
    """A call, and where it stands in a conversation."""

    turn: int
    """Index of the message."""
    place: int
    """Which of its calls."""
    call: ToolCall


def call_sites(messages: Sequence[Message]) -> list[CallSite]:
    """Return the calls of a conversation, in order."""
    return [CallSite(turn, place, call) for turn, m in enumerate(messages) for place, call in enumerate(m.tool_calls)]


def with_call(
    messages: Sequence[Message], site: CallSite, name: str, arguments: Mapping[str, Any]
) -> tuple[Message, ...]:
    """Return the conversation up to the call's turn, with another call in its place."""
    turn = messages[site.turn]
    calls = list(turn.tool_calls)
    calls[site.place] = site.call.model_copy(update={"name": name, "arguments": dict(arguments)})
    return (*messages[: site.turn], turn.model_copy(update={"tool_calls": tuple(calls)}))


def with_new_call(messages: Sequence[Message], name: str, arguments: Mapping[str, Any]) -> tuple[Message, ...]:
    """Return the conversation with a call in place of its last assistant turn, which made none."""
    call = ToolCall(id="call_1", name=name, arguments=dict(arguments))
    return (*_before_last(messages), Message(role="assistant", tool_calls=(call,)))


def with_answer(messages: Sequence[Message], text: str, turn: int | None = None) -> tuple[Message, ...]:
    """Return the conversation up to an assistant turn (None: the last), with a text in its place."""
    before = _before_last(messages) if turn is None else messages[:turn]
    return (*before, Message(role="assistant", content=text))


def kept_arguments(call: ToolCall, tool: ToolSpec) -> dict[str, Any]:
    """Return the arguments of a call that another tool takes too, by name."""
    takes = tool.parameters.get("properties", {})
    return {name: value for name, value in call.arguments.items() if name in takes}


def call_mistakes(name: str, arguments: Any, tools: Sequence[ToolSpec]) -> list[str]:
    """Return what is wrong with a call, one short text each."""
    tool = next((tool for tool in tools if tool.name == name), None)
    if tool is None:
        return [f"expected one of {', '.join(tool.name for tool in tools) or 'no tool'}, found {name}"]
    if not isinstance(arguments, Mapping):
        return [f"expected an object of arguments, found {type(arguments).__name__}"]
    return argument_mistakes(tool, arguments)


def correction_mistakes(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> list[str]:
    """Return what is wrong with a corrected conversation: its last turn has to be one that could be learned."""
    if not messages or messages[-1].role != "assistant":
        return ["expected a conversation that ends with the assistant's corrected turn"]
    last = messages[-1]
    if not last.tool_calls and not last.content.strip():
        return ["expected a call or a text in the corrected turn, found neither"]
    return [
        f"{call.name}: {mistake}"
        for call in last.tool_calls
        for mistake in call_mistakes(call.name, call.arguments, tools)
    ]


def _before_last(messages: Sequence[Message]) -> Sequence[Message]:
    last = max((n for n, message in enumerate(messages) if message.role == "assistant"), default=len(messages))
    return messages[:last]
