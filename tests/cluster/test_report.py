from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cluster.clock import Clock
from cluster.report import ending
from cluster.report_text import markdown, print_report
from cluster.steps.report import write_report
from evaluation.files import atomic_write
from evaluation.gate import GateOutcome
from tests.cluster.making import results, turn, write_curve


def refuse(constant: str) -> Any:
    raise AssertionError(f"{constant} is no JSON")


def test_a_promoted_turn_leaves_three_files(tmp_path: Path) -> None:
    made = turn(tmp_path)
    made.seconds = {"suite": 0.5, "train": 80.0}
    atomic_write(made.folder / "seconds.json", '{"total": 100.0}')
    made.clock = Clock(made.folder, time.monotonic() - 20)
    write_curve(made)
    given = write_report(made, results())
    made.ledger.close()
    report = json.loads((made.folder / "report.json").read_text(), parse_constant=refuse)
    assert given.report == report
    assert set(report) >= {
        "id", "seed", "seconds", "scenarios", "base", "candidate", "differences", "held_out_tools", "kinds", "gate",
        "rollout", "snapshot", "versions", "seeds", "environment", "collected",
    }  # fmt: skip
    assert list(report["seconds"]) == ["suite", "train", "report", "total"]
    assert report["seconds"]["report"] > 0
    assert 120 <= report["seconds"]["total"] < 180, "what earlier processes took, and this one, steps or not"
    assert report["scenarios"] == {"train": 900, "held_out": 280, "live": 400}
    assert set(report["candidate"]["tool_accuracy"]) == {"value", "low", "high", "n"}
    assert report["gate"]["decision"] == "approve"
    assert [stage["weight"] for stage in report["rollout"]["stages"]] == [10, 50, 100]
    assert report["rollout"]["stages"][0]["counts"]["candidate"] == 10
    assert report["rollout"]["stages"][0]["evidence"][0]["high"] is None
    assert report["versions"]["champion"] == "agent:2"
    assert (made.folder / "report.png").read_bytes().startswith(b"\x89PNG")
    text = (made.folder / "report.md").read_text()
    assert text.index("agent:2 was promoted") < text.index("| task success | 0.525 [0.499, 0.546] | 0.889")
    assert "| 50 % | 41 | 39 | advance |" in text


def test_a_rejected_turn_has_no_rollout(tmp_path: Path) -> None:
    made = turn(tmp_path)
    given = write_report(made, results(GateOutcome.REJECT))
    made.ledger.close()
    assert (given.outcome, given.exit_status) == ("rejected", 3)
    assert given.report["rollout"]["decision"] == "none"
    assert given.report["rollout"]["stages"] == []
    assert given.report["versions"]["champion"] == "agent:1"
    assert "a candidate with lower cost" in markdown(given.report)
    out = io.StringIO()
    print_report(Console(file=out, width=100), given.report)
    assert "REJECTED" in out.getvalue()
    assert "0.89 [0.84, 0.92]" in out.getvalue()


@pytest.mark.parametrize(
    ("gate", "decision", "outcome", "status"),
    [
        (GateOutcome.APPROVE, "promoted", "promoted", 0),
        (GateOutcome.APPROVE, "aborted", "aborted", 3),
        (GateOutcome.APPROVE, "paused", "paused", 4),
        (GateOutcome.REJECT, "", "rejected", 3),
        (GateOutcome.INCONCLUSIVE, "", "inconclusive", 4),
    ],
)
def test_every_ending_has_its_status(gate: GateOutcome, decision: str, outcome: str, status: int) -> None:
    end = ending(results(gate, decision))
    assert (end.outcome, end.exit_status) == (outcome, status)
    assert "agent:2" in end.sentence
