"""The ledger's own nouns: runs, rollouts and their events, decisions, turns of the loop, figures, pinned scenarios."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field, JsonValue

from evaluation.records import Record, Source
from evaluation.scenarios import Scenario


class ExampleFilter(Record):
    """Which examples to take. None means any; an empty tuple matches nothing."""

    ids: tuple[str, ...] | None = None
    task_key: str | None = None
    sources: tuple[Source, ...] | None = None
    run_ids: tuple[str, ...] | None = None
    parts: tuple[str, ...] | None = None
    """Of `train`, `held_out`, `live`."""
    scenario_id: str | None = None
    model_version: str | None = None
    model_versions: tuple[str, ...] | None = None
    variant: str | None = None
    stage: int | None = None
    """The rollout stage."""
    user_hash: str | None = None
    conversation: str | None = None
    since: datetime | None = None
    """At this time or later."""
    until: datetime | None = None
    """Before this time."""
    success: bool | None = None
    correct_tool_selection: bool | None = None
    min_confidence: float | None = None
    """At least this validation confidence, 0…1."""
    max_confidence: float | None = None
    """At most this validation confidence, 0…1."""
    min_quality: float | None = None
    """At least this response quality, 0…5. Examples without a quality never match."""
    max_quality: float | None = None
    """At most this response quality, 0…5. Examples without a quality never match."""
    min_reward: float | None = None
    """At least this reward, −1…1. Examples without a reward never match."""
    max_reward: float | None = None
    """At most this reward. Examples without a reward never match."""
    min_rating: float | None = None
    """At least this mean rating, 1…5; each rater's latest counts. Examples that nobody rated never match."""
    tool: str | None = None
    """A tool of this name was called."""
    error_kind: str | None = None
    """The first failure is of this kind (`FailureKind`)."""
    limit: int | None = Field(default=None, ge=0)
    """At most so many, those that come first."""


class Status(StrEnum):
    """How far a run or a turn of the loop has come."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"
    """Ended on purpose before it was done."""


class RunRecord(Record):
    """One run that writes examples: a test run, a comparison, a synthesis."""

    id: str
    kind: str
    suite_digest: str = ""
    """Digest of the scenarios; empty where the run has none."""
    model: str
    seed: int
    started_at: datetime
    finished_at: datetime | None = None
    status: Status = Status.RUNNING
    counts: dict[str, int] = Field(default_factory=dict)


class LoopRecord(Record):
    """One turn of the loop."""

    turn_id: str
    seed: int
    status: Status = Status.RUNNING
    seconds: dict[str, float] = Field(default_factory=dict)
    """Wall time by step."""
    started_at: datetime
    finished_at: datetime | None = None


class DesiredState(StrEnum):
    """What a person wants of a rollout. The controller brings it about."""

    RUN = "run"
    PAUSE = "pause"
    PROMOTE = "promote"
    ABORT = "abort"


class RolloutStatus(StrEnum):
    """Where a rollout stands."""

    PENDING = "pending"
    """Recorded; the candidate has not answered yet."""
    RUNNING = "running"
    PAUSED = "paused"
    PROMOTED = "promoted"
    """The candidate is the champion."""
    ROLLED_BACK = "rolled_back"
    """The evidence spoke against the candidate."""
    ABORTED = "aborted"
    """A person ended it."""
    FAILED = "failed"
    """It could not be carried out."""

    @property
    def active(self) -> bool:
        """Whether the rollout still moves traffic."""
        return self in {RolloutStatus.PENDING, RolloutStatus.RUNNING, RolloutStatus.PAUSED}


class RolloutRecord(Record):
    """The state of one rollout: from it alone, a gateway that starts anew can rebuild its variants."""

    id: str
    model: str
    """The registered model's name."""
    champion: str | None
    """The version that answers now; None for a model's first version."""
    candidate: str
    stage: int = Field(default=0, ge=0)
    weights: dict[str, float] = Field(default_factory=dict)
    """Share of traffic by version, 0…1."""
    desired: DesiredState = DesiredState.RUN
    status: RolloutStatus = RolloutStatus.PENDING
    evidence: dict[str, JsonValue] = Field(default_factory=dict)
    lease_owner: str | None = None
    """Written by the lease's own verbs only."""
    lease_until: datetime | None = None
    revision: int = Field(default=0, ge=0)
    """Counts the updates; an update names the one that it was made from."""
    created_at: datetime
    updated_at: datetime


class RolloutEvent(Record):
    """One line of a rollout's audit trail. Lines are added, never changed."""

    rollout_id: str
    seq: int = 0
    """Order within the ledger, given when it is written."""
    kind: str
    """What happened: `started`, `stage`, `rolled_back`, …"""
    actor: str
    """Who did it: the controller, or a person's name."""
    reason: str
    detail: dict[str, JsonValue] = Field(default_factory=dict)
    at: datetime


class DecisionRecord(Record):
    """One decision of the gate, with all that it rests on."""

    id: str
    subject: str
    """What was judged: a version, or a pair of them."""
    outcome: str
    evidence: dict[str, JsonValue] = Field(default_factory=dict)
    policy_hash: str
    at: datetime


class OverrideRecord(Record):
    """A person's word against a decision of the gate. Stands beside the decision for ever."""

    id: str
    decision_id: str
    outcome: str
    """`approve` or `reject`: what holds instead."""
    by: str = Field(min_length=1)
    """Name of the person."""
    reason: str = Field(min_length=1)
    at: datetime


class PinStatus(StrEnum):
    """Whether a pinned scenario decides."""

    ACTIVE = "active"
    QUARANTINED = "quarantined"
    """Flaky: attempted and reported, without a say."""
    REMOVED = "removed"
    """Taken out of the regression set by a person; kept for its trail."""


class PinEvent(Record):
    """One line of a pin's trail. Lines are added, never changed."""

    what: str
    """`pinned`, `quarantined`, `released`, `removed`."""
    by: str
    """A person's name, or the command."""
    reason: str
    passes: int | None = None
    """Of repeated runs, where they decided."""
    attempts: int | None = None
    at: datetime


class PinRecord(Record):
    """A scenario of the regression set."""

    id: str
    """The scenario's."""
    scenario: Scenario
    origin: str
    """Where it comes from: `suite:<name>`, `run:<id>`, `example:<id>`."""
    status: PinStatus = PinStatus.ACTIVE
    trail: tuple[PinEvent, ...]
    """At least how it was pinned."""
    at: datetime
    """When it was pinned."""


class Observation(Record):
    """A figure of one version, as it was measured at one time."""

    id: str
    subject: str
    """The version, `name:version`, or the model as episodes name it."""
    task_key: str = ""
    """Empty: over all task keys."""
    metric: str
    value: float
    low: float | None = None
    high: float | None = None
    """95% interval."""
    n: int
    """Scenarios (or production examples) that it rests on."""
    origin: str
    """`test`, `compare`, `ab` or `production`."""
    origin_id: str
    """The run, the comparison, or the day."""
    suite_digest: str = ""
    """Of the scenarios; figures of different ones are not to be compared without care."""
    at: datetime


class LookRecord(Record):
    """One use of held-out scenarios for a choice."""

    id: str
    digest: str
    """Of the held-out scenarios."""
    scenarios: int = Field(ge=1)
    """How many they are."""
    kind: str
    """`compare`, `ab`, `test`."""
    subject: str
    """What was looked at."""
    at: datetime
