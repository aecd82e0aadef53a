"""Arms on the same scenarios, kept block by block in a folder, so that a comparison that was stopped goes on.

<folder>/compare.jsonl       the rows (`evaluation/pair_rows.py`), whole blocks only
<folder>/compare.state.json  which comparison they are of, and what it has taken so far

Rows of another comparison are not gone on with: it begins anew.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from evaluation.files import atomic_write
from evaluation.pair_rows import PairRow, read_rows
from evaluation.pairs import Arm, Block, PairOptions, Spent, run_pairs
from evaluation.records import Example
from evaluation.scenarios import Scenario

ROWS, STATE = "compare.jsonl", "compare.state.json"


class PairedRun(NamedTuple):
    """What a comparison has come to."""

    rows: list[PairRow]
    spent: Spent


class Watch(NamedTuple):
    """Who is told of a comparison while it runs."""

    keep: Callable[[Sequence[Example]], object]
    """Persists the examples of a block; its rows count from then on."""
    tick: Callable[[list[PairRow], int, int], None]
    """Gets all rows, and how many of how many scenarios are done."""
    decided: Callable[[list[PairRow]], bool] = lambda rows: False
    """Whether the rows tell enough to stop."""


def run_arms(
    folder: Path,
    scenarios: Sequence[Scenario],
    arms: Mapping[str, Arm],
    *,
    run_id: str,
    options: PairOptions,
    watch: Watch,
) -> PairedRun:
    """Attempt what is missing of the comparison `run_id`; return all of it."""
    found = kept(folder, run_id, len(arms) * options.attempts)
    rows, spent = list(found.rows), found.spent
    done = {row.scenario_id for row in rows}

    def on_block(block: Block) -> bool:
        nonlocal spent
        watch.keep(block.examples)
        rows.extend(block.rows)
        done.update(row.scenario_id for row in block.rows)
        spent = spent.plus(block.spent)
        atomic_write(folder / ROWS, "".join(row.model_dump_json() + "\n" for row in rows))
        atomic_write(folder / STATE, json.dumps({"run": run_id, "spent": spent._asdict()}))
        watch.tick(rows, len(done), len(scenarios))
        return not watch.decided(rows)

    if not (rows and watch.decided(rows)):
        asyncio.run(run_pairs(scenarios, arms, run_id=run_id, options=options, on_block=on_block, skip=done))
    return PairedRun(rows, spent)


def kept(folder: Path, run_id: str, attempts: int) -> PairedRun:
    """Return what the folder holds of the comparison, scenarios with all their `attempts` (of all arms) only."""
    rows, state = folder / ROWS, folder / STATE
    known = json.loads(state.read_text()) if state.exists() and rows.exists() else {}
    if known.get("run") != run_id:
        atomic_write(rows, "")
        atomic_write(state, json.dumps({"run": run_id, "spent": Spent()._asdict()}))
        return PairedRun([], Spent())
    found = read_rows(rows)
    counts = Counter(row.scenario_id for row in found)
    return PairedRun([row for row in found if counts[row.scenario_id] >= attempts], Spent(**known["spent"]))
