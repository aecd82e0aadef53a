"""The nouns of the training database beside examples and feedback: labels, reviews, recoveries, rewards, what is kept
aside, and the trail of what was forgotten.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field, JsonValue

from evaluation.records import Message, Record, RecoveryStrategy, RewardSignal


class LabelSource(StrEnum):
    """How a label came about."""

    REVIEW = "review"
    """A person looked at the example."""
    RULE = "rule"
    """A rule read it from the episode."""
    MODEL = "model"
    """A model judged it."""
    PROPAGATED = "propagated"
    """Taken over from examples like it; a weak label."""


class LabelVerdict(StrEnum):
    """What a label says of the whole example."""

    ACCEPT = "accept"
    """Right as it is."""
    REJECT = "reject"
    """Wrong, and not to be learned from."""
    CORRECT = "correct"
    """Wrong, and `LabelRecord.messages` says how it should have been."""
    RATE = "rate"
    """Nothing of the whole; only the figures below."""


class RecoveryAnswer(Record):
    """How an error should have been met, in a person's word."""

    strategy: RecoveryStrategy | None = None
    """None: there is nothing to learn here."""
    correct_response: str = ""


class LabelRecord(Record):
    """What a reviewer or a rule says of one example. Never without confidence and source."""

    id: str
    example_id: str
    by: str = Field(min_length=1)
    """A person's name, or that of the rule or model."""
    source: LabelSource
    verdict: LabelVerdict
    confidence: float = Field(ge=0, le=1)
    success: bool | None = None
    correct_tool_selection: bool | None = None
    response_quality: float | None = Field(default=None, ge=0, le=5)
    messages: tuple[Message, ...] = ()
    """The whole conversation as it should have been; with verdict `correct` only."""
    note: str = ""
    recovery: RecoveryAnswer | None = None
    """The answer to a review of kind `recovery`; such a label says nothing of the example as a whole."""
    review_id: str | None = None
    """The review that it answers."""
    at: datetime
    undone_at: datetime | None = None
    """When it was taken back; such a label is kept and counts for nothing."""


class ReviewKind(StrEnum):
    """What a review asks."""

    EXAMPLE = "example"
    """Is this example right?"""
    RECOVERY = "recovery"
    """How should this error have been met?"""


class ReviewStatus(StrEnum):
    """Where a review stands."""

    OPEN = "open"
    DONE = "done"
    """As many reviewers as it needs agree."""
    CONFLICT = "conflict"
    """As many as it needs have answered and they do not agree: it asks for one more."""
    WITHDRAWN = "withdrawn"


class ReviewItem(Record):
    """An example that waits for reviewers, or has had them. One of kind `recovery` has the recovery's id."""

    id: str
    queue: str
    example_id: str
    kind: ReviewKind = ReviewKind.EXAMPLE
    priority: float
    """The lowest first."""
    reason: str
    """Why it was queued, for a person to read."""
    needed: int = Field(default=1, ge=1)
    """Reviewers that have to agree."""
    status: ReviewStatus = ReviewStatus.OPEN
    lease_owner: str | None = None
    """Who has it before them now."""
    lease_until: datetime | None = None
    enqueued_at: datetime
    done_at: datetime | None = None


class RecoveryStatus(StrEnum):
    """Whether it is known how an error should have been met."""

    LABELLED = "labelled"
    QUEUED = "queued"
    """The episode does not show it; a person is asked."""
    REJECTED = "rejected"
    """A person said that there is nothing to learn here."""


class RecoveryRecord(Record):
    """An error inside an example, and how it should have been met."""

    id: str
    example_id: str
    error_type: str
    """The failure's kind: `tool_error`, `invalid_arguments`, `malformed_output`, …"""
    error: str = ""
    """What the tool or the reader said."""
    turn: int = Field(ge=0)
    """Index into the example's messages of the assistant message that failed."""
    query: str
    incorrect_response: str
    """What was said or called."""
    correct_response: str | None = None
    """What should have been said or called instead or next."""
    strategy: RecoveryStrategy | None = None
    status: RecoveryStatus
    source: LabelSource = LabelSource.RULE
    confidence: float = Field(ge=0, le=1)
    at: datetime


class RewardRecord(Record):
    """The reward of an example under one version of the weights."""

    example_id: str
    version: str
    """Digest of the weights."""
    signal: RewardSignal
    at: datetime


class DeadLetter(Record):
    """What could not be written where it belongs, kept until it is replayed."""

    id: str
    kind: str
    """`example` or `feedback`."""
    origin: str
    """Where it came in: `gateway`, `client`, `import:<file>`, `feedback add`."""
    subject: str | None = None
    """Id of the example that it is, or is about, as far as it can be told."""
    reason: str
    text: str
    """As it came."""
    tries: int = Field(default=1, ge=0)
    at: datetime
    replayed_at: datetime | None = None


class PrivacyEvent(Record):
    """One line of the trail of what was forgotten, exported or deleted for its age. Lines are added, never changed."""

    id: str
    kind: str
    """`forget`, `export`, `retention`."""
    subject: str
    """The user's hash, or the rule."""
    by: str
    at: datetime
    detail: dict[str, JsonValue] = Field(default_factory=dict)
    """Counts and references; never the data itself."""
