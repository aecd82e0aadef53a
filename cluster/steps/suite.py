"""Step 1: draw the scenarios, and prove that no part leaks into another."""

from __future__ import annotations

from cluster.results import SuiteResult
from cluster.turn import Tick, Turn, TurnError
from evaluation.scenarios import Part
from evaluation.suite import check_split, require_parts


def draw_suite(turn: Turn, tick: Tick) -> SuiteResult:
    """Return what the turn's suite holds. Raises `SuiteError` and, where parts overlap, `TurnError`."""
    suite = turn.suite()
    require_parts(suite)
    leaks = check_split(suite.scenarios)
    if leaks:
        raise TurnError(f"suite {suite.name}: its parts overlap: {'; '.join(leaks[:5])}; move each group into one part")
    seen = {t for s in suite.part(Part.TRAIN) for t in (c.name for c in s.expected.calls)}
    used = {c.name for s in suite.scenarios for c in s.expected.calls}
    return SuiteResult(
        name=suite.name,
        seed=suite.seed,
        split_seed=suite.split_seed,
        digest=suite.digest(),
        counts={str(part): len(suite.part(part)) for part in Part},
        tools=len({tool.name for s in suite.scenarios for tool in s.tools}),
        domains=len({s.group.split(".")[0] for s in suite.scenarios}),
        held_out_tools=len(used - seen),
    )
