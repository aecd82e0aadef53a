"""The figures of the training database: ingest, kills, active learning, privacy, dedup and preparation, beside peers.

    make bench-data             within 30 minutes on two cores
    make bench-data FULL=1      100,000 rows, 1,000,000 examples, 100 kills of each kind
    make bench-data SEED=7      other rows
    make bench-data ARGS="--only dedup"

Figures go to `.ratchet/bench/data.json`. Each peer stands in an environment of its own under `.ratchet/bench`. Ends
non-zero only where something could not be measured.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tests import (
    bench_data_active,
    bench_data_dedup,
    bench_data_kills,
    bench_data_prepare,
    bench_data_privacy,
    bench_data_store,
)
from tests.bench_eval import Part, measure, save
from tests.bench_eval_rows import Figure, machine

RESULTS = Path(".ratchet/bench/data.json")
Rows = Callable[[int, bool], list[dict[str, Any]]]
MEASURED: dict[str, Rows] = {
    "store": bench_data_store.rows,
    "kills": bench_data_kills.rows,
    "active": bench_data_active.rows,
    "privacy": bench_data_privacy.rows,
    "dedup": bench_data_dedup.rows,
    "prepare": bench_data_prepare.rows,
}
PARTS = ("machine", *MEASURED)


def parts(seed: int, full: bool) -> dict[str, Part]:
    """Return what is measured, by name, in this order."""
    return {"machine": machine} | {name: partial(figures, rows, seed, full) for name, rows in MEASURED.items()}


def figures(rows: Rows, seed: int, full: bool) -> Iterator[Figure]:
    """Yield what one part measured."""
    yield from (Figure(**row) for row in rows(seed, full))


def main() -> int:
    """Measure every part that is wanted, print a line for each figure, write them; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="PART", choices=PARTS, help="measure these parts alone")
    wanted = parser.parse_args()
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    chosen = parts(int(os.environ.get("SEED") or 0), os.environ.get("FULL") == "1")
    measured = [measure(name, part) for name, part in chosen.items() if name in (wanted.only or PARTS)]
    found = [figure for some, _ in measured for figure in some]
    save(found, RESULTS)
    missed = [figure.figure for figure in found if figure.met is False]
    print(f"{len(found)} figures in {RESULTS}; bars missed: {'; '.join(missed) or 'none'}")
    return 0 if all(complete for _, complete in measured) else 1


if __name__ == "__main__":
    sys.exit(main())
