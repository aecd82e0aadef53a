"""A scenario: a task to attempt, what the world is like, and what is expected.

The records only; `evaluation/suite.py` reads them from files and expands templates.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from evaluation.records import Message, Record, RecoveryStrategy, ToolSpec, stable_id


class Part(StrEnum):
    """The three parts of a suite; a group of scenarios lies wholly in one."""

    TRAIN = "train"
    HELD_OUT = "held_out"
    LIVE = "live"


class Kind(StrEnum):
    """What a scenario tests."""

    ONE_CALL = "one_call"
    NEAR_TWIN = "near_twin"
    """The right tool has look-alikes among those offered."""
    NO_TOOL = "no_tool"
    """No tool fits: answer without one."""
    MISSING_ARGUMENT = "missing_argument"
    """A required argument is not given: ask for it."""
    TOOL_ERROR = "tool_error"
    """The tool fails: recover."""
    CHAIN = "chain"
    """Two calls in a row; the second uses the first one's result."""
    STATED_ANSWER = "stated_answer"
    """The final answer must state what the tool returned."""
    IMPORTED = "imported"


class ToolDef(ToolSpec):
    """A tool as the harness executes it."""

    function: str | None = None
    """`module:name` of the Python function; None where calls are recorded and not executed."""

    def spec(self) -> ToolSpec:
        """Return what a model may see."""
        return ToolSpec(name=self.name, description=self.description, parameters=self.parameters)


class Fault(Record):
    """A failure that is injected into a tool."""

    kind: Literal["error", "timeout", "malformed"]
    message: str = "temporarily unavailable"
    times: int | None = None
    """How many calls fail before the tool works; None: all."""


class ExpectedArgument(Record):
    """What one argument may be."""

    any_of: tuple[Any, ...]
    """Acceptable values, compared with their JSON types (5 is not "5"; 5.0 is not 5 for an `integer`)."""
    optional: bool = False
    """May be left out."""


class ExpectedCall(Record):
    """A call that has to be made."""

    name: str
    arguments: dict[str, ExpectedArgument]
    notation: Literal["plain", "bfcl"] = "plain"
    """How `any_of` is written. `plain`: the values themselves. `bfcl`: as in the Berkeley leaderboard's files, where an
    empty text says that a value may be left out, and an object holds a list of acceptable values for each of its keys.
    """


class ExpectedAnswer(Record):
    """What the final answer has to say."""

    contains: tuple[str, ...] = ()
    """Each must occur, ignoring case and digit grouping."""
    any_of: tuple[str, ...] = ()
    """At least one must occur, ignoring case; empty: nothing asked."""
    reference: str = ""
    """An answer that is right; what a corrected example says."""


class Expected(Record):
    """What is right."""

    calls: tuple[ExpectedCall, ...] = ()
    """Empty: no tool may be called."""
    any_call: bool = False
    """Any call will do, at least one; `calls` is empty then."""
    order: Literal["strict", "any"] = "strict"
    answer: ExpectedAnswer | None = None
    """None: any answer that is not empty."""
    recovery: RecoveryStrategy | None = None


class Scenario(Record):
    """A task to attempt."""

    id: str
    group: str
    """Scenarios of one group (phrasing template, values) are never split over parts."""
    part: Part
    kind: Kind
    task_key: str = "tools"
    messages: tuple[Message, ...]
    """The system prompt and the user's words."""
    tools: tuple[ToolDef, ...]
    world: dict[str, Any] = Field(default_factory=dict)
    """State that the tools read and change."""
    faults: dict[str, Fault] = Field(default_factory=dict)
    """By tool name."""
    expected: Expected
    stop: Literal["answer", "calls"] = "answer"
    """`calls`: the episode ends with the first turn, and calls are not executed (as in the Berkeley leaderboard)."""
    max_turns: int = Field(default=6, ge=1)
    """Most model calls."""
    tags: tuple[str, ...] = ()
    """`held_out_tool` marks scenarios whose right tool occurs in the held-out part only."""
    weight: float = Field(default=1.0, gt=0)

    @property
    def query(self) -> str:
        """The first user message."""
        return next(m.content for m in self.messages if m.role == "user")

    def digest(self) -> str:
        """Return an id of the scenario's whole content."""
        return stable_id(self.model_dump(mode="json"))
