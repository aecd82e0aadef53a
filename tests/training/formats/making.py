"""Conversations for the tests of formats, and a way through a file and back."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from evaluation.records import Message, Source, ToolCall, ToolSpec
from training.formats.importing import Default
from training.formats.lines import ReadingConfig
from training.formats.names import FormatName
from training.formats.reading import Bad, Good, read_file
from training.formats.row import Carried, Talk
from training.formats.writing import Written, write_file, write_rows

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DEFAULT = Default("tools", Source.MANUAL, NOW)
SMALL = ReadingConfig(longest_row_mb=1)
NAMES = ("search", "book", "pay")
TOOLS = tuple(
    ToolSpec(
        name=name,
        description=f"Does {name}.",
        parameters={"type": "object", "properties": {"x": {"type": kind, "default": default}}},
    )
    for name, kind, default in zip(NAMES, ("integer", "string", "array"), (1, "a", None), strict=True)
)

_texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_texts, inner, max_size=2),
    max_leaves=4,
)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    """Several turns; text and calls in one turn, several calls at once, results; the last turn may end in calls."""
    said = [Message(role="system", content=draw(_texts))] if draw(st.booleans()) else []
    for turn in range(draw(st.integers(1, 3))):
        said.append(Message(role="user", content=draw(_texts)))
        for step in range(draw(st.integers(0, 2))):
            calls = tuple(
                ToolCall(id=f"id-{turn}-{step}-{n}", name=draw(st.sampled_from(NAMES)), arguments=arguments)
                for n, arguments in enumerate(draw(st.lists(st.dictionaries(_texts, _values, max_size=2), min_size=1,
                                                            max_size=3)))
            )  # fmt: skip
            said.append(Message(role="assistant", content=draw(_texts), tool_calls=calls))
            said += [Message(role="tool", content=draw(_texts), tool_call_id=c.id, name=c.name) for c in calls]
        said.append(Message(role="assistant", content=draw(_texts)))
    return tuple(said)


@st.composite
def heaps(draw: st.DrawFn) -> tuple[Message, ...]:
    """Messages in any order, as a run that went wrong may leave them."""
    return tuple(
        Message(
            role=draw(st.sampled_from(("system", "user", "assistant", "tool"))),
            content=draw(_texts),
            tool_calls=tuple(
                ToolCall(id=draw(st.sampled_from("ab")), name=draw(_texts), arguments={})
                for _ in range(draw(st.integers(0, 2)))
            ),
            tool_call_id=draw(st.none() | st.sampled_from("ab")),
            name=draw(st.none() | _texts),
        )
        for _ in range(draw(st.integers(0, 4)))
    )


def talk(messages: Sequence[Message], rejected: Sequence[Message] = (), weights: Sequence[int] = ()) -> Talk:
    """Make a conversation about the tools."""
    return Talk(messages=tuple(messages), tools=TOOLS, rejected=tuple(rejected), weights=tuple(weights))


def worse(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return the conversation with another last answer."""
    return (*messages[:-1], Message(role="assistant", content=f"{messages[-1].content} Not so."))


def rows_of(carried: Sequence[Carried], name: FormatName, *, bare: bool = False) -> list[dict[str, Any]]:
    """Return the rows of a file in lines."""
    file = io.BytesIO()
    write_rows(carried, file, name, bare=bare, written=Written())
    return [json.loads(line) for line in file.getvalue().decode().splitlines()]


def there_and_back(
    carried: Sequence[Carried], name: FormatName, folder: Path, *, bare: bool = False
) -> list[Good | Bad]:
    """Write a file and read it."""
    file = folder / f"file.{name}"
    write_file(carried, file, name, bare=bare)
    return list(read_file(file, name, SMALL))


def lines(folder: Path, *rows: Any) -> Path:
    """Write rows, or text as it is, one a line."""
    file = folder / "rows.jsonl"
    file.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return file
