"""A scenario: a task to attempt, what the world is like, and what is expected.

The records only; `evaluation/suite.py` reads them from files and expands templates.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from evaluation.records import Message, Record, RecoveryStrategy, StopReason, ToolSpec, stable_id
from evaluation.tools.outside import HttpTool, McpTool, http_mistakes


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
    PARALLEL = "parallel"
    """Several calls that do not depend on each other."""
    DIALOGUE = "dialogue"
    """Several turns with a user, over a state that the calls change."""
    PROTOCOL = "protocol"
    """The call has to keep to an agent's protocol."""
    QUESTION = "question"
    """A question that an agent answers with its tools, memory or knowledge."""
    IMPORTED = "imported"


TEMPLATE_KINDS = frozenset(
    {
        Kind.ONE_CALL,
        Kind.NEAR_TWIN,
        Kind.NO_TOOL,
        Kind.MISSING_ARGUMENT,
        Kind.TOOL_ERROR,
        Kind.CHAIN,
        Kind.STATED_ANSWER,
        Kind.DIALOGUE,
    }
)
"""What templates of suites can express."""


class ToolDef(ToolSpec):
    """A tool as the harness executes it."""

    function: str | None = None
    """`module:name` of the Python function; None where calls are recorded and not executed."""
    http: HttpTool | None = None
    """The request that a call makes."""
    mcp: McpTool | None = None
    """The MCP server's tool that a call goes to."""

    def model_post_init(self, context: Any, /) -> None:
        if self.http is None and self.mcp is None:
            return
        if sum(way is not None for way in (self.function, self.http, self.mcp)) > 1:
            raise ValueError(f"expected one of function, http and mcp for the tool {self.name}, found several")
        if self.http is not None and (wrong := list(http_mistakes(self.http, self.parameters))):
            raise ValueError("; ".join(wrong))

    @property
    def outside(self) -> str:
        """`http` or `mcp` where calls leave this process; empty elsewhere."""
        return "http" if self.http is not None else "mcp" if self.mcp is not None else ""

    def spec(self) -> ToolSpec:
        """Return what a model may see."""
        return ToolSpec(name=self.name, description=self.description, parameters=self.parameters)


class Fault(Record):
    """A failure that is injected into a tool."""

    kind: Literal["error", "timeout", "malformed", "slow"]
    """`slow`: the tool works, and takes `seconds` longer; past the time limit it is a timeout."""
    message: str = "temporarily unavailable"
    times: int | None = None
    """How many calls it strikes before the tool works; None: all."""
    seconds: float = Field(default=0.0, ge=0)
    """How much longer a `slow` call takes."""


class ExpectedArgument(Record):
    """What one argument may be: one of `any_of`, or a text that `regex` describes."""

    any_of: tuple[Any, ...] = ()
    """Acceptable values, compared with their JSON types (5 is not "5"; 5.0 is not 5 for an `integer`)."""
    regex: str | None = None
    """A regular expression (Python's `re`) that the whole text has to match."""
    tolerance: float = Field(default=0.0, ge=0)
    """How far a number may lie from an acceptable one, in the number's own unit."""
    compare: Literal["like", "exact", "set"] = "like"
    """`like`: texts may differ in case and silent punctuation. `exact`: to the character. `set`: a list, any order."""
    optional: bool = False
    """May be left out."""

    @model_serializer(mode="wrap")
    def _with_values(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Without `any_of`, an object that holds nothing else would be read as an acceptable value.
        return {"any_of": self.any_of, **written(self)}


class ExpectedCall(Record):
    """A call that has to be made."""

    name: str
    arguments: dict[str, ExpectedArgument]
    notation: Literal["plain", "bfcl"] = "plain"
    """How `any_of` is written. `plain`: the values themselves. `bfcl`: as in the Berkeley leaderboard's files, where an
    empty text says that a value may be left out, and an object holds a list of acceptable values for each of its keys.
    """


class ExpectedNumber(Record):
    """A number that the final answer has to state."""

    value: float
    tolerance: float = Field(default=0.0, ge=0)
    """How far the stated number may lie from it."""


class ExpectedAnswer(Record):
    """What the final answer has to say; all that is given has to hold."""

    contains: tuple[str, ...] = ()
    """Each must occur, ignoring case and digit grouping."""
    any_of: tuple[str, ...] = ()
    """At least one must occur, ignoring case; empty: nothing asked."""
    excludes: tuple[str, ...] = ()
    """None may occur, ignoring case."""
    regex: str | None = None
    """A regular expression (Python's `re`, ignoring case) that has to match somewhere."""
    equals: tuple[str, ...] = ()
    """The whole answer is one of these, ignoring case, articles, punctuation and blanks (as SQuAD normalises)."""
    number: ExpectedNumber | None = None
    json_schema: dict[str, Any] | None = None
    """The answer is JSON, alone or in a code fence, that fits this JSON Schema."""
    reference: str = ""
    """An answer that is right; what a corrected example says."""


class Expected(Record):
    """What is right."""

    calls: tuple[ExpectedCall, ...] = ()
    """Empty: no tool may be called."""
    any_call: bool = False
    """Any call will do, at least one; `calls` is empty then."""
    order: Literal["strict", "any"] = "strict"
    partial: bool = False
    """Further calls beside `calls` are no mistake."""
    forbidden: tuple[ExpectedCall, ...] = ()
    """Calls that may not be made; one without arguments forbids the tool whatever the arguments."""
    answer: ExpectedAnswer | None = None
    """None: any answer that is not empty."""
    recovery: RecoveryStrategy | None = None
    world: dict[str, Any] | None = None
    """The final state of the world: every key given has this value, at every depth; keys left out may be as they like.
    None: not judged."""
    turns: int | None = Field(default=None, ge=1)
    """Most model calls that a good attempt takes."""
    output_tokens: int | None = Field(default=None, ge=1)
    """Most output tokens that a good attempt takes, of all model calls together."""
    stop_reason: StopReason | None = None
    """How the episode has to end."""
    script: tuple[Message, ...] = ()
    """Assistant turns that do it right, in their order: what the oracle does, and others may do otherwise. For tasks of
    which the calls alone do not tell when to ask. Empty: the turns follow from `calls` and `answer`."""


class Policy(Record):
    """What an assistant has to keep to, as text for the model and as rules for the validator."""

    text: str = ""
    """Put behind the system prompt."""
    never: tuple[ExpectedCall, ...] = ()
    """Calls that are against the policy; one without arguments: whatever the arguments."""
    first: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """By tool: tools that must have been called, and have worked, before it (identify before a refund)."""
    consent: tuple[str, ...] = ()
    """Tools that are called only right after the user has said yes."""


class Slot(Record):
    """Something that a scripted user knows and says when asked."""

    asked: tuple[str, ...]
    """Words of which a question for it has one, ignoring case."""
    say: str
    """What the user then says."""


class ScriptedUser(Record):
    """A user who answers by a script: what is asked for and known is said, a request for consent is answered."""

    kind: Literal["scripted"] = "scripted"
    slots: dict[str, Slot] = Field(default_factory=dict)
    consent: str = "Yes, please go ahead."
    """The answer to a question whether to go ahead."""
    otherwise: str = "I don't know."
    """The answer to any other question."""
    then: tuple[str, ...] = ()
    """What the user asks for next, one after the other, each once the assistant has answered without a question."""
    replies: int = Field(default=8, ge=0)
    """Most things that the user says after the first message."""


class ModelUser(Record):
    """A user whose part a model plays."""

    kind: Literal["model"] = "model"
    instructions: str
    """Who the user is, wants and knows; the model that plays the part sees it, the one that is tested does not."""
    replies: int = Field(default=8, ge=0)
    """Most things that the user says after the first message."""


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
    policy: Policy | None = None
    user: Annotated[ScriptedUser | ModelUser, Field(discriminator="kind")] | None = None
    """Who answers when the assistant says something; None: the first answer ends the episode."""
    expected: Expected
    stop: Literal["answer", "calls"] = "answer"
    """`calls`: the episode ends with the first turn, and calls are not executed (as in the Berkeley leaderboard)."""
    completion: tuple[str, ...] = ()
    """Tools that end the task: a call of one, in a turn in which no call failed, ends the episode."""
    max_turns: int = Field(default=6, ge=1)
    """Most model calls."""
    tags: tuple[str, ...] = ()
    """`held_out_tool` marks scenarios whose right tool occurs in the held-out part only."""
    weight: float = Field(default=1.0, gt=0)

    @property
    def query(self) -> str:
        """The first user message."""
        return next(m.content for m in self.messages if m.role == "user")

    @property
    def prompt(self) -> tuple[Message, ...]:
        """The messages that an attempt begins with: the policy stands at the end of the system prompt."""
        if self.policy is None or not self.policy.text:
            return self.messages
        said = self.messages[0].content if self.messages and self.messages[0].role == "system" else ""
        system = Message(role="system", content=f"{said}\n\n{self.policy.text}".strip())
        return (system, *(self.messages[1:] if said else self.messages))

    def digest(self) -> str:
        """Return an id of the scenario's whole content."""
        return stable_id(self.model_dump(mode="json"))
