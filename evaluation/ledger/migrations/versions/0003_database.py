"""The training database: labels, reviews, recoveries, rewards, dead letters, what was forgotten; further indexes.

`bytes` and `rater` are filled from the bodies of the rows that are there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

EXAMPLE_INDEXES = {
    "ix_examples_user": ["user_hash", "timestamp", "id"],
    "ix_examples_source": ["source", "timestamp", "id"],
    "ix_examples_success": ["success", "timestamp", "id"],
    "ix_examples_tools": ["correct_tool_selection", "timestamp", "id"],
    "ix_examples_quality": ["response_quality", "timestamp", "id"],
    "ix_examples_confidence": ["validation_confidence", "timestamp", "id"],
    "ix_examples_conversation": ["conversation"],
}
FEEDBACK_INDEXES = {"ix_feedback_rater": ["rater", "timestamp", "id"], "ix_feedback_time": ["timestamp", "id"]}
TABLES = (
    "privacy_events",
    "tombstones",
    "dead_letters",
    "rewards",
    "recoveries",
    "reviews",
    "labels",
)
_CHUNK = 500


def upgrade() -> None:
    """Add the columns, fill them, make indexes and tables."""
    op.add_column("examples", sa.Column("bytes", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("feedback", sa.Column("rater", sa.Text(), nullable=False, server_default=""))
    _fill(
        "examples",
        "bytes",
        lambda body: len(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")),
    )
    _fill("feedback", "rater", lambda body: body["rater"])
    for table, indexes in (("examples", EXAMPLE_INDEXES), ("feedback", FEEDBACK_INDEXES)):
        for name, columns in indexes.items():
            op.create_index(name, table, columns)
    _labels()
    _derived()
    _kept_aside()


def downgrade() -> None:
    """Drop what `upgrade` made."""
    for table in TABLES:
        op.drop_table(table)
    for table, indexes in (("feedback", FEEDBACK_INDEXES), ("examples", EXAMPLE_INDEXES)):
        for name in indexes:
            op.drop_index(name, table)
    op.drop_column("feedback", "rater")
    op.drop_column("examples", "bytes")


def _labels() -> None:
    op.create_table(
        "labels",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("example_id", sa.Text(), sa.ForeignKey("examples.id"), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("undone_at", sa.DateTime()),
        sa.Column("review_id", sa.Text()),
        sa.Column("body", sa.JSON(), nullable=False),
    )
    op.create_index("ix_labels_example", "labels", ["example_id", "at", "id"])
    op.create_index("ix_labels_by", "labels", ["by", "at", "id"])
    op.create_table(
        "reviews",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("example_id", sa.Text(), sa.ForeignKey("examples.id"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("priority", sa.Double(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("needed", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("lease_owner", sa.Text()),
        sa.Column("lease_until", sa.DateTime()),
        sa.Column("enqueued_at", sa.DateTime(), nullable=False),
        sa.Column("done_at", sa.DateTime()),
    )
    op.create_index("ix_reviews_open", "reviews", ["queue", "status", "priority", "id"])
    op.create_index("ix_reviews_example", "reviews", ["example_id"])
    op.create_index("ix_reviews_lease", "reviews", ["lease_owner", "lease_until"])


def _derived() -> None:
    op.create_table(
        "recoveries",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("example_id", sa.Text(), sa.ForeignKey("examples.id"), nullable=False),
        sa.Column("error_type", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
    )
    op.create_index("ix_recoveries_status", "recoveries", ["status", "at", "id"])
    op.create_index("ix_recoveries_example", "recoveries", ["example_id"])
    op.create_table(
        "rewards",
        sa.Column("example_id", sa.Text(), sa.ForeignKey("examples.id"), primary_key=True),
        sa.Column("version", sa.Text(), primary_key=True),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
    )
    op.create_index("ix_rewards_version", "rewards", ["version", "value"])


def _kept_aside() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("replayed_at", sa.DateTime()),
    )
    op.create_index("ix_dead_letters_open", "dead_letters", ["replayed_at", "at", "id"])
    op.create_table(
        "tombstones",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("at", sa.DateTime(), nullable=False),
    )
    op.create_table(
        "privacy_events",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
    )
    op.create_index("ix_privacy_events_at", "privacy_events", ["at", "id"])


def _fill(table: str, column: str, value: Callable[[dict[str, Any]], object]) -> None:
    """Fill `column` from the rows' bodies, some at a time."""
    rows = sa.table(table, sa.column("id", sa.Text), sa.column("body", sa.JSON), sa.column(column))
    connection, last = op.get_bind(), ""
    update = sa.update(rows).where(rows.c.id == sa.bindparam("row_id")).values({column: sa.bindparam("filled")})
    query = sa.select(rows.c.id, rows.c.body).order_by(rows.c.id).limit(_CHUNK)
    while found := connection.execute(query.where(rows.c.id > last)).all():
        connection.execute(update, [{"row_id": row.id, "filled": value(row.body)} for row in found])
        last = found[-1].id
