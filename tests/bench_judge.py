"""The figures of judgement: coverage, false differences, power beside statsmodels and scipy, the gate, its time.

    make bench-judge            about ten minutes on two cores
    make bench-judge FULL=1     the gate on 1,000 scenarios as often as on 200, and 2,000 runs of each interval
    make bench-judge SEED=7     other simulations

Figures go to `.ratchet/bench/judge.json`. Simulated shares carry their exact intervals; a bar is met within one-sided
Monte Carlo error. The peers (statsmodels and scipy in an environment of their own) are named and left out where they
cannot be installed. Ends non-zero only where something could not be measured.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests import bench_judge_gate as gate
from tests import bench_judge_power as power
from tests import bench_judge_stats as stats
from tests.bench_eval import Part, measure, save
from tests.bench_eval_rows import machine

RESULTS = Path(".ratchet/bench/judge.json")


@dataclass(frozen=True)
class Sizes:
    """How much is simulated."""

    runs: int
    """Comparisons of each kind, and candidates before the gate."""
    long_runs: int
    """Candidates on 1,000 scenarios before the gate."""
    intervals: int
    """Runs of each interval that has no exact coverage."""
    looks: int
    """Pairs after each of which an always-valid interval is looked at."""
    episodes: int
    """Of each arm of the full report."""


SIZES = {
    False: Sizes(runs=2000, long_runs=200, intervals=400, looks=10_000, episodes=10_000),
    True: Sizes(runs=2000, long_runs=2000, intervals=2000, looks=10_000, episodes=10_000),
}
PARTS = ("machine", "proportions", "pairs", "intervals", "watched", "power", "false", "gate", "report")


def parts(sizes: Sizes, seed: int) -> dict[str, Part]:
    """Return what is measured, by name, in this order."""
    of: tuple[Part, ...] = (
        machine,
        stats.proportion_rows,
        stats.discordance_rows,
        partial(stats.simulated_rows, sizes.intervals, seed),
        partial(stats.watched_rows, sizes.runs, sizes.looks, seed),
        partial(power.power_rows, sizes.runs, seed),
        partial(gate.false_rows, sizes.runs, seed),
        partial(gate.gate_rows, sizes.runs, sizes.long_runs, seed),
        partial(gate.report_rows, sizes.episodes, 5, seed),
    )
    return dict(zip(PARTS, of, strict=True))


def main() -> int:
    """Measure every part that is wanted, print a line for each figure, write them; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes, seed = SIZES[os.environ.get("FULL") == "1"], int(os.environ.get("SEED") or 0)
    parser.add_argument("--only", nargs="+", metavar="PART", choices=PARTS, help="measure these parts alone")
    for name, value in vars(sizes).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    wanted = parser.parse_args()
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    chosen = parts(Sizes(**{name: getattr(wanted, name) for name in vars(sizes)}), seed)
    measured = [measure(name, part) for name, part in chosen.items() if name in (wanted.only or PARTS)]
    figures = [figure for found, _ in measured for figure in found]
    save(figures, RESULTS)
    missed = [figure.figure for figure in figures if figure.met is False]
    print(f"{len(figures)} figures in {RESULTS}; bars missed: {'; '.join(missed) or 'none'}")
    return 0 if all(complete for _, complete in measured) else 1


if __name__ == "__main__":
    sys.exit(main())
