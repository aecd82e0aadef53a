"""The store's figures: durable ingest, and `kill -9` of whoever writes.

Durable: each call has synced the disk (SQLite, WAL, synchronous=FULL) before it returns; one process. Examples are
tool conversations of about 1.5 kB of JSON, each with its own id, user and conversation. A disk that acknowledges syncs
early makes these figures look better than they are: the time of one synced write is in the row of the machine.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from evaluation.ledger import Ledger
from evaluation.records import Example
from tests.evaluation.ledger.making import example
from tests.killing import Killed, kill_collectors, kill_writers

BATCH = 500
IN_BATCHES, ONE_BY_ONE = 2_000.0, 300.0
"""Bars, examples a second."""


def rows(seed: int, full: bool) -> list[dict[str, Any]]:
    """Return the figures: 100 kills of each kind, 10 unless `full`."""
    count, kills = (100_000, 100) if full else (20_000, 10)
    return [
        _rate("ingest durable, batches of 500", IN_BATCHES, lambda ledger: _in_batches(ledger, seed, count)),
        _rate("ingest durable, one by one", ONE_BY_ONE, lambda ledger: _one_by_one(ledger, seed, count // 10)),
        *_kills("kill -9 of collector", kill_collectors(kills, seed)),
        *_kills("kill -9 of ledger writer", kill_writers(kills, seed)),
    ]


def _rate(figure: str, bar: float, write: Callable[[Ledger], float]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Ledger.open(f"sqlite:///{folder}/ledger.db") as ledger:
        found = write(ledger)
    return {"figure": f"{figure}, examples/s", "ours": found, "bar": bar, "met": found >= bar}


def _examples(seed: int, count: int) -> Iterator[Example]:
    for n in range(count):
        changes = {"id": f"s{seed}-{n * 7919 % 1_000_003}-{n}", "user_hash": f"u{n % 997}", "conversation": f"c{n}"}
        yield example(n).model_copy(update=changes)


def _in_batches(ledger: Ledger, seed: int, count: int) -> float:
    made = list(_examples(seed, count))
    begun = time.perf_counter()
    new = sum(ledger.add_examples(made[start : start + BATCH]) for start in range(0, count, BATCH))
    return new / (time.perf_counter() - begun)


def _one_by_one(ledger: Ledger, seed: int, count: int) -> float:
    made = list(_examples(seed, count))
    begun = time.perf_counter()
    new = sum(ledger.add_examples([one]) for one in made)
    return new / (time.perf_counter() - begun)


def _kills(figure: str, found: Killed) -> Iterator[dict[str, Any]]:
    told = f"{figure}, {found.kills} times ({found.confirmed} confirmed)"
    for name, count in (("lost", found.lost), ("doubled", found.doubled), ("half written", found.halves)):
        yield {"figure": f"{told}: {name}", "ours": float(count), "bar": 0.0, "met": count == 0}


if __name__ == "__main__":
    import os

    for row in rows(int(os.environ.get("SEED") or 0), os.environ.get("FULL") == "1"):
        print(row)
