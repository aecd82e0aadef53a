"""What keeps a conversation from being one to learn from: one check for files, for HTTP and for captured traffic.

Two kinds of mistakes, both with their place: what cannot be read as a conversation at all (`unreadable`: a role that
there is not, arguments that are no JSON, a result without its call, a call that is left without its result), and what
can be read and should not be learned (`unsound`: a tool that is not on offer, an empty answer, roles out of order).
Not covered: whether arguments fit their tool, which validators and recoveries look at; calls of the last turn need no
results, since a conversation may be cut there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from evaluation.importers.conversations import Conversation
from evaluation.importers.openai import read_openai
from evaluation.importers.rows import Row
from evaluation.ledger.feedback import AHEAD
from evaluation.located import Document, Location, dotted
from evaluation.records import Example, FailureKind, Message, ToolSpec

_NOWHERE = Document(Path("-"), None)


class Mistake(NamedTuple):
    """What is wrong, and where in the conversation's own JSON."""

    where: Location
    text: str

    def __str__(self) -> str:
        shown = dotted(self.where)
        return f"{shown}: {self.text}" if shown else self.text


class Read(NamedTuple):
    """A conversation in the OpenAI shape, as it was read."""

    conversation: Conversation | None
    """None where nothing could be read."""
    unreadable: tuple[Mistake, ...]
    unsound: tuple[Mistake, ...]
    """Looked for where everything could be read."""


class _Noted(Row):
    """A row that stands in no file."""

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__(_NOWHERE, 0, data)
        self.noted: list[Mistake] = []

    def mistake(self, where: Location, text: str) -> None:
        """Note a mistake."""
        self.noted.append(Mistake(where, text))
        self.mistakes.append(text)


def read_conversation(messages: Any, tools: Any) -> Read:
    """Return the conversation of `messages` and `tools` in the shape of the OpenAI chat API, with its mistakes."""
    row = _Noted({"messages": messages, "tools": tools})
    found = read_openai(row)
    if found is None or row.noted:
        return Read(None, tuple(row.noted), ())
    specs = [tool.spec() for tool in found.tools]
    unsound = tuple(Mistake(_placed(where, found), text) for where, text in mistakes_in(found.messages, specs))
    return Read(found, (), unsound)


def _placed(where: Location, read: Conversation) -> Location:
    """Return where a mistake in a message stands in the row: empty system prompts were left out in reading."""
    at = where[1] if where[:1] == ("messages",) and len(where) > 1 else None
    return (*read.places[at][:2], *where[2:]) if isinstance(at, int) else where


def failure_of(example: Example) -> str | None:
    """Return what is wrong with the conversation of a captured example as its `error`; None where nothing is.

    What the model said is its failure (`unknown_tool`, `malformed_output`); what it was given is the agent's.
    """
    tools = [tool.to_openai() for tool in example.tools]
    found = read_conversation([message.to_openai() for message in example.messages], tools)
    for mistake in (*found.unreadable, *found.unsound):
        last = mistake.where[:2] == ("messages", len(example.messages) - 1)
        kind = FailureKind.AGENT_ERROR
        if last and "a tool on offer" in mistake.text:
            kind = FailureKind.UNKNOWN_TOOL
        elif last:
            kind = FailureKind.MALFORMED_OUTPUT
        return f"{kind}: {mistake}"
    return None


def check_time(at: datetime, now: datetime) -> None:
    """Raise ValueError for a time that lies ahead of the clock by more than `AHEAD`."""
    latest = now + AHEAD
    if at.astimezone(UTC) > latest:
        raise ValueError(
            f"timestamp: expected a time up to {latest:%Y-%m-%d %H:%M} UTC (a day from now), found {at.isoformat()}"
        )


def mistakes_in(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Iterator[tuple[Location, str]]:
    """Yield where, as numbers of messages and tools from 0, and what is unsound."""
    yield from _tool_mistakes(tools)
    yield from order_mistakes(messages)
    offered = {tool.name for tool in tools}
    ids: set[str] = set()
    for at, message in enumerate(messages):
        for number, call in enumerate(message.tool_calls, start=1):
            if call.name not in offered:
                names = ", ".join(sorted(offered)) or "none"
                yield ("messages", at), f"call {number}: expected a tool on offer ({names[:200]}), found {call.name!r}"
            if call.id in ids:
                yield ("messages", at), f"call {number}: expected an id of its own, found {call.id!r} again"
            ids.add(call.id)


def order_mistakes(messages: Sequence[Message]) -> Iterator[tuple[Location, str]]:
    """Yield where roles are out of order or a message says nothing, whatever tools there are."""
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
