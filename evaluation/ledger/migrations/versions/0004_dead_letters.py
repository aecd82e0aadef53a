"""Dead letters name the example that they are about, so that feedback that came first is found when it comes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and its index."""
    op.add_column("dead_letters", sa.Column("subject", sa.Text()))
    op.create_index("ix_dead_letters_subject", "dead_letters", ["subject", "replayed_at"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_dead_letters_subject", "dead_letters")
    op.drop_column("dead_letters", "subject")
