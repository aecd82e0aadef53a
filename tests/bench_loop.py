"""One turn of the loop from the shipped base for each of several seeds: `make bench-loop [ARGS="--seeds 0 1"]`.

Each seed has a home of its own under `.ratchet/bench/loop/`, emptied first, so that every turn starts from the base.
Ends with 1 unless every turn was approved and promoted with a tool accuracy of at least 0.95.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HOMES = Path(".ratchet/bench/loop")
TOOL_ACCURACY_GOAL = 0.95


@dataclass(frozen=True)
class Turn:
    """What one turn reached, read from its report."""

    seed: int
    status: int
    """Exit status of `ratchet loop`."""
    tool_accuracy: float
    task_success_gain: float
    gate: str
    rollout: str
    seconds: float

    @property
    def reached(self) -> bool:
        """Return whether this turn is what the project promises."""
        decided = (self.gate, self.rollout) == ("approve", "promoted")
        return self.status == 0 and decided and self.tool_accuracy >= TOOL_ACCURACY_GOAL


def run(seed: int) -> Turn | None:
    """Run one turn in an empty home; none if it ended without a report."""
    home = HOMES / str(seed)
    shutil.rmtree(home, ignore_errors=True)
    ratchet = Path(sys.executable).with_name("ratchet")
    environment = {**os.environ, "RATCHET_HOME": str(home.resolve())}
    status = subprocess.run([str(ratchet), "loop", "--seed", str(seed)], env=environment, check=False).returncode
    reports = list(home.glob("loops/*/report.json"))
    return read(reports[0], seed=seed, status=status) if reports else None


def read(report: Path, *, seed: int, status: int) -> Turn:
    """Read a turn from its report; a turn that was not rolled out has no rollout."""
    found = json.loads(report.read_text(encoding="utf-8"))
    return Turn(
        seed=seed,
        status=status,
        tool_accuracy=found["candidate"]["tool_accuracy"]["value"],
        task_success_gain=found["differences"]["task_success"]["value"],
        gate=found["gate"]["decision"],
        rollout=(found.get("rollout") or {}).get("decision", "none"),
        seconds=found["seconds"]["total"],
    )


def main() -> int:
    """Run every seed, print a line for each, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    seeds = parser.parse_args().seeds
    turns = [run(seed) for seed in seeds]
    print(f"{'seed':>4} {'tool accuracy':>13} {'task success':>12} {'gate':>12} {'rollout':>12} {'seconds':>8}")
    for seed, turn in zip(seeds, turns, strict=True):
        print(f"{seed:>4} {line(turn)}")
    reached = sum(turn is not None and turn.reached for turn in turns)
    print(f"{reached} of {len(turns)} approved and promoted with a tool accuracy of at least {TOOL_ACCURACY_GOAL}")
    return 0 if reached == len(turns) else 1


def line(turn: Turn | None) -> str:
    """Return the figures of one turn in the columns of the table."""
    if turn is None:
        return "ended without a report"
    figures = f"{turn.tool_accuracy:>13.3f} {turn.task_success_gain:>+12.3f} {turn.gate:>12} {turn.rollout:>12}"
    return f"{figures} {turn.seconds:>8.0f}"


if __name__ == "__main__":
    sys.exit(main())
