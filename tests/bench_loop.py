"""One turn of the loop from the shipped base for each of several seeds, and two controls that must not be approved.

    make bench-loop             two seeds, one candidate on shuffled labels, two copies of the base: within 30 minutes
    make bench-loop FULL=1      five seeds, five candidates on shuffled labels, ten copies of the base
    make bench-loop SEED=7      seeds from 7 on

Each seed has a home of its own under `.ratchet/bench/loop/`, emptied first, so that every turn starts from the base.
Figures go to `.ratchet/bench/loop.json`. No other system makes this turn, so there is no peer. Ends non-zero only where
it could not measure.
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

from tests.bench_controls import figures

HOMES = Path(".ratchet/bench/loop")
RESULTS = Path(".ratchet/bench/loop.json")
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
    def decided(self) -> bool:
        """Return whether the gate approved and the rollout promoted."""
        return self.status == 0 and (self.gate, self.rollout) == ("approve", "promoted")

    @property
    def reached(self) -> bool:
        """Return whether this turn is what the project promises."""
        return self.decided and self.tool_accuracy >= TOOL_ACCURACY_GOAL


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
    """Run every seed and the controls, print a line for each, write the figures; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    full = os.environ.get("FULL") == "1"
    first = int(os.environ.get("SEED") or 0)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(first, first + (5 if full else 2))))
    parser.add_argument("--copies", type=int, default=10 if full else 2)
    parser.add_argument("--shuffled", type=int, default=5 if full else 1)
    wanted = parser.parse_args()
    turns = [run(seed) for seed in wanted.seeds]
    print(f"{'seed':>4} {'tool accuracy':>13} {'task success':>12} {'gate':>12} {'rollout':>12} {'seconds':>8}")
    for seed, turn in zip(wanted.seeds, turns, strict=True):
        print(f"{seed:>4} {line(turn)}")
    reached = sum(turn is not None and turn.reached for turn in turns)
    print(f"{reached} of {len(turns)} approved and promoted with a tool accuracy of at least {TOOL_ACCURACY_GOAL}")
    controls = figures((HOMES / str(wanted.seeds[0])).resolve(), wanted.copies, wanted.shuffled)
    for name, outcomes in controls.items():
        print(f"{name}: {', '.join(outcomes)}")
    rows = [row for turn in turns if turn is not None for row in rows_of(turn)]
    rows += [control_row(name, [str(o) for o in outcomes]) for name, outcomes in controls.items()]
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0 if None not in turns else 1


def rows_of(turn: Turn) -> list[dict[str, object]]:
    """Return a turn's figures as rows of `loop.json`."""
    measured = (
        ("tool accuracy", turn.tool_accuracy, 0.90, turn.tool_accuracy >= 0.90),
        ("task success gain", turn.task_success_gain, 0.10, turn.task_success_gain >= 0.10),
        ("seconds", turn.seconds, 480.0, turn.seconds <= 480.0),
        ("approved and promoted", float(turn.decided), 1.0, turn.decided),
    )
    return [row(f"{name}, seed {turn.seed}", value, bar, met) for name, value, bar, met in measured]


def control_row(name: str, outcomes: list[str]) -> dict[str, object]:
    """Return how many of a control's candidates were approved as a row of `loop.json`."""
    approved = outcomes.count("approve")
    return row(f"{name} approved, of {len(outcomes)}", float(approved), 0.0, approved == 0)


def row(figure: str, ours: float, bar: float, met: bool) -> dict[str, object]:
    """Return one row of `loop.json`."""
    absent = dict.fromkeys(("peer", "ratio", "low", "high", "peer_version", "peer_settings"))
    return {"figure": figure, "ours": ours, **absent, "bar": bar, "met": met}


def line(turn: Turn | None) -> str:
    """Return the figures of one turn in the columns of the table."""
    if turn is None:
        return "ended without a report"
    figures = f"{turn.tool_accuracy:>13.3f} {turn.task_success_gain:>+12.3f} {turn.gate:>12} {turn.rollout:>12}"
    return f"{figures} {turn.seconds:>8.0f}"


if __name__ == "__main__":
    sys.exit(main())
