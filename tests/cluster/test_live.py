"""The live scenarios of a turn: fresh ones without end from templates, each once from a file."""

from __future__ import annotations

import json
from pathlib import Path

from evaluation.scenarios import Part
from tests.cluster.making import turn

SMALL = {f"counts.{part}": 20 for part in ("train", "held_out", "live")}


def test_a_file_gives_its_live_scenarios_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    rows = [{"query": f"What is {n}?", "part": part} for n, part in enumerate([*Part, Part.LIVE])]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = turn(tmp_path, suite=str(path))
    assert [scenario.query for scenario in made.live(0)] == ["What is 2?", "What is 3?"]
    assert made.live(1) == ()
    made.ledger.close()


def test_templates_give_fresh_ones_in_every_block(tmp_path: Path) -> None:
    made = turn(tmp_path, **SMALL)
    first, second = ({scenario.digest() for scenario in made.live(block)} for block in (0, 1))
    assert len(first) == len(made.live(1)) == 20
    assert first != second
    made.ledger.close()
