"""What examples are looked at by, in columns: tools, error, latency, tokens, cost; filled from the bodies."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

COLUMNS: dict[str, tuple[Any, str | None]] = {
    "tools_used": (sa.Text(), "[]"),
    "error_kind": (sa.Text(), None),
    "latency_ms": (sa.Double(), "0"),
    "tokens_in": (sa.BigInteger(), "0"),
    "tokens_out": (sa.BigInteger(), "0"),
    "cost": (sa.Double(), "0"),
}
FIGURES = (
    "task_key",
    "source",
    "model_version",
    "error_kind",
    "success",
    "correct_tool_selection",
    "timestamp",
    "response_quality",
    "validation_confidence",
    "tools_used",
    "latency_ms",
    "tokens_in",
    "tokens_out",
    "cost",
    "bytes",
)
_CHUNK = 500


def upgrade() -> None:
    """Add the columns, fill them, and make the index that statistics are read from."""
    for name, (kind, default) in COLUMNS.items():
        op.add_column("examples", sa.Column(name, kind, nullable=default is None, server_default=default))
    _fill()
    op.create_index("ix_examples_figures", "examples", FIGURES, postgresql_where=sa.text("false"))


def downgrade() -> None:
    """Drop what `upgrade` made."""
    op.drop_index("ix_examples_figures", "examples")
    for name in COLUMNS:
        op.drop_column("examples", name)


def _fill() -> None:
    """Fill the columns from the rows' bodies, some at a time."""
    rows = sa.table("examples", sa.column("id", sa.Text), sa.column("body", sa.JSON), *map(sa.column, COLUMNS))
    connection, last = op.get_bind(), ""
    update = sa.update(rows).where(rows.c.id == sa.bindparam("row_id"))
    update = update.values({name: sa.bindparam(f"new_{name}") for name in COLUMNS})
    query = sa.select(rows.c.id, rows.c.body).order_by(rows.c.id).limit(_CHUNK)
    while found := connection.execute(query.where(rows.c.id > last)).all():
        connection.execute(update, [{"row_id": row.id, **_figures(row.body)} for row in found])
        last = found[-1].id


def _figures(body: dict[str, Any]) -> dict[str, Any]:
    metrics = body["metrics"]
    return {
        "new_tools_used": json.dumps(body["tools_used"]),
        "new_error_kind": body["error"].partition(":")[0] if body.get("error") else None,
        "new_latency_ms": metrics["latency_ms"],
        "new_tokens_in": metrics["tokens_in"],
        "new_tokens_out": metrics["tokens_out"],
        "new_cost": metrics["cost"],
    }
