from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.turn import Tick, Turn
from evaluation.records import Record
from tests.cluster.making import turn


class Number(Record):
    value: int


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Turn]:
    new = turn(tmp_path)
    yield new
    new.ledger.close()


class Counter:
    """A step that counts how often it ran."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, turn: Turn, tick: Tick) -> Number:
        tick(1, 1, "one")
        self.runs += 1
        return Number(value=self.runs)


def test_a_step_with_the_same_inputs_is_not_run_again(made: Turn, tmp_path: Path) -> None:
    step = Counter()
    first = made.step("count", step, Number, Number(value=7))
    again = turn(tmp_path)
    assert again.step("count", step, Number, Number(value=7)) == first
    assert again.skipped == ["count"]
    assert again.seconds == made.seconds
    assert step.runs == 1
    again.ledger.close()


def test_a_step_with_other_inputs_or_settings_is_run_again(made: Turn, tmp_path: Path) -> None:
    step = Counter()
    made.step("count", step, Number, Number(value=7))
    assert made.step("count", step, Number, Number(value=8)) == Number(value=2)
    elsewhere, seeded = turn(tmp_path, **{"serve.port": 9999}), turn(tmp_path, seed=1)
    assert elsewhere.step("count", step, Number, Number(value=8)) == Number(value=2)
    assert seeded.step("count", step, Number, Number(value=8)) == Number(value=3)
    for one in (elsewhere, seeded):
        one.ledger.close()


def test_a_step_that_fails_leaves_no_result(made: Turn) -> None:
    def fails(turn: Turn, tick: Tick) -> Number:
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        made.step("count", fails, Number)
    assert not (made.folder / "count.json").exists()
    assert made.seconds == {}
    assert made.step("count", Counter(), Number) == Number(value=1)
    kept = json.loads((made.folder / "count.json").read_text())
    assert kept["result"] == {"value": 1}
    assert list(made.folder.iterdir()) == [made.folder / "count.json"]
