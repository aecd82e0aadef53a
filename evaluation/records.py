"""What happened: the nouns that every other file reads or writes.

Frozen, typed, and the same after a round trip through JSON (`model_dump_json` / `model_validate_json`). Nothing here
reads a clock, a disk or a model. Times are UTC; ids are strings; identical inputs give identical ids (`stable_id`), so
that a step that runs again writes the same rows.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Record(BaseModel):
    """Base of all records: immutable, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def stable_id(*parts: object) -> str:
    """Return 24 hex digits that depend only on `parts` (SHA-256 of their canonical JSON)."""
    text = json.dumps(parts, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


class ToolCall(Record):
    """One call that an assistant turn asks for."""

    id: str
    """Pairs the call with its result."""
    name: str
    arguments: dict[str, Any]
    """Decoded JSON. Empty where the arguments could not be decoded; then the episode has a failure."""


class Message(Record):
    """One chat message, in the shape of the OpenAI chat format."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    """On a tool message: the call that this answers."""
    name: str | None = None
    """On a tool message: the tool's name."""

    def to_openai(self) -> dict[str, Any]:
        """Return the message as the OpenAI chat API and chat templates take it (arguments as a JSON string)."""
        out: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.tool_calls:
            out["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)},
                }
                for call in self.tool_calls
            ]
        if self.tool_call_id is not None:
            out["tool_call_id"] = self.tool_call_id
        if self.name is not None:
            out["name"] = self.name
        return out


class ToolSpec(Record):
    """A tool as a model sees it."""

    name: str
    description: str
    parameters: dict[str, Any]
    """JSON Schema (2020-12) of the arguments object."""

    def to_openai(self) -> dict[str, Any]:
        """Return the tool in the OpenAI `tools` format."""
        return {"type": "function", "function": self.model_dump(include={"name", "description", "parameters"})}


class OpenAIFunction(BaseModel):
    """The `function` of a tool in the OpenAI format."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object", "properties": {}})


class OpenAITool(BaseModel):
    """A tool in the OpenAI `tools` format, as others send it; fields that we do not know are passed over."""

    function: OpenAIFunction

    def spec(self) -> ToolSpec:
        """Return the tool as a model sees it."""
        return ToolSpec(**self.function.model_dump())


class FailureKind(StrEnum):
    """What broke, classified once at the boundary where it broke."""

    MODEL_ERROR = "model_error"
    """The model client raised or the endpoint answered with an error."""
    MALFORMED_OUTPUT = "malformed_output"
    """The output looks like a call but cannot be read as one."""
    UNKNOWN_TOOL = "unknown_tool"
    """A call names a tool that was not offered."""
    INVALID_ARGUMENTS = "invalid_arguments"
    """Arguments break the tool's JSON Schema."""
    TOOL_ERROR = "tool_error"
    """The tool raised or reported an error."""
    TOOL_TIMEOUT = "tool_timeout"
    """The tool passed its time limit."""
    SCORER_ERROR = "scorer_error"
    """A validator raised."""
    AGENT_ERROR = "agent_error"
    """The agent could not read a step's output, met one of its limits, or raised."""
    USER_ERROR = "user_error"
    """The model that plays the user could not answer."""


class Failure(Record):
    """One failure inside an episode. A failed episode is data, not a crash."""

    kind: FailureKind
    message: str
    turn: int
    """Index of the assistant turn in or after which it happened, from 0; earlier turns that the scenario gave do not
    count, and where the model failed it is that of the turn which did not come."""
    call_id: str | None = None
    """The call that failed; None where the model's own output did."""


class StopReason(StrEnum):
    """Why an episode ended."""

    ANSWERED = "answered"
    """The assistant answered without a further call."""
    CALLED = "called"
    """The scenario asks for calls only, and they were made; or the call that ends the task was."""
    TURN_LIMIT = "turn_limit"
    """The limit of model calls was reached."""
    TOKEN_LIMIT = "token_limit"
    """The limit of output tokens was reached."""
    MODEL_ERROR = "model_error"
    """The model could not be asked any further."""
    AGENT_ERROR = "agent_error"
    """The agent itself broke; a failure says how."""
    USER_ERROR = "user_error"
    """The model that plays the user could not answer."""


class ModelCall(Record):
    """Figures of one model call."""

    task_key: str = ""
    """The step of the agent that asked (`flat.split`); empty: the episode's own task key."""
    latency_ms: float = Field(ge=0, allow_inf_nan=False)
    """Wall time from request to last token."""
    tokens_in: int = Field(ge=0)
    tokens_out: int = Field(ge=0)
    tokens_cached: int = Field(default=0, ge=0)
    """Those of `tokens_in` that the endpoint had in its cache, as far as it says."""
    finish: Literal["stop", "tool_calls", "length", "error"]
    fingerprint: str = ""
    """What the endpoint calls the state of its backend; empty where it does not say."""


class AgentStep(Record):
    """One model call of an agent that asks for more than the next turn of the conversation."""

    task_key: str
    """Which kind of decision it was: `flat.split`, `rebel.memory_check`."""
    messages: tuple[Message, ...]
    """What the model was shown."""
    tools: tuple[ToolSpec, ...] = ()
    response: Message
    readable: bool = True
    """Whether the agent could read the response as what it had asked for."""


class Source(StrEnum):
    """Where an example comes from."""

    TEST = "test"
    PRODUCTION = "production"
    SYNTHETIC = "synthetic"
    MANUAL = "manual"


class Episode(Record):
    """One attempt at a scenario, recorded whole."""

    id: str
    scenario_id: str
    task_key: str
    messages: tuple[Message, ...]
    """Everything that was said, the system and user messages included."""
    tools: tuple[ToolSpec, ...]
    """The tools that were offered."""
    given: int
    """How many of the messages the scenario began with; what follows was said in this attempt."""
    model_calls: tuple[ModelCall, ...]
    steps: tuple[AgentStep, ...] = ()
    """What the agent asked beside the conversation; empty for an agent that only goes on with it."""
    failures: tuple[Failure, ...] = ()
    stop_reason: StopReason
    agent: str = "tools"
    """Name of the agent that drove the model."""
    attempt: int = 0
    seed: int
    """The sampling seed that the model was given."""
    model: str
    """Name of the version, or of the model, that answered."""
    template_hash: str = ""
    """Digest of the chat template; empty where the endpoint does not tell it."""
    started_at: datetime
    world: dict[str, Any] = Field(default_factory=dict)
    """The world's state after the last tool call."""

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """All calls that the assistant made, in order."""
        return tuple(call for message in self.messages for call in message.tool_calls)

    @property
    def answer(self) -> str:
        """The last assistant message's text; empty where the episode ended in a call."""
        last = self.messages[-1] if self.messages else None
        return last.content if last is not None and last.role == "assistant" and not last.tool_calls else ""

    @property
    def latency_ms(self) -> float:
        """Wall time of all model calls together, in milliseconds."""
        return sum(call.latency_ms for call in self.model_calls)

    @property
    def tokens_in(self) -> int:
        """Prompt tokens of all model calls together."""
        return sum(call.tokens_in for call in self.model_calls)

    @property
    def tokens_cached(self) -> int:
        """Prompt tokens that an endpoint's cache held, of all model calls together."""
        return sum(call.tokens_cached for call in self.model_calls)

    @property
    def tokens_out(self) -> int:
        """Output tokens of all model calls together."""
        return sum(call.tokens_out for call in self.model_calls)


class Verdict(StrEnum):
    """Outcome of one validation."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"


class Validation(Record):
    """What was right or wrong in one respect."""

    name: str
    """The validator: `tool_selection`, `arguments`, `answer`, `recovery`, `protocol`."""
    verdict: Verdict
    confidence: float = Field(ge=0, le=1)
    """How sure the validator is of its verdict."""
    reason: str
    """Names what was expected and what was found."""


class Labels(Record):
    """Judgement of one example."""

    correct_tool_selection: bool | None = None
    response_quality: float | None = Field(default=None, ge=0, le=5)
    user_satisfaction: float | None = Field(default=None, ge=1, le=5)
    """Mean rating of the users who gave one."""
    validation_confidence: float = Field(default=0.0, ge=0, le=1)
    """The least confidence among the validations that applied."""
    success: bool | None = None
    """All validations that applied passed. None where nothing could be judged."""


class Metrics(Record):
    """What one example took."""

    latency_ms: float = Field(ge=0)
    tokens_in: int = Field(ge=0)
    tokens_out: int = Field(ge=0)
    cost: float = Field(ge=0)
    """In the currency of the price table."""
    model_calls: int = Field(ge=0)
    price_version: str = ""
    """Version of the price table that `cost` was reckoned by; empty in rows that were written before it was kept."""


class Provenance(Record):
    """Where one example comes from, precisely enough to make it again."""

    source: Source
    scenario_id: str | None = None
    scenario_group: str | None = None
    part: str | None = None  # `train`, `held_out` or `live`
    run_id: str | None = None
    model_version: str | None = None
    variant: str | None = None  # that answered, in production
    stage: int | None = None  # of the rollout, in production
    seed: int | None = None
    template_hash: str = ""
    parent_id: str | None = None
    """The failed example that this one corrects."""
    teacher: str | None = None
    """The model that made a synthetic example up."""
    prompt_variant: str | None = None  # what the teacher was given, `name@digest`
    imported_from: str | None = None  # `file:line`, where it was taken from a file of others


class RewardSignal(Record):
    """A reward in −1…+1 with its components, each in −1…+1."""

    value: float = Field(ge=-1, le=1)
    correctness: float | None = Field(ge=-1, le=1)  # None where only ratings tell
    speed: float = Field(ge=-1, le=1)
    cost: float = Field(ge=-1, le=1)
    user_satisfaction: float = Field(ge=-1, le=1)
    version: str = ""  # digest of the weights; empty in rows that were written before it was kept


class RecoveryStrategy(StrEnum):
    """What to do after an error."""

    CLARIFY = "clarify"
    RETRY = "retry"
    FALLBACK = "fallback"
    GRACEFUL_FAIL = "graceful_fail"


class ErrorRecovery(Record):
    """How an error was, and should have been, met."""

    query: str
    error_type: str
    correct_response: str | None
    incorrect_response: str | None
    strategy: RecoveryStrategy


class Example(Record):
    """An episode with labels, as the ledger keeps it."""

    id: str
    task_key: str
    query: str
    """The last user message before the first answer."""
    context: str = ""
    """The system prompt, and what was said before the query."""
    user_hash: str | None = None
    """Keyed hash of the user's id; never the id itself."""
    conversation: str | None = None
    """The conversation that this belongs to, in production."""
    timestamp: datetime
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...]
    response: str
    """The final message's text."""
    error: str | None = None
    """The first failure, as `kind: message`."""
    tools_used: tuple[str, ...]
    analysis: str = ""
    """What the validators found, one line each."""
    validations: tuple[Validation, ...] = ()
    labels: Labels = Labels()
    metrics: Metrics
    provenance: Provenance
    reward: RewardSignal | None = None
    recovery: ErrorRecovery | None = None


class Feedback(Record):
    """What one person said of one example."""

    id: str
    example_id: str
    rating: int = Field(ge=1, le=5)
    thumb: Literal["up", "down"] | None = None
    """Where the rater gave one in place of a number: up is rated 5, down 1."""
    tool_selection: int | None = Field(default=None, ge=1, le=5)
    response_quality: int | None = Field(default=None, ge=1, le=5)
    speed: int | None = Field(default=None, ge=1, le=5)
    comment: str = ""
    suggested_tools: tuple[str, ...] = ()
    suggested_response: str | None = None
    rater: str
    """Keyed hash of who said it; the latest of each rater counts."""
    timestamp: datetime
