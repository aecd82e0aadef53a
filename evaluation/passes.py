"""Passes over the whole ledger, in batches: rewards reckoned anew, error recoveries found.

Both may be stopped anywhere and run again: what is there already is found to be there, and nothing is written twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from evaluation.ledger import ExampleFilter, Ledger
from evaluation.ledger.collected import RewardRecord
from evaluation.ledger.store import utc_now
from evaluation.records import Example
from evaluation.recoveries import recoveries_of
from evaluation.rewards import RewardConfig, reward

Told = Callable[[int], None]
"""Is told how many examples are done."""


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
) -> Found:
    """Write every error of the examples as a recovery, as collecting does, and queue those whose way nothing shows.

    For examples that were written before errors were found as they came. `needed`: reviewers that have to agree.
    """
    out = Found()
    for examples in _batches(ledger, wanted, batch):
        found = [recovery for example in examples for recovery in recoveries_of(example)]
        out.new += ledger.put_recoveries(found)
        out.examples, out.errors = out.examples + len(examples), out.errors + len(found)
        told(out.examples)
    out.queued = ledger.queue_recoveries(needed)
    return out


def _batches(ledger: Ledger, wanted: ExampleFilter | None, size: int) -> Iterator[Sequence[Example]]:
    examples = ledger.examples(wanted or ExampleFilter(), batch=size)
    while batch := list(islice(examples, size)):
        yield batch
