"""Passes over the whole ledger, in batches: rewards reckoned anew, error recoveries found.

Both may be stopped anywhere and run again: what is there already is found to be there, and nothing is written twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from evaluation.ledger import ExampleFilter, Ledger
from evaluation.ledger.collected import RecoveryRecord, RecoveryStatus, ReviewItem, ReviewKind, RewardRecord
from evaluation.ledger.store import utc_now
from evaluation.records import Example, FailureKind
from evaluation.recoveries import recoveries_of
from evaluation.rewards import RewardConfig, reward

RECOVERIES = "recoveries"
"""Name of the queue in which errors wait whose recovery nothing shows."""
Told = Callable[[int], None]
"""Is told how many examples are done."""
_URGENCY = {FailureKind.INVALID_ARGUMENTS: 0.0, FailureKind.MALFORMED_OUTPUT: 1.0, FailureKind.UNKNOWN_TOOL: 2.0}
"""The model's own errors are asked about before those of tools: more can be learned from them."""


@dataclass
class Reckoned:
    """What came of a pass over rewards."""

    version: str
    examples: int = 0
    rewarded: int = 0
    """Examples that could be judged."""
    changed: int = 0
    """Rewards that were new, different, or removed because their example can no longer be judged."""


@dataclass
class Found:
    """What came of a pass over errors."""

    examples: int = 0
    errors: int = 0
    new: int = 0
    queued: int = 0
    """New items for reviewers."""


def recompute_rewards(
    ledger: Ledger,
    config: RewardConfig,
    wanted: ExampleFilter | None = None,
    *,
    batch: int = 500,
    told: Told = lambda _: None,
    clock: Callable[[], datetime] = utc_now,
) -> Reckoned:
    """Write the reward of every example under these weights: of its labels in force and what users said by now."""
    out = Reckoned(config.version)
    for examples in _batches(ledger, wanted, batch):
        at = clock()
        signals = {example.id: reward(example.labels, example.metrics, config) for example in examples}
        records = [
            RewardRecord(example_id=example_id, version=config.version, signal=signal, at=at)
            for example_id, signal in signals.items()
            if signal is not None
        ]
        without = [example_id for example_id, signal in signals.items() if signal is None]
        out.changed += ledger.put_rewards(records, without=without, version=config.version)
        out.examples, out.rewarded = out.examples + len(examples), out.rewarded + len(records)
        told(out.examples)
    return out


def find_recoveries(
    ledger: Ledger,
    wanted: ExampleFilter | None = None,
    *,
    needed: int = 1,
    batch: int = 500,
    told: Told = lambda _: None,
    clock: Callable[[], datetime] = utc_now,
) -> Found:
    """Write every error of the examples as a recovery, and queue those for review whose way nothing shows.

    `needed`: reviewers that have to agree.
    """
    out = Found()
    for examples in _batches(ledger, wanted, batch):
        found = [recovery for example in examples for recovery in recoveries_of(example)]
        out.new += ledger.put_recoveries(found)
        open_ones = [_item(one, needed, clock()) for one in found if one.status is RecoveryStatus.QUEUED]
        out.queued += ledger.enqueue(open_ones)
        out.examples, out.errors = out.examples + len(examples), out.errors + len(found)
        told(out.examples)
    return out


def _batches(ledger: Ledger, wanted: ExampleFilter | None, size: int) -> Iterator[Sequence[Example]]:
    examples = ledger.examples(wanted or ExampleFilter(), batch=size)
    while batch := list(islice(examples, size)):
        yield batch


def _item(recovery: RecoveryRecord, needed: int, at: datetime) -> ReviewItem:
    return ReviewItem(
        id=recovery.id,
        queue=RECOVERIES,
        example_id=recovery.example_id,
        kind=ReviewKind.RECOVERY,
        priority=_URGENCY.get(FailureKind(recovery.error_type), 3.0),
        reason=f"{recovery.error_type}: nothing in the example shows how it should have been met",
        needed=needed,
        enqueued_at=at,
    )
