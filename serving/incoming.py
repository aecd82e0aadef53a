"""Examples and feedback as others send them: OpenAI-shaped bodies in, records out.

Decisions: an id of the sender's is the row's own id, so that what is sent again is written once; without one an example
gets a new id each time. Users and raters are kept as keyed hashes only. Fields that we do not know are refused, since
a misspelt label would be lost in silence; within messages and tools they are passed over, as everywhere.

Not covered: images and other content than text, which are refused; whether the roles of a conversation alternate.
"""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from evaluation.ledger.feedback import AHEAD
from evaluation.quality import QualityConfig, quality_of
from evaluation.records import Example, Feedback, Labels, Message, Metrics, OpenAITool, Provenance, Source, stable_id
from serving.capture import REPORTED, user_hash
from serving.openai import ChatMessage, record_of

Id = Annotated[str, Field(min_length=1, max_length=200)]
Rating = Annotated[int, Field(ge=1, le=5)]
THUMBS = {"up": 5, "down": 1}
"""The rating that a thumb stands for."""
MOST = 1000
"""Examples of one request."""
MOST_TOKENS = 10**9
"""Of one example; sums over a ledger stay within what databases count."""


class Usage(BaseModel):
    """Tokens, as an OpenAI response tells them."""

    prompt_tokens: int = Field(default=0, ge=0, le=MOST_TOKENS)
    completion_tokens: int = Field(default=0, ge=0, le=MOST_TOKENS)


class GivenLabels(BaseModel):
    """What the sender knows of an example."""

    model_config = ConfigDict(extra="forbid")

    success: bool | None = None
    correct_tool_selection: bool | None = None
    response_quality: float | None = Field(default=None, ge=0, le=5)
    confidence: float = Field(default=REPORTED, ge=0, le=1)
    """How sure the sender is."""


class ExampleBody(BaseModel):
    """One example of `POST /v1/ratchet/examples`."""

    model_config = ConfigDict(extra="forbid")

    id: Id | None = None
    messages: list[ChatMessage] = Field(min_length=1)
    tools: list[OpenAITool] | None = None
    task_key: Id = "tools"
    source: Literal["production", "manual", "synthetic"] = "production"
    model: Id | None = None
    """What answered."""
    user: Id | None = None
    """Kept as a keyed hash only."""
    conversation: Id | None = None
    timestamp: datetime | None = None
    """None: now. Without a zone it counts as UTC."""
    latency_ms: float = Field(default=0, ge=0, allow_inf_nan=False)
    cost: float = Field(default=0, ge=0, allow_inf_nan=False)
    usage: Usage = Usage()
    error: str | None = None
    labels: GivenLabels | None = None

    def record(self, secret: bytes, now: datetime, quality: QualityConfig | None = None) -> Example:
        """Return the example. Raises ValueError for messages that cannot be read, far times and ids with a NUL."""
        for number, message in enumerate(self.messages):
            _require_text(message, number)
        messages = tuple(record_of(message, number) for number, message in enumerate(self.messages))
        if not any(message.role == "assistant" for message in messages):
            raise ValueError("messages: expected at least one message of the assistant, found none")
        for name in ("id", "task_key", "model", "conversation"):
            _require_plain(name, getattr(self, name))
        known = _example(self, messages, secret, _time(self.timestamp, now))
        if known.labels.response_quality is not None:
            return known
        value = quality_of(known, config=quality).value
        return known.model_copy(update={"labels": known.labels.model_copy(update={"response_quality": value})})


class FeedbackBody(BaseModel):
    """Body of `POST /v1/ratchet/feedback`: a rating or a thumb, and what else one has to say."""

    model_config = ConfigDict(extra="forbid")

    id: Id | None = None
    """None: made of the content, so that the same words of the same rater count once."""
    example_id: Id
    rating: Rating | None = None
    thumb: Literal["up", "down"] | None = None
    tool_selection: Rating | None = None
    response_quality: Rating | None = None
    speed: Rating | None = None
    comment: str = ""
    suggested_tools: tuple[str, ...] = ()
    suggested_response: str | None = None
    rater: str = "anonymous"
    """Kept as a keyed hash only."""
    timestamp: datetime | None = None
    """None: now."""

    @model_validator(mode="after")
    def _is_rated(self) -> Self:
        if self.rating is None and self.thumb is None:
            raise ValueError("expected a rating from 1 to 5, or a thumb, up or down; found neither")
        return self

    def record(self, secret: bytes, now: datetime) -> Feedback:
        """Return the feedback. Raises ValueError for far times and ids with a NUL."""
        for name in ("id", "example_id"):
            _require_plain(name, getattr(self, name))
        given = self.model_dump(exclude={"id", "rater", "timestamp", "rating"})
        rating = self.rating if self.rating is not None else THUMBS[self.thumb or "up"]
        rater = user_hash(secret, self.rater)
        name = self.id or stable_id("feedback", rater, rating, given)
        return Feedback(id=name, rater=rater, rating=rating, timestamp=_time(self.timestamp, now), **given)


def read_examples(body: Any) -> list[ExampleBody]:
    """Return the examples of a request, one or a list. Raises ValueError with the place of the first mistake."""
    many = isinstance(body, list)
    if many and not 1 <= len(body) <= MOST:
        raise ValueError(f"expected 1 to {MOST} examples in one request, found {len(body)}")
    found = []
    for number, one in enumerate(body if many else [body]):
        try:
            found.append(ExampleBody.model_validate(one))
        except ValidationError as error:
            raise ValueError(_first(error, f"examples[{number}]" if many else "")) from None
    given = [one.id for one in found if one.id is not None]
    if twice := [name for name, count in Counter(given).items() if count > 1]:
        raise ValueError(
            f"examples: expected each id once, found {twice[0]!r} more than once; one of them would be lost"
        )
    return found


def read_feedback(body: Any) -> FeedbackBody:
    """Return the feedback of a request. Raises ValueError with the place of the first mistake."""
    try:
        return FeedbackBody.model_validate(body)
    except ValidationError as error:
        raise ValueError(_first(error)) from None


def _first(error: ValidationError, before: str = "") -> str:
    """Return the first mistake with its place."""
    mistake = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in mistake["loc"])
    where = ".".join(part for part in (before, place) if part)
    return f"{where or 'body'}: {mistake['msg'].removeprefix('Value error, ')}"


def _example(body: ExampleBody, messages: tuple[Message, ...], secret: bytes, at: datetime) -> Example:
    asked = [number for number, message in enumerate(messages) if message.role == "user"]
    first = asked[-1] if asked else 0
    last, labels = messages[-1], body.labels
    return Example(
        id=body.id or uuid.uuid4().hex,
        task_key=body.task_key,
        query=messages[first].content if asked else "",
        context="\n".join(m.content for m in messages[:first] if m.role != "tool"),
        user_hash=user_hash(secret, body.user) if body.user else None,
        conversation=body.conversation,
        timestamp=at,
        messages=messages,
        tools=tuple(tool.spec() for tool in body.tools or ()),
        response=last.content if last.role == "assistant" else "",
        error=body.error,
        tools_used=tuple(dict.fromkeys(call.name for m in messages[first:] for call in m.tool_calls)),
        labels=Labels()
        if labels is None
        else Labels(**labels.model_dump(exclude={"confidence"}), validation_confidence=labels.confidence),
        metrics=Metrics(
            latency_ms=body.latency_ms,
            tokens_in=body.usage.prompt_tokens,
            tokens_out=body.usage.completion_tokens,
            cost=body.cost,
            model_calls=sum(message.role == "assistant" for message in messages[first:]),
        ),
        provenance=Provenance(source=Source(body.source), model_version=body.model),
    )


def _time(given: datetime | None, now: datetime) -> datetime:
    if given is None:
        return now
    try:
        at = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"timestamp: expected a time that there is in UTC, found {given.isoformat()}") from None
    if at > now + AHEAD:
        raise ValueError(
            f"timestamp: expected a time up to {AHEAD / timedelta(days=1):g} day from now, found {at.isoformat()}"
        )
    return at


def _require_text(message: ChatMessage, number: int) -> None:
    """Raise ValueError for a part that is no text: without it the answer would not follow from the question."""
    for part in message.content if isinstance(message.content, list) else ():
        if part.get("type") != "text":
            raise ValueError(
                f"messages[{number}].content: expected parts of type text, which is all that examples hold, found"
                f" {str(part.get('type'))[:40]!r}; leave the example out, or say in words what was shown"
            )


def _require_plain(name: str, value: str | None) -> None:
    if value is None:
        return
    if "\x00" in value or (not value.isascii() and value.encode("utf-8", "replace").decode() != value):
        raise ValueError(f"{name}: expected text without NUL and halves of surrogate pairs, found {value!a}")
