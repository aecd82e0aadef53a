from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.steps.suite import draw_suite
from cluster.turn import Tick, Turn
from evaluation.records import Record
from evaluation.scenarios import Part
from tests.cluster.making import turn
from tests.cluster.test_steps import BASE


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
    assert sorted(path.name for path in made.folder.iterdir()) == ["count.json", "seconds.json"]


def test_a_step_that_needs_something_is_given_it_only_where_it_runs(made: Turn) -> None:
    started: list[str] = []
    for _ in range(2):
        made.step("count", Counter(), Number, before=lambda: started.append("ray"))
    assert started == ["ray"]


def test_a_step_that_is_never_skipped_has_its_seconds_too(made: Turn) -> None:
    step = Counter()
    assert [made.always("report", step).value for _ in range(2)] == [1, 2]
    assert made.seconds.keys() == {"report"}


def scenarios(path: Path, city: str) -> str:
    each = [
        {"id": f"s{i}", "group": f"g{i}", "part": part, "query": f"Weather in {city}, please: {i}?"}
        for i, part in enumerate(("train", "held_out", "live"))
    ]
    path.write_text("".join(json.dumps(one) + "\n" for one in each))
    return str(path)


def test_an_edited_suite_file_is_another_input(made: Turn, tmp_path: Path) -> None:
    step, path = Counter(), tmp_path / "suite.jsonl"
    for city, runs in (("Rome", 1), ("Rome", 1), ("Oslo", 2)):
        one = turn(tmp_path, suite=scenarios(path, city))
        assert one.step("count", step, Number) == Number(value=runs)
        one.ledger.close()


def test_a_folder_s_templates_count_and_what_python_leaves_there_does_not(tmp_path: Path) -> None:
    folder, keys = tmp_path / "suite", []
    folder.mkdir()
    for name in ("suite.yaml", "__pycache__/tools.pyc", "mail.yaml"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
        one = turn(tmp_path, suite=str(folder))
        keys.append(one.inputs_key())
        one.ledger.close()
    assert keys[0] == keys[1] != keys[2]


def test_an_edit_in_mid_turn_counts_when_the_turn_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "suite.jsonl"
    one = turn(tmp_path, suite=scenarios(path, "Rome"))
    key = one.inputs_key()
    scenarios(path, "Oslo")
    again = turn(tmp_path, suite=str(path))
    assert one.inputs_key() == key != again.inputs_key()
    for each in (one, again):
        each.ledger.close()


def test_a_run_has_another_id_wherever_its_episodes_would_be_others(tmp_path: Path) -> None:
    better = BASE.model_copy(update={"digest": "c" * 64})
    same = ({}, {"train.epochs": 9}, {"gate.latency_ratio": 2.0}, {"serve.port": 9999})
    other = ({"run.temperature": 0.5}, {"run.attempts": 2}, {"engine.offered_only": False}, {"seed": 1})
    path = tmp_path / "suite.jsonl"
    rows = [{"id": f"s{i}", "group": f"g{i}", "query": f"Weather in {i}?"} for i in range(60)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = [turn(tmp_path, suite=str(path), **flags) for flags in (*same, *other)]
    ids = [one.run_id("test", BASE) for one in made]
    assert len(set(ids[: len(same)])) == 1
    assert len({*ids, made[0].run_id("test", better)}) == 1 + len(other) + 1
    assert ids[0].startswith("t001/test-")
    assert made[0].run_id("compare", BASE, better) != made[0].run_id("compare", BASE, BASE)
    for one in made:
        one.ledger.close()


def test_a_turn_of_a_fold_holds_it_out(tmp_path: Path) -> None:
    path, held_out = tmp_path / "suite.jsonl", list[str]()
    parts = ["train", "held_out", "live", "train"]
    rows = [{"id": f"s{i}", "group": f"g{i}", "part": parts[i % 4], "query": f"Weather in {i}?"} for i in range(24)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = [turn(tmp_path, suite=str(path), **{"run.fold": f"{number}/5"}) for number in range(1, 6)]
    for one in made:
        result = draw_suite(one, lambda *_: None)
        assert result.counts["held_out"] in (3, 4)
        assert (result.counts["live"], result.name[:12]) == (6, "suite, fold ")
        held_out += [scenario.id for scenario in one.suite().part(Part.HELD_OUT)]
        one.ledger.close()
    assert sorted(held_out) == sorted(f"s{i}" for i in range(24) if i % 4 != 2)
    assert len({one.inputs_key() for one in made}) == 5
