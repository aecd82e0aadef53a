"""The tables. A change here needs a migration in `migrations/versions/`; a test compares the two."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from evaluation.ledger.columns import AnyText, Body
from evaluation.ledger.columns import Base as Base

FIGURES = (
    "task_key", "source", "model_version", "error_kind", "success", "correct_tool_selection", "timestamp",
    "response_quality", "validation_confidence", "tools_used", "latency_ms", "tokens_in", "tokens_out",
    "cost", "bytes",
)  # fmt: skip
"""What statistics are made of, what is counted by first. SQLite reads them from one index, past the bodies; PostgreSQL
keeps large bodies apart anyway, and there the index is empty."""


class ExampleRow(Base):
    """An example: the columns that one filters on, and the whole record in `body`.

    `body` is as it was written. `success`, `correct_tool_selection`, `response_quality` and `validation_confidence`
    are the labels in force: those of the body until a label (`LabelRow`) says otherwise; `reward` is the newest one.
    """

    __tablename__ = "examples"
    __table_args__ = (
        Index("ix_examples_time", "timestamp", "id"),
        Index("ix_examples_task", "task_key", "timestamp", "id"),
        Index("ix_examples_run", "run_id", "timestamp", "id"),
        Index("ix_examples_version", "model_version", "timestamp", "id"),
        Index("ix_examples_variant", "variant", "stage", "timestamp", "id"),
        Index("ix_examples_user", "user_hash", "timestamp", "id"),
        Index("ix_examples_source", "source", "timestamp", "id"),
        Index("ix_examples_success", "success", "timestamp", "id"),
        Index("ix_examples_tools", "correct_tool_selection", "timestamp", "id"),
        Index("ix_examples_quality", "response_quality", "timestamp", "id"),
        Index("ix_examples_confidence", "validation_confidence", "timestamp", "id"),
        Index("ix_examples_conversation", "conversation"),
        Index("ix_examples_figures", *FIGURES, postgresql_where=text("false")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    task_key: Mapped[str]
    timestamp: Mapped[datetime]
    source: Mapped[str]
    run_id: Mapped[str | None]
    scenario_id: Mapped[str | None]
    scenario_group: Mapped[str | None]
    part: Mapped[str | None]
    model_version: Mapped[str | None]
    variant: Mapped[str | None]
    stage: Mapped[int | None]
    user_hash: Mapped[str | None]
    conversation: Mapped[str | None]
    success: Mapped[bool | None]
    correct_tool_selection: Mapped[bool | None]
    response_quality: Mapped[float | None]
    validation_confidence: Mapped[float]
    reward: Mapped[float | None]
    bytes: Mapped[int] = mapped_column(server_default="0")
    """Of the body as JSON in UTF-8."""
    tools_used: Mapped[str] = mapped_column(server_default="[]")
    """Names of the tools that were called, as a JSON list."""
    error_kind: Mapped[str | None]
    """Kind of the first failure."""
    latency_ms: Mapped[float] = mapped_column(server_default="0")
    tokens_in: Mapped[int] = mapped_column(BigInteger, server_default="0")
    tokens_out: Mapped[int] = mapped_column(BigInteger, server_default="0")
    cost: Mapped[float] = mapped_column(server_default="0")
    body: Mapped[dict[str, Any]] = mapped_column(Body)


class FeedbackRow(Base):
    """What one person said of one example. Of several by one rater the latest counts; the others are kept."""

    __tablename__ = "feedback"
    __table_args__ = (
        Index("ix_feedback_example", "example_id", "timestamp", "id"),
        Index("ix_feedback_rater", "rater", "timestamp", "id"),
        Index("ix_feedback_time", "timestamp", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    example_id: Mapped[str] = mapped_column(ForeignKey("examples.id"))
    rater: Mapped[str] = mapped_column(server_default="")
    rating: Mapped[int]
    timestamp: Mapped[datetime]
    body: Mapped[dict[str, Any]] = mapped_column(Body)


class LabelRow(Base):
    """What a reviewer or a rule says of one example. Lines are added; `undone_at` takes one back."""

    __tablename__ = "labels"
    __table_args__ = (
        Index("ix_labels_example", "example_id", "at", "id"),
        Index("ix_labels_by", "by", "at", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    example_id: Mapped[str] = mapped_column(ForeignKey("examples.id"))
    by: Mapped[str]
    source: Mapped[str]
    verdict: Mapped[str]
    confidence: Mapped[float]
    at: Mapped[datetime]
    undone_at: Mapped[datetime | None]
    review_id: Mapped[str | None]
    body: Mapped[dict[str, Any]]


class ReviewRow(Base):
    """An example that waits for reviewers, or has had them."""

    __tablename__ = "reviews"
    __table_args__ = (
        Index("ix_reviews_open", "queue", "status", "priority", "id"),
        Index("ix_reviews_example", "example_id"),
        Index("ix_reviews_lease", "lease_owner", "lease_until"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    queue: Mapped[str]
    example_id: Mapped[str] = mapped_column(ForeignKey("examples.id"))
    kind: Mapped[str]
    priority: Mapped[float]
    reason: Mapped[str]
    needed: Mapped[int]
    status: Mapped[str]
    lease_owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    enqueued_at: Mapped[datetime]
    done_at: Mapped[datetime | None]


class RecoveryRow(Base):
    """An error inside an example, and how it should have been met."""

    __tablename__ = "recoveries"
    __table_args__ = (
        Index("ix_recoveries_status", "status", "at", "id"),
        Index("ix_recoveries_example", "example_id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    example_id: Mapped[str] = mapped_column(ForeignKey("examples.id"))
    error_type: Mapped[str]
    strategy: Mapped[str | None]
    status: Mapped[str]
    source: Mapped[str]
    confidence: Mapped[float]
    at: Mapped[datetime]
    body: Mapped[dict[str, Any]]


class RewardRow(Base):
    """The reward of an example under one version of the weights."""

    __tablename__ = "rewards"
    __table_args__ = (Index("ix_rewards_version", "version", "value"),)

    example_id: Mapped[str] = mapped_column(ForeignKey("examples.id"), primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float]
    at: Mapped[datetime]
    body: Mapped[dict[str, Any]]


class DeadLetterRow(Base):
    """What could not be written where it belongs, kept until it is replayed."""

    __tablename__ = "dead_letters"
    __table_args__ = (
        Index("ix_dead_letters_open", "replayed_at", "at", "id"),
        Index("ix_dead_letters_subject", "subject", "replayed_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    origin: Mapped[str]
    subject: Mapped[str | None]
    """The example that it is about."""
    reason: Mapped[str] = mapped_column(AnyText)
    text: Mapped[str] = mapped_column(AnyText)
    tries: Mapped[int]
    at: Mapped[datetime]
    replayed_at: Mapped[datetime | None]


class TombstoneRow(Base):
    """The id of a row that was forgotten: it is never written again, however late it is delivered."""

    __tablename__ = "tombstones"

    id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]


class PrivacyEventRow(Base):
    """One line of the trail of what was forgotten, exported or deleted for its age."""

    __tablename__ = "privacy_events"
    __table_args__ = (Index("ix_privacy_events_at", "at", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    subject: Mapped[str]
    by: Mapped[str]
    at: Mapped[datetime]
    body: Mapped[dict[str, Any]]


class RunRow(Base):
    """A run that writes examples."""

    __tablename__ = "runs"
    __table_args__ = (Index("ix_runs_started", "started_at", "id"), Index("ix_runs_kind", "kind", "started_at", "id"))

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    suite_digest: Mapped[str]
    model: Mapped[str]
    seed: Mapped[int] = mapped_column(BigInteger)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    status: Mapped[str]
    counts: Mapped[dict[str, Any]]


class LoopRow(Base):
    """A turn of the loop."""

    __tablename__ = "loops"
    __table_args__ = (Index("ix_loops_started", "started_at", "turn_id"),)

    turn_id: Mapped[str] = mapped_column(primary_key=True)
    seed: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str]
    seconds: Mapped[dict[str, Any]]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class RolloutRow(Base):
    """A rollout. At most one per model is active."""

    __tablename__ = "rollouts"
    __table_args__ = (
        Index("ix_rollouts_model", "model", "created_at", "id"),
        Index(
            "uq_rollouts_active",
            "model",
            unique=True,
            sqlite_where=text("active IS TRUE"),
            postgresql_where=text("active IS TRUE"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str]
    champion: Mapped[str | None]
    candidate: Mapped[str]
    stage: Mapped[int]
    weights: Mapped[dict[str, Any]]
    desired: Mapped[str]
    status: Mapped[str]
    active: Mapped[bool]
    evidence: Mapped[dict[str, Any]]
    lease_owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    revision: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class RolloutEventRow(Base):
    """A line of a rollout's audit trail."""

    __tablename__ = "rollout_events"
    __table_args__ = (Index("ix_rollout_events_rollout", "rollout_id", "seq"),)

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    rollout_id: Mapped[str] = mapped_column(ForeignKey("rollouts.id"))
    kind: Mapped[str]
    actor: Mapped[str]
    reason: Mapped[str]
    detail: Mapped[dict[str, Any]]
    at: Mapped[datetime]


class DecisionRow(Base):
    """A decision of the gate."""

    __tablename__ = "decisions"
    __table_args__ = (Index("ix_decisions_at", "at", "id"), Index("ix_decisions_subject", "subject", "at", "id"))

    id: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str]
    outcome: Mapped[str]
    evidence: Mapped[dict[str, Any]]
    policy_hash: Mapped[str]
    at: Mapped[datetime]


class ProductionRow(Base):
    """The champion of one model: the only truth for what is in production."""

    __tablename__ = "production"

    model: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str]
    rollout_id: Mapped[str | None] = mapped_column(ForeignKey("rollouts.id"))
    since: Mapped[datetime]


class SettingRow(Base):
    """A value that holds for the whole home, such as the seed of the split."""

    __tablename__ = "settings"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class PinRow(Base):
    """A scenario of the regression set."""

    __tablename__ = "pins"

    id: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str]
    body: Mapped[dict[str, Any]]
    at: Mapped[datetime]


class ObservationRow(Base):
    """A figure of a version at one time."""

    __tablename__ = "observations"
    __table_args__ = (
        Index("ix_observations_metric", "metric", "at", "id"),
        Index("ix_observations_subject", "subject", "metric", "at", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str]
    task_key: Mapped[str]
    metric: Mapped[str]
    value: Mapped[float]
    low: Mapped[float | None]
    high: Mapped[float | None]
    n: Mapped[int]
    origin: Mapped[str]
    origin_id: Mapped[str]
    suite_digest: Mapped[str]
    at: Mapped[datetime]


class LookRow(Base):
    """One use of a suite's held-out scenarios."""

    __tablename__ = "looks"
    __table_args__ = (Index("ix_looks_digest", "digest", "at", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str]
    scenarios: Mapped[int]
    kind: Mapped[str]
    subject: Mapped[str]
    at: Mapped[datetime]


class OverrideRow(Base):
    """A person's word against a decision of the gate."""

    __tablename__ = "overrides"
    __table_args__ = (Index("ix_overrides_decision", "decision_id", "at", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    decision_id: Mapped[str] = mapped_column(ForeignKey("decisions.id"))
    outcome: Mapped[str]
    by: Mapped[str]
    reason: Mapped[str]
    at: Mapped[datetime]
