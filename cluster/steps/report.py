"""Step 10: `report.json`, `report.md` and `report.png` in the turn's folder.

Not skipped when a turn is resumed: it takes a second, and depends on nothing but the other steps' results.
"""

from __future__ import annotations

import json
import time

from cluster.report import build_report, ending
from cluster.report_picture import draw_report
from cluster.report_text import markdown
from cluster.results import ReportResult, TurnResults
from cluster.turn import Turn
from evaluation.files import atomic_write


def write_report(turn: Turn, results: TurnResults) -> ReportResult:
    """Write the three files, `report.json` last: where it is, the others are. Raises `DiskError`."""
    started = time.monotonic()
    end, report = ending(results), build_report(turn, results)
    atomic_write(turn.folder / "report.png", draw_report(report, turn.home.training / turn.id / "curve.json"))
    # Only now: the picture takes nearly all of this step's time.
    turn.seconds["report"] = round(time.monotonic() - started, 2)
    report["seconds"] = {**turn.seconds, "total": turn.clock.total()}
    atomic_write(turn.folder / "report.md", markdown(report))
    atomic_write(turn.folder / "report.json", json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return ReportResult(folder=str(turn.folder), outcome=end.outcome, exit_status=end.exit_status, report=report)
