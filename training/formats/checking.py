"""What keeps a conversation from being one to learn from. Pure.

Results without a call, calls left without a result, and arguments that are no JSON are noted where a row is read
(`evaluation/importers`); this is what only the whole conversation shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evaluation.located import Location
from evaluation.records import Message, ToolSpec
from training.formats.row import Talk


def mistakes_in(talk: Talk) -> Iterator[tuple[Location, str]]:
    """Yield where, as message numbers from 0, and what is wrong."""
    yield from _tool_mistakes(talk.tools)
    offered = {tool.name for tool in talk.tools}
    yield from _in_messages(talk.messages, offered)
    if talk.rejected:
        # Calls of tools that are not on offer may well be what is wrong with it.
        yield from _order(talk.rejected)


def _in_messages(messages: Sequence[Message], offered: set[str]) -> Iterator[tuple[Location, str]]:
    yield from _order(messages)
    ids: set[str] = set()
    for at, message in enumerate(messages):
        for number, call in enumerate(message.tool_calls, start=1):
            if call.name not in offered:
                names = ", ".join(sorted(offered)) or "none"
                yield ("messages", at), f"call {number}: expected a tool on offer ({names[:200]}), found {call.name!r}"
            if call.id in ids:
                yield ("messages", at), f"call {number}: expected an id of its own, found {call.id!r} again"
            ids.add(call.id)


def _order(messages: Sequence[Message]) -> Iterator[tuple[Location, str]]:
    asked = False
    for at, message in enumerate(messages):
        where: Location = ("messages", at)
        if message.role == "system" and at and messages[at - 1].role != "system":
            yield where, "expected the system prompt before everything else, found it in the middle"
        if message.role == "assistant" and not asked:
            yield where, "expected a message of the user before the assistant's, found none"
        asked = asked or message.role == "user"
        if message.role in ("user", "assistant") and not message.content.strip() and not message.tool_calls:
            wanted = "a text" if message.role == "user" else "a text or a call"
            yield where, f"expected {wanted}, found an empty message"
    if not any(message.role == "assistant" for message in messages):
        yield (), "expected a message of the assistant to learn from, found none"


def _tool_mistakes(tools: Sequence[ToolSpec]) -> Iterator[tuple[Location, str]]:
    seen: set[str] = set()
    for at, tool in enumerate(tools):
        if tool.name in seen:
            yield ("tools", at), f"expected each tool once, found {tool.name!r} again"
        seen.add(tool.name)
