"""Whole rows in batches: bodies as texts, the labels in force, and what was said of the examples beside them."""

from __future__ import annotations

import json
from pathlib import Path

from evaluation.ledger import ExampleFilter, Ledger
from evaluation.records import Example, Feedback
from tests.training.prepare.making import NOW, example


def test_all_is_read_in_batches_with_what_is_asked_for_beside(tmp_path: Path) -> None:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        ledger.add_examples([example(n) for n in range(7)])
        for rater, rating in (("ann", 5), ("bob", 2), ("ann", 4)):
            ledger.add_feedback(
                Feedback(
                    id=f"{rater}-{rating}", example_id="e-00003", rating=rating, rater=rater,
                    timestamp=NOW.replace(minute=rating),
                )
            )  # fmt: skip
        batches = list(ledger.whole_rows(ExampleFilter(), frozenset({"feedback", "labels"}), 3))
        assert [len(batch) for batch in batches] == [3, 3, 1]
        rows = [row for batch in batches for row in batch]
        assert [row.id for row in rows] == [f"e-{n:05}" for n in range(7)]
        assert Example.model_validate_json(rows[2].body) == example(2)
        rated = rows[3]
        assert [one["rater"] for one in json.loads(rated.feedback or "")] == ["bob", "ann", "ann"]
        assert rated.rating == (5 + 2) / 2, "the latest of each rater"
        assert (rows[0].feedback, rows[0].labels, rated.recoveries, rows[0].rating) == (None, None, None, None)
        few = list(ledger.whole_rows(ExampleFilter(limit=4, since=example(2).timestamp), batch=3))
        assert [row.id for batch in few for row in batch] == [f"e-{n:05}" for n in range(2, 6)]
        assert list(ledger.whole_rows(ExampleFilter(task_key="none"))) == []
