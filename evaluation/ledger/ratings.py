"""Mean ratings of examples, over what each rater said last.

Not covered: aspects (`Feedback.response_quality` and others), which count in `ratchet data quality`.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from evaluation.ledger.filters import latest_ratings
from evaluation.ledger.part import chunks
from evaluation.ledger.schema import FeedbackRow


def ratings(connection: Connection, example_ids: Sequence[str]) -> dict[str, float]:
    """Return the mean rating of examples that have one; each rater's latest counts."""
    means: dict[str, float] = {}
    for ids in chunks(example_ids):
        said = latest_ratings(FeedbackRow.example_id.in_(ids)).subquery()
        query = select(said.c.example_id, func.avg(said.c.rating))
        means.update((key, float(mean)) for key, mean in connection.execute(query.group_by(said.c.example_id)))
    return means
