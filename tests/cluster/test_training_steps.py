"""The steps around training: what production gives, what is recorded, what is refused. Without Ray, but for one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster import results
from cluster.steps.select import select_examples
from cluster.turn import Turn
from evaluation.scenarios import Part
from serving.capture import flush
from serving.gateway import FeedbackBody
from tests.cluster.making import arm, turn
from tests.serving.backends import make_gateway
from tests.serving.test_spool import ask
from training.snapshot import SnapshotRow, read

SMALL = {f"counts.{part}": 20 for part in Part}
TESTS = results.TestRunResult(run_id="t001/test", examples=0, failures={}, metrics=arm(0))


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Turn]:
    new = turn(tmp_path, **SMALL)
    yield new
    new.ledger.close()


def selected(made: Turn) -> dict[str, SnapshotRow]:
    """Select, and return the rows by what the user said."""
    result = select_examples(made, lambda *_: None, TESTS)
    return {json.loads(row.messages)[0]["content"]: row for row in read(result.snapshot)}


def said(words: str) -> list[dict[str, Any]]:
    call = {"id": "call_1", "function": {"name": "weather", "arguments": "{}"}}
    return [
        {"role": "user", "content": words},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
    ]


def test_what_was_captured_is_trained_on_as_outcomes_ratings_and_suggestions_say(made: Turn, tmp_path: Path) -> None:
    gateway, _ = make_gateway(tmp_path)
    kept = made.suite().part(Part.HELD_OUT)[0].query
    done = {words: ask(gateway, said(words), words) for words in ("well", "badly", "praised", "untold", "mended", kept)}
    for words, success in (("well", True), ("badly", False), ("mended", False), (kept, True)):
        gateway.outcome(words, success)
    gateway.feedback(FeedbackBody(example_id=done["praised"].captured, rating=5))
    gateway.feedback(
        FeedbackBody(example_id=done["mended"].captured, rating=1, suggested_response="It will rain all day.")
    )
    flush(gateway._spool, made.ledger, quiet_s=0)
    rows = selected(made)
    assert rows.keys() == {"well", "praised", "mended"}
    assert json.loads(rows["mended"].messages)[-1]["content"] == "It will rain all day."
    assert {words: row.source for words, row in rows.items()} == {
        "well": "production",
        "praised": "production",
        "mended": "manual",
    }
