"""Recorded conversations with tools, turn by turn, as scenarios: what was said is what the assistant should say again.

Decisions: each assistant turn becomes a scenario. What came before are its messages; the calls of the turn are what is
expected (`stop: calls`, nothing is executed), in any order where there are several, since they were made at once. A
turn without a call, on the user's words or after results, expects no call; its text is the reference answer. Turns of
weight 0 are context only. All turns of a conversation are one group, and so are conversations with the same words.
Strict: calls of tools that are not offered, arguments that do not fit the tool, calls without results are mistakes.
"""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import jsonschema

from evaluation.importers.rows import Row, read_rows, shown
from evaluation.located import Location, SuiteError
from evaluation.records import Message, ToolCall, stable_id
from evaluation.scenarios import Expected, ExpectedAnswer, ExpectedArgument, ExpectedCall, Kind, Scenario, ToolDef
from evaluation.splits import join_groups, part_of_group
from evaluation.tools.execute import argument_mistakes

Turns = Literal["first", "all"]

NO_TOOLS, NO_TURN, TWICE = "no tools on offer", "no turn of the assistant to test", "the same conversation again"


@dataclass(frozen=True)
class Conversation:
    """One conversation, read from whatever format."""

    messages: tuple[Message, ...]
    tools: tuple[ToolDef, ...]
    key: str = ""
    """The row's own id, where it has one."""
    skipped: frozenset[int] = frozenset()
    """Indices of assistant messages that are context only."""
    places: tuple[Location, ...] = ()
    """Where in the row each message stands."""


@dataclass
class Imported:
    """What files came to."""

    scenarios: list[Scenario] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)
    """Of the rows that were left out because they are wrong, one line each."""
    bad: int = 0
    """How many rows that were."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Conversations with nothing to test, by reason."""


Reader = Callable[[Row], Conversation | None]
"""Reads a row; notes what is wrong in it, and then what it returns does not count."""


def import_conversations(
    paths: Sequence[Path], read: Reader, source: str, *, turns: Turns = "all", skip_bad: bool = False
) -> Imported:
    """Return the scenarios of all conversations in `paths`. `source` begins their ids and is a tag.

    `turns`: `first` takes the assistant's first turn of each conversation only. Raises `SuiteError` with all mistakes
    of all files, unless `skip_bad` leaves the rows out that have some; and where no scenario is left.
    """
    out = Imported()
    seen: dict[str, str] = {}
    unreadable: list[str] = []
    for path in paths:
        try:
            rows = read_rows(path)
        except SuiteError as error:
            unreadable += error.mistakes
            continue
        for row in rows:
            _add(row, read, source, turns, into=out, seen=seen)
    if unreadable or (out.mistakes and not skip_bad):
        raise SuiteError([*unreadable, *out.mistakes])
    if not out.scenarios:
        why = ", ".join(f"{count} with {reason}" for reason, count in out.left_out.items()) or "no rows"
        also = f", {out.bad} with mistakes" if out.bad else ""
        raise SuiteError([*out.mistakes, f"{paths[0]}:1: expected a conversation with tools, found {why}{also}"])
    out.scenarios = join_groups(out.scenarios)
    return out


def _add(row: Row, read: Reader, source: str, turns: Turns, *, into: Imported, seen: dict[str, str]) -> None:
    conversation = None if row.mistakes else read(row)
    if conversation is not None and not row.mistakes:
        _check(row, conversation)
    if row.mistakes or conversation is None:
        into.mistakes += row.mistakes
        into.bad += 1
        return
    digest = stable_id([m.model_dump(mode="json") for m in conversation.messages],
                       [t.spec().model_dump(mode="json") for t in conversation.tools])[:16]  # fmt: skip
    key = conversation.key or digest
    if seen.setdefault(key, digest) != digest:
        row.mistake(("id",), f"expected each id once, found {key!r} again")
        into.mistakes += row.mistakes
        into.bad += 1
        return
    where = f"{row.document.path}:{row.document.line((row.at,))}"
    if seen.setdefault(f"\0{digest}", where) != where:
        into.left_out[TWICE] += 1
        return
    made = list(_scenarios(conversation, source, key, digest)) if conversation.tools else []
    if not made:
        into.left_out[NO_TURN if conversation.tools else NO_TOOLS] += 1
    into.scenarios += made[:1] if turns == "first" else made


def _scenarios(conversation: Conversation, source: str, key: str, digest: str) -> Iterator[Scenario]:
    group = f"{source}-{digest}"
    turn = -1
    for at, message in enumerate(conversation.messages):
        if message.role != "assistant":
            continue
        turn += 1
        before = conversation.messages[:at]
        if at in conversation.skipped or not _is_asked(before) or not (message.tool_calls or message.content.strip()):
            continue
        after_results = before[-1].role == "tool"
        kind = "calls" if message.tool_calls else "answer_after_results" if after_results else "no_tool"
        yield Scenario(
            id=f"{source}/{key}/{turn}",
            group=group,
            part=part_of_group(group),
            kind=Kind.IMPORTED,
            messages=before,
            tools=conversation.tools,
            expected=_expected(message, {tool.name: tool for tool in conversation.tools}),
            stop="calls",
            tags=(source, kind),
        )


def _is_asked(before: Sequence[Message]) -> bool:
    return bool(before) and before[-1].role in ("user", "tool") and any(m.role == "user" for m in before)


def _expected(message: Message, tools: Mapping[str, ToolDef]) -> Expected:
    if not message.tool_calls:
        return Expected(answer=ExpectedAnswer(reference=message.content))
    calls = tuple(_call(call, tools[call.name]) for call in message.tool_calls)
    return Expected(calls=calls, order="any" if len(calls) > 1 else "strict")


def _call(call: ToolCall, tool: ToolDef) -> ExpectedCall:
    """Return what is expected of a call; what is the parameter's default may as well be left out."""
    schemas = tool.parameters.get("properties", {})
    required = tool.parameters.get("required", ())
    arguments = {}
    for name, value in call.arguments.items():
        schema = schemas.get(name)
        default = isinstance(schema, Mapping) and "default" in schema and schema["default"] == value
        arguments[name] = ExpectedArgument(any_of=(value,), optional=default and name not in required)
    return ExpectedCall(name=call.name, arguments=arguments)


def _check(row: Row, conversation: Conversation) -> None:
    """Note what no scenario could be made of."""
    tools: dict[str, ToolDef] = {}
    for index, tool in enumerate(conversation.tools):
        if tool.name in tools:
            row.mistake(("tools", index, "name"), f"expected each tool once, found {tool.name!r} again")
        tools[tool.name] = tool
        if wrong := _schema_mistake(json.dumps(tool.parameters, sort_keys=True)):
            row.mistake(("tools", index, "parameters"), f"expected a JSON Schema, found: {wrong}")
    if row.mistakes:
        return
    for at, message in enumerate(conversation.messages):
        if at not in conversation.skipped:
            for number, call in enumerate(message.tool_calls, start=1):
                _check_call(row, conversation.places[at], f"call {number}: ", call=call, tools=tools)


@functools.lru_cache(maxsize=4096)
def _schema_mistake(schema: str) -> str:
    """Return what keeps JSON text from being a JSON Schema, or nothing. Kept, since rows share their tools."""
    try:
        jsonschema.Draft202012Validator.check_schema(json.loads(schema))
    except jsonschema.exceptions.SchemaError as error:
        return str(error.message)[:200]
    return ""


def _check_call(row: Row, where: Location, which: str, *, call: ToolCall, tools: Mapping[str, ToolDef]) -> None:
    if call.name not in tools:
        offered = ", ".join(tools) or "none"
        row.mistake(where, f"{which}expected a tool on offer ({offered}), found {call.name!r}")
    elif wrong := argument_mistakes(tools[call.name], call.arguments):
        row.mistake(where, f"{which}expected arguments that fit {call.name}, found {'; '.join(wrong)}")


class Turn:
    """Messages put together one after the other, calls paired with their results."""

    def __init__(self, row: Row) -> None:
        self.messages: list[Message] = []
        self.skipped: set[int] = set()
        self.places: list[Location] = []
        self.is_lost = False
        """Calls could not be read: which results are missing cannot be said until the assistant's next turn."""
        self._row = row
        self._open: list[ToolCall] = []

    def system(self, where: Location, text: str) -> None:
        """Add a system prompt; an empty one is none."""
        if text.strip():
            self._add(where, Message(role="system", content=text))

    def user(self, where: Location, text: str) -> None:
        """Add what the user said."""
        self._closed(where)
        self._add(where, Message(role="user", content=text))

    def assistant(self, where: Location, text: str, calls: Sequence[ToolCall] = (), *, context: bool = False) -> None:
        """Add what the assistant said or called."""
        self._closed(where)
        if context:
            self.skipped.add(len(self.messages))
        self._add(where, Message(role="assistant", content=text, tool_calls=tuple(calls)))
        self._open, self.is_lost = list(calls), False

    def result(self, where: Location, text: str, call_id: str | None = None) -> None:
        """Add a call's result: of the call with that id, else of the first that has none yet."""
        if self.is_lost:
            return
        found = [call for call in self._open if call_id is None or call.id == call_id]
        if not found:
            waiting = ", ".join(call.id for call in self._open) or "none"
            found_id = "a further one" if call_id is None else repr(call_id)
            self._row.mistake(where, f"expected the result of a call that waits for one ({waiting}), found {found_id}")
            return
        call = found[0]
        self._open.remove(call)
        self._add(where, Message(role="tool", content=text, tool_call_id=call.id, name=call.name))

    def lost(self) -> None:
        """Note that the calls that wait for results are not the right ones."""
        self.is_lost, self._open = True, []

    @property
    def waiting(self) -> int:
        """How many calls have no result yet."""
        return len(self._open)

    def new_id(self, index: int) -> str:
        """Return an id for a call that has none."""
        return f"call_{len(self.messages)}_{index}"

    def _add(self, where: Location, message: Message) -> None:
        self.messages.append(message)
        self.places.append(where)

    def _closed(self, where: Location) -> None:
        if self._open:
            names = ", ".join(call.name for call in self._open)
            self._row.mistake(where, f"expected the results of {names} first, found none")
            self._open = []

    def conversation(self, tools: Sequence[ToolDef], key: Any = "") -> Conversation:
        """Return all that was added."""
        if not any(message.role == "user" for message in self.messages) and not self._row.mistakes:
            self._row.mistake((), "expected a message of the user, found none")
        said = "" if key is None else str(key)
        skipped, places = frozenset(self.skipped), tuple(self.places)
        return Conversation(tuple(self.messages), tuple(tools), said, skipped, places)


def tool_of(
    row: Row, where: Location, data: Any, *, schema: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> ToolDef | None:
    """Return a tool in the OpenAI format, or its bare `function`; None, with mistakes, where it is none.

    `schema` makes JSON Schema of its parameters.
    """
    inner = data.get("function", data) if isinstance(data, Mapping) else data
    if not isinstance(inner, Mapping):
        row.mistake(where, f"expected a tool, found {shown(data)}")
        return None
    name = row.take(where, inner, "name", str)
    if not name:
        row.mistake((*where, "name"), "expected the tool's name, found none")
        return None
    description = row.take(where, inner, "description", str, default="")
    given = inner.get("parameters", inner.get("arguments"))
    if given is not None and not isinstance(given, Mapping):
        row.mistake((*where, "parameters"), f"expected a JSON Schema, found {shown(given)}")
        return None
    parameters = {"type": "object", "properties": {}, **schema(given or {})}
    return ToolDef(name=name, description=description, parameters=parameters)
