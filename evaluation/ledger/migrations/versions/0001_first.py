"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables."""
    _examples()
    _feedback()
    _runs()
    _rollouts()
    _decisions()


def downgrade() -> None:
    """Drop all tables, those that refer to others first."""
    for table in (
        "settings",
        "decisions",
        "production",
        "rollout_events",
        "rollouts",
        "loops",
        "runs",
        "feedback",
        "examples",
    ):
        op.drop_table(table)


def _examples() -> None:
    op.create_table(
        "examples",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("task_key", sa.Text(), nullable=False),
        sa.Column("timestamp", sa.DateTime(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text()),
        sa.Column("scenario_id", sa.Text()),
        sa.Column("scenario_group", sa.Text()),
        sa.Column("part", sa.Text()),
        sa.Column("model_version", sa.Text()),
        sa.Column("variant", sa.Text()),
        sa.Column("stage", sa.Integer()),
        sa.Column("user_hash", sa.Text()),
        sa.Column("conversation", sa.Text()),
        sa.Column("success", sa.Boolean()),
        sa.Column("correct_tool_selection", sa.Boolean()),
        sa.Column("response_quality", sa.Double()),
        sa.Column("validation_confidence", sa.Double(), nullable=False),
        sa.Column("reward", sa.Double()),
        sa.Column("body", sa.JSON(), nullable=False),
    )
    op.create_index("ix_examples_time", "examples", ["timestamp", "id"])
    op.create_index("ix_examples_task", "examples", ["task_key", "timestamp", "id"])
    op.create_index("ix_examples_run", "examples", ["run_id", "timestamp", "id"])
    op.create_index("ix_examples_version", "examples", ["model_version", "timestamp", "id"])
    op.create_index("ix_examples_variant", "examples", ["variant", "stage", "timestamp", "id"])


def _feedback() -> None:
    op.create_table(
        "feedback",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("example_id", sa.Text(), sa.ForeignKey("examples.id"), nullable=False),
        sa.Column("rating", sa.Integer(), nullable=False),
        sa.Column("timestamp", sa.DateTime(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
    )
    op.create_index("ix_feedback_example", "feedback", ["example_id", "timestamp", "id"])


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("suite_digest", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
    )
    op.create_index("ix_runs_started", "runs", ["started_at", "id"])
    op.create_index("ix_runs_kind", "runs", ["kind", "started_at", "id"])
    op.create_table(
        "loops",
        sa.Column("turn_id", sa.Text(), primary_key=True),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("seconds", sa.JSON(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime()),
    )
    op.create_index("ix_loops_started", "loops", ["started_at", "turn_id"])


def _rollouts() -> None:
    op.create_table(
        "rollouts",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("champion", sa.Text()),
        sa.Column("candidate", sa.Text(), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("weights", sa.JSON(), nullable=False),
        sa.Column("desired", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("lease_owner", sa.Text()),
        sa.Column("lease_until", sa.DateTime()),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
    )
    op.create_index("ix_rollouts_model", "rollouts", ["model", "created_at", "id"])
    active = sa.text("active IS TRUE")
    op.create_index(
        "uq_rollouts_active", "rollouts", ["model"], unique=True, sqlite_where=active, postgresql_where=active
    )
    op.create_table(
        "rollout_events",
        sa.Column("seq", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("rollout_id", sa.Text(), sa.ForeignKey("rollouts.id"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
    )
    op.create_index("ix_rollout_events_rollout", "rollout_events", ["rollout_id", "seq"])
    op.create_table(
        "production",
        sa.Column("model", sa.Text(), primary_key=True),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("rollout_id", sa.Text(), sa.ForeignKey("rollouts.id")),
        sa.Column("since", sa.DateTime(), nullable=False),
    )


def _decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("policy_hash", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
    )
    op.create_index("ix_decisions_at", "decisions", ["at", "id"])
    op.create_index("ix_decisions_subject", "decisions", ["subject", "at", "id"])
    op.create_table(
        "settings",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("value", sa.Text(), nullable=False),
    )
