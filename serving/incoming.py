"""Examples and feedback as others send them: OpenAI-shaped bodies in, records out.

Decisions: an id of the sender's is the row's own id, so that what is sent again is written once; without one an example
gets a new id each time. Users and raters are kept as keyed hashes only. Fields that we do not know are refused, since
a misspelt label would be lost in silence; within messages and tools they are passed over, as everywhere. A conversation
has to be one that an import would take, by the same checks and in the same words (`evaluation/conversation_checks.py`);
one that says itself what went wrong (`error`) only has to be readable, since mistakes are what is learned from it.
Everything that is wrong with a request is told at once, by index and field. A quality is what the sender gives; none is
reckoned from the texts, since how an answer is worded is nobody's verdict.

Not covered: images and other content than text, which are refused.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StrictBool,
    ValidationError,
    model_validator,
)

from evaluation.conversation_checks import check_time, read_conversation
from evaluation.importers.conversations import Conversation
from evaluation.located import MOST_SHOWN, dotted, explained
from evaluation.records import Example, FailureKind, Feedback, Labels, Message, Metrics, Provenance, Source, stable_id
from evaluation.rewards import RewardConfig, with_reward
from serving.capture import REPORTED, user_hash


def _plain(text: str) -> str:
    """Return an id, key or name. Raises ValueError where no ledger could hold it, or nobody could read it."""
    if not text.strip():
        raise ValueError(f"expected a text with more than spaces, found {text!r}")
    if "\x00" in text or (not text.isascii() and text.encode("utf-8", "replace").decode() != text):
        raise ValueError(f"expected text without NUL and halves of surrogate pairs, found {text!a}")
    return text


Id = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_plain)]
Rating = Annotated[int, Field(strict=True, ge=1, le=5)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
PAGE = "docs/collecting.md"
THUMBS = {"up": 5, "down": 1}
"""The rating that a thumb stands for."""
MOST = 1000
"""Examples of one request."""
MOST_TOKENS = 10**9
"""Of one example; sums over a ledger stay within what databases count."""


class Unreadable(ValueError):
    """What was sent is JSON and still not what was asked for; the message names each place."""


class Usage(BaseModel):
    """Tokens, as an OpenAI response tells them."""

    prompt_tokens: int = Field(default=0, strict=True, ge=0, le=MOST_TOKENS)
    completion_tokens: int = Field(default=0, strict=True, ge=0, le=MOST_TOKENS)


class GivenLabels(BaseModel):
    """What the sender knows of an example."""

    model_config = ConfigDict(extra="forbid")

    success: StrictBool | None = None
    correct_tool_selection: StrictBool | None = None
    response_quality: Number | None = Field(default=None, ge=0, le=5)
    confidence: Number = Field(default=REPORTED, ge=0, le=1)
    """How sure the sender is."""


class ExampleBody(BaseModel):
    """One example of `POST /v1/ratchet/examples`."""

    model_config = ConfigDict(extra="forbid")

    id: Id | None = None
    messages: list[Any] = Field(min_length=1)
    tools: list[Any] | None = None
    task_key: Id = "tools"
    source: Literal["production", "manual", "synthetic"] = "production"
    model: Id | None = None
    """What answered."""
    user: Id | None = None
    """Kept as a keyed hash only."""
    conversation: Id | None = None
    timestamp: datetime | None = None
    """None: now. Without a zone it counts as UTC."""
    latency_ms: Number = Field(default=0, ge=0)
    cost: Number = Field(default=0, ge=0)
    usage: Usage = Usage()
    error: str | None = None
    """What went wrong, as `kind: message`; of another kind than ours it is the agent's."""
    labels: GivenLabels | None = None

    _talk: Conversation | None = PrivateAttr(default=None)

    def talk(self) -> Conversation:
        """Return the conversation, read once. Raises `Unreadable` with the first thing that is wrong with it."""
        if self._talk is not None:
            return self._talk
        found = read_conversation(self.messages, self.tools)
        wrong = (*found.unreadable, *(found.unsound if self.error is None else ()))
        if wrong or found.conversation is None:
            raise Unreadable(str(wrong[0]))
        if not any(message.role == "assistant" for message in found.conversation.messages):
            raise Unreadable("messages: expected at least one message of the assistant, found none")
        self._talk = found.conversation
        return self._talk

    def record(self, secret: bytes, now: datetime, rewards: RewardConfig | None = None) -> Example:
        """Return the example, with its reward by the weights `rewards` where its labels tell one.

        Raises `Unreadable` for what `talk` does, and for far times.
        """
        return with_reward(_example(self, self.talk(), secret, _time(self.timestamp, now)), rewards)


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
    suggested_tools: tuple[Id, ...] = ()
    suggested_response: str | None = None
    rater: Id = "anonymous"
    """Kept as a keyed hash only."""
    timestamp: datetime | None = None
    """None: now."""

    @model_validator(mode="after")
    def _is_rated(self) -> Self:
        if self.rating is None and self.thumb is None:
            raise ValueError("expected a rating from 1 to 5, or a thumb, up or down; found neither")
        if self.rating is not None and self.thumb is not None and abs(self.rating - THUMBS[self.thumb]) > 2:
            raise ValueError(
                f"expected a rating and a thumb that say the same, found rating {self.rating} with thumb {self.thumb!r}"
            )
        return self

    def record(self, secret: bytes, now: datetime) -> Feedback:
        """Return the feedback. Raises `Unreadable` for far times."""
        given = self.model_dump(exclude={"id", "rater", "timestamp", "rating"})
        rating = self.rating if self.rating is not None else THUMBS[self.thumb or "up"]
        rater = user_hash(secret, self.rater)
        name = self.id or stable_id("feedback", rater, rating, given)
        return Feedback(id=name, rater=rater, rating=rating, timestamp=_time(self.timestamp, now), **given)


def read_examples(body: Any) -> list[ExampleBody]:
    """Return the examples of a request, one or a list. Raises `Unreadable` with the first mistake of each."""
    many = isinstance(body, list)
    if many and not 1 <= len(body) <= MOST:
        raise Unreadable(f"expected 1 to {MOST} examples in one request, found {len(body)}")
    found, wrong = [], []
    for number, one in enumerate(body if many else [body]):
        before = f"examples[{number}]" if many else ""
        try:
            read = ExampleBody.model_validate(one)
            read.talk()
            found.append(read)
        except ValidationError as error:
            wrong.append(_first(error, before))
        except Unreadable as error:
            wrong.append(placed(before, error))
    refuse(wrong)
    given = [one.id for one in found if one.id is not None]
    if twice := [name for name, count in Counter(given).items() if count > 1]:
        raise Unreadable(
            f"examples: expected each id once, found {twice[0]!r} more than once; one of them would be lost"
        )
    return found


def refuse(mistakes: Sequence[str]) -> None:
    """Raise `Unreadable` where there are mistakes, with the first of them."""
    if mistakes:
        more = f"\n… and {len(mistakes) - MOST_SHOWN} more" if len(mistakes) > MOST_SHOWN else ""
        raise Unreadable("\n".join(mistakes[:MOST_SHOWN]) + more)


def placed(before: str, error: ValueError) -> str:
    """Return what is wrong with one of several examples, with its index."""
    return f"{before}.{error}" if before else str(error)


def read_feedback(body: Any) -> FeedbackBody:
    """Return the feedback of a request. Raises `Unreadable` with the place of the first mistake."""
    try:
        return FeedbackBody.model_validate(body)
    except ValidationError as error:
        raise Unreadable(_first(error)) from None


def _first(error: ValidationError, before: str = "") -> str:
    """Return the first mistake with its place."""
    mistake = error.errors(include_url=False)[0]
    place = dotted(mistake["loc"])
    where = ".".join(part for part in (before, place) if part)
    return f"{where or 'body'}: {explained(dict(mistake), PAGE)}"


def _example(body: ExampleBody, talk: Conversation, secret: bytes, at: datetime) -> Example:
    messages: tuple[Message, ...] = talk.messages
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
        tools=tuple(tool.spec() for tool in talk.tools),
        response=last.content if last.role == "assistant" else "",
        error=_error(body.error),
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


def _error(said: str | None) -> str | None:
    """Return what the sender says went wrong, as a failure of a kind that we know."""
    if not said or said.partition(":")[0] in set(FailureKind):
        return said or None
    return f"{FailureKind.AGENT_ERROR}: {said}"


def _time(given: datetime | None, now: datetime) -> datetime:
    if given is None:
        return now
    try:
        at = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    except OverflowError:
        raise Unreadable(f"timestamp: expected a time that there is in UTC, found {given.isoformat()}") from None
    try:
        check_time(at, now)
    except ValueError as error:
        raise Unreadable(str(error)) from None
    return at
