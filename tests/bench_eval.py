"""The figures of evaluation: agreement with outsiders' checkers, and what the harness costs, beside inspect_ai.

    make bench-eval             within 30 minutes on two cores
    make bench-eval FULL=1      5,000 scenarios a run, 50,000 for memory, 100,000 texts and outputs
    make bench-eval SEED=7      other scenarios, other texts

Figures go to `.ratchet/bench/eval.json`. Those that cannot be had here (the outsiders' files or the peer are absent)
are named with the reason and left out. Ends non-zero only where something could not be measured.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests import bench_eval_agreement as agreement
from tests import bench_eval_drawn as drawn
from tests import bench_eval_fuzz as fuzz
from tests import bench_eval_harness as harness
from tests import bench_eval_suites as suites
from tests.bench_eval_rows import Figure, NotMeasured, Row, Skipped, machine

RESULTS = Path(".ratchet/bench/eval.json")


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    samples: int
    repetitions: int
    many: int
    texts: int
    generated: int
    outputs: int


SIZES = {
    False: Sizes(samples=1000, repetitions=5, many=50_000, texts=100_000, generated=500, outputs=20_000),
    True: Sizes(samples=5000, repetitions=5, many=50_000, texts=100_000, generated=5000, outputs=100_000),
}

Part = Callable[[], Iterable[Row]]


def parts(sizes: Sizes, seed: int) -> dict[str, Part]:
    """Return what is measured, by name, in this order."""
    judged = agreement.leaderboard()
    return {
        "machine": machine,
        "leaderboard": partial(agreement.leaderboard_rows, judged),
        "drawn": partial(drawn.drawn_rows, sizes.outputs, seed),
        "roo": agreement.roo_rows,
        "calibration": partial(agreement.calibration_rows, judged),
        "time": partial(harness.time_rows, sizes.samples, sizes.repetitions),
        "flight": partial(harness.flight_rows, 1024),
        "memory": partial(harness.memory_rows, 1000, sizes.many),
        "generate": partial(suites.generation_rows, sizes.generated, seed),
        "seed": partial(suites.seed_rows, seed),
        "fuzz": partial(fuzz.fuzz_rows, sizes.texts, seed),
        "linear": fuzz.linear_rows,
    }


def measure(name: str, part: Part) -> tuple[list[Figure], bool]:
    """Measure one part and print its lines; return its figures, and whether all could be measured."""
    begun = time.perf_counter()
    rows: list[Row] = []
    try:
        for row in part():
            rows.append(row)
            print(line(row), flush=True)
    except NotMeasured as error:
        print(f"NOT MEASURED  {name}: {error}", flush=True)
        return [row for row in rows if isinstance(row, Figure)], False
    print(f"   ({name}: {time.perf_counter() - begun:.0f} s)", flush=True)
    return [row for row in rows if isinstance(row, Figure)], True


def line(row: Row) -> str:
    """Return a row as the terminal shows it: met or not, ours, peer, ratio and interval, bar."""
    if isinstance(row, Skipped):
        return f"skipped  {row.figure}: {row.reason}"
    mark = {True: "met     ", False: "NOT MET ", None: "        "}[row.met]
    shown = [f"ours {number(row.ours)}"]
    if row.peer is not None:
        shown.append(f"{(row.peer_version or 'peer').split()[0]} {number(row.peer)}")
    if row.ratio is not None:
        shown.append(f"ratio {number(row.ratio)}")
    if row.low is not None and row.high is not None:
        shown.append(f"[{number(row.low)}, {number(row.high)}]")
    if row.bar is not None:
        shown.append(f"bar {number(row.bar)}")
    return f"{mark} {row.figure}: {' · '.join(shown)}"


def number(value: float | None) -> str:
    """Return a number in at most four digits that count."""
    return "?" if value is None else f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"


def save(figures: Sequence[Figure], results: Path = RESULTS) -> None:
    """Write the figures as a list of objects."""
    results.parent.mkdir(parents=True, exist_ok=True)
    rows = [figure._asdict() for figure in figures]
    results.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> int:
    """Measure every part that is wanted, print a line for each figure, write them; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes, seed = SIZES[os.environ.get("FULL") == "1"], int(os.environ.get("SEED") or 0)
    parser.add_argument("--only", nargs="+", metavar="PART", help="measure these parts alone, of " + ", ".join(PARTS))
    for name, value in vars(sizes).items():
        parser.add_argument(f"--{name}", type=int, default=value)
    wanted = parser.parse_args()
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    chosen = parts(Sizes(**{name: getattr(wanted, name) for name in vars(sizes)}), seed)
    unknown = sorted(set(wanted.only or ()) - set(chosen))
    if unknown:
        parser.error(f"expected parts of {', '.join(chosen)}, found {', '.join(unknown)}")
    measured = [measure(name, part) for name, part in chosen.items() if name in (wanted.only or chosen)]
    figures = [figure for found, _ in measured for figure in found]
    save(figures)
    missed = [figure.figure for figure in figures if figure.met is False]
    print(f"{len(figures)} figures in {RESULTS}; bars missed: {'; '.join(missed) or 'none'}")
    return 0 if all(complete for _, complete in measured) else 1


PARTS = (
    "machine",
    "leaderboard",
    "drawn",
    "roo",
    "calibration",
    "time",
    "flight",
    "memory",
    "generate",
    "seed",
    "fuzz",
    "linear",
)


if __name__ == "__main__":
    sys.exit(main())
