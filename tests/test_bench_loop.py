"""The benchmark of the loop reads a report and counts as reached only what is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench_loop import Turn, line, read

GOOD = Turn(
    seed=3, status=0, tool_accuracy=0.97, task_success_gain=0.3, gate="approve", rollout="promoted", seconds=240.0
)


def test_a_turn_is_read_from_its_report(tmp_path: Path) -> None:
    report = {
        "candidate": {"tool_accuracy": {"value": 0.97}},
        "differences": {"task_success": {"value": 0.3}},
        "gate": {"decision": "approve"},
        "rollout": {"decision": "promoted"},
        "seconds": {"total": 240.0},
    }
    (tmp_path / "report.json").write_text(json.dumps(report), encoding="utf-8")
    assert read(tmp_path / "report.json", seed=3, status=0) == GOOD
    (tmp_path / "report.json").write_text(json.dumps({**report, "rollout": None}), encoding="utf-8")
    assert read(tmp_path / "report.json", seed=3, status=3).rollout == "none"


@pytest.mark.parametrize(
    "short",
    [
        replace(GOOD, status=1),
        replace(GOOD, tool_accuracy=0.94),
        replace(GOOD, gate="inconclusive"),
        replace(GOOD, rollout="aborted"),
    ],
)
def test_only_a_turn_that_did_all_of_it_is_reached(short: Turn) -> None:
    assert GOOD.reached
    assert not short.reached


def test_a_turn_without_a_report_has_a_line() -> None:
    assert line(None) == "ended without a report"
    assert "+0.300" in line(GOOD)
