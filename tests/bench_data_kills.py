"""The figures of `kill -9` of the preparer (`tests/killing_preparers.py`): half-written, lost, doubled, left behind.

python -m tests.bench_data_kills            20 kills
FULL=1 python -m tests.bench_data_kills     100 kills
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

from tests.bench_eval import line
from tests.bench_eval_rows import Figure, count
from tests.killing_preparers import kill_preparers


def rows(seed: int, full: bool) -> list[dict[str, Any]]:
    """Return the figures, for the benchmark of data."""
    return [figure._asdict() for figure in kill_rows(100 if full else 20, seed)]


def kill_rows(kills: int, seed: int) -> Iterator[Figure]:
    """Yield the figures of so many kills of the preparer."""
    found = kill_preparers(kills, seed)
    where = ", ".join(f"{number} in {phase}" for phase, number in found.phases.items())
    told = f"kill -9 of preparer, {kills} times ({where}; {found.committed} had committed)"
    yield count(f"{told}: half written", found.halves)
    yield count(f"{told}: lost", found.lost)
    yield count(f"{told}: doubled", found.doubled)
    yield count(f"{told}: left behind", found.left)


def main() -> int:
    """Print a line for each figure."""
    full, seed = os.environ.get("FULL") == "1", int(os.environ.get("SEED") or 0)
    for row in kill_rows(int(sys.argv[1]) if sys.argv[1:] else 100 if full else 20, seed):
        print(line(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
