"""From the ledger to a review queue: what may be picked, and the picks as items of the queue.

Left out: what a person has labelled already, and what is in the queue already. Raters count with their latest word.
Limits: of more than `MOST` examples that many are drawn at random; `attempts` compares examples of one scenario, or of
the very same query and task key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import NamedTuple

import numpy as np

from evaluation.active_learning import Candidate, Pick, Strategy, pick
from evaluation.ledger import ExampleFilter, Ledger
from evaluation.ledger.collected import LabelRecord, LabelSource, ReviewItem
from evaluation.ledger.reviews import review_id
from evaluation.records import Example, Feedback, Verdict, stable_id

MOST = 200_000
"""Candidates that are held at a time."""
_BATCH = 500
_TEXT = 2_000
"""Characters of an example that diversity looks at."""


@dataclass(frozen=True)
class Wanted:
    """What a queue is filled with."""

    strategy: Strategy
    count: int
    below: float
    seed: int
    filter: ExampleFilter


@dataclass(frozen=True)
class Filled:
    """What came of filling a queue."""

    looked_at: int
    """Examples that match the filter."""
    candidates: int
    """Those of them that might be picked."""
    picks: tuple[Pick, ...]
    new: int


class Ended(NamedTuple):
    """How attempts at one query ended."""

    succeeded: int
    failed: int


def fill_queue(ledger: Ledger, queue: str, wanted: Wanted, *, needed: int, at: datetime) -> Filled:
    """Pick examples and queue them, the most useful first."""
    known = {item.example_id for item in ledger.reviews(queue)}
    looked_at = 0
    pool: list[Candidate] = []
    rng = np.random.default_rng(wanted.seed)
    met = 0
    attempts = _attempts(ledger, wanted.filter) if wanted.strategy in (Strategy.DISAGREEMENT, Strategy.MIXED) else {}
    for batch in _batches(ledger, wanted.filter):
        looked_at += len(batch)
        for candidate in _candidates(ledger, batch, known, wanted, attempts=attempts):
            met += 1
            if len(pool) < MOST:
                pool.append(candidate)
            elif (place := int(rng.integers(met))) < MOST:  # reservoir sampling: each has the same chance
                pool[place] = candidate
    picks = pick(pool, wanted.strategy, wanted.count, below=wanted.below, seed=wanted.seed)
    items = [
        ReviewItem(
            id=review_id(queue, one.id),
            queue=queue,
            example_id=one.id,
            priority=float(number),
            reason=one.reason,
            needed=needed,
            enqueued_at=at,
        )
        for number, one in enumerate(picks)
    ]
    return Filled(looked_at, met, tuple(picks), ledger.enqueue(items))


def candidate_of(
    example: Example, feedback: Sequence[Feedback] = (), attempts: Sequence[str] = (), *, with_text: bool = True
) -> Candidate:
    """Return an example as it may be picked; `attempts`: how examples of the same query ended."""
    ratings = {one.rater: one.rating for one in feedback}
    verdicts = [v.verdict.value for v in example.validations if v.verdict is not Verdict.NOT_APPLICABLE]
    votes = {
        "validators": tuple(verdicts),
        "raters": tuple("bad" if rating < 3 else "good" if rating > 3 else "fair" for rating in ratings.values()),
        "attempts": tuple(attempts),
    }
    text = f"{example.query}\n{' '.join(example.tools_used)}\n{example.response}"[:_TEXT] if with_text else ""
    return Candidate(
        example.id, example.labels.validation_confidence, {w: said for w, said in votes.items() if len(said) > 1}, text
    )


def _candidates(
    ledger: Ledger, batch: Sequence[Example], known: set[str], wanted: Wanted, *, attempts: Mapping[str, Ended]
) -> Iterator[Candidate]:
    left = [example for example in batch if example.id not in known]
    if wanted.strategy is Strategy.UNCERTAINTY:
        left = [example for example in left if example.labels.validation_confidence < wanted.below]
    ids = [example.id for example in left]
    labels = ledger.labels_by_example(ids)
    disputed = wanted.strategy in (Strategy.DISAGREEMENT, Strategy.MIXED)
    feedback = ledger.feedback_by_example(ids) if disputed else {}
    with_text = wanted.strategy in (Strategy.DIVERSITY, Strategy.MIXED)
    for example in left:
        if not _is_reviewed(labels.get(example.id, ())):
            ended = attempts.get(_same(example), Ended(0, 0)) if attempts else Ended(0, 0)
            same = ("succeeded",) * ended.succeeded + ("failed",) * ended.failed
            yield candidate_of(example, feedback.get(example.id, ()), same, with_text=with_text)


def _is_reviewed(labels: Iterable[LabelRecord]) -> bool:
    return any(label.source is LabelSource.REVIEW and label.undone_at is None and label.recovery is None
               for label in labels)  # fmt: skip


def _attempts(ledger: Ledger, wanted: ExampleFilter) -> dict[str, Ended]:
    """Return how attempts at the same query ended, for those queries of which some failed and some succeeded."""
    found: dict[str, Ended] = {}
    for batch in _batches(ledger, wanted):
        for example in batch:
            if (success := example.labels.success) is not None:
                before = found.get(key := _same(example), Ended(0, 0))
                found[key] = Ended(before.succeeded + success, before.failed + (not success))
    return {query: ended for query, ended in found.items() if ended.succeeded and ended.failed}


def _same(example: Example) -> str:
    origin = example.provenance
    return stable_id(example.task_key, origin.scenario_id or example.query)


def _batches(ledger: Ledger, wanted: ExampleFilter) -> Iterator[list[Example]]:
    examples = ledger.examples(wanted, batch=_BATCH)
    while batch := list(islice(examples, _BATCH)):
        yield batch
