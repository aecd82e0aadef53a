"""Step 9: count what the rollout left in the ledger; the next turn selects from it."""

from __future__ import annotations

from itertools import islice

from cluster.results import CollectResult
from cluster.turn import Tick, Turn
from evaluation.ledger import ExampleFilter, Ledger
from evaluation.records import Source

BATCH = 500


def count_collected(turn: Turn, tick: Tick) -> CollectResult:
    """Return how many examples this turn's rollout left, how many of them were rated, and who is the champion now."""
    served = ExampleFilter(sources=(Source.PRODUCTION,), run_ids=(turn.id,))
    return CollectResult(
        production=turn.ledger.count(served),
        feedback=_rated(turn.ledger, served),
        total=turn.ledger.count(),
        champion=turn.ledger.champion(turn.settings.model) or "none",
    )


def _rated(ledger: Ledger, served: ExampleFilter) -> int:
    ids = (example.id for example in ledger.examples(served))
    rated = 0
    while batch := list(islice(ids, BATCH)):
        rated += len(ledger.feedback_by_example(batch))
    return rated
