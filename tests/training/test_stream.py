"""From rows of a snapshot to tokens: which worker's they are, what they weigh, which are kept."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from tests.training.making import lfm2_config, save_base, tiny_tokenizer
from training.config import Emphasis
from training.render_rows import RenderRows
from training.rows import arrow_rows
from training.shares import Slice, divides_by_tools
from training.snapshot import SnapshotMeta, SnapshotRow, commit
from training.stream import COLUMNS

SAID = json.dumps([{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}])
WEIGHTS = {"light": 0.5, "plain": 1.0, "none": 0.0, "heavy": 3.0}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_base(tmp_path_factory.mktemp("stream") / "base", lfm2_config(), tiny_tokenizer()))


def snapshot_rows() -> pa.Table:
    rows = {"id": list(WEIGHTS), "weight": list(WEIGHTS.values())}
    constant = {"split": "train", "messages": SAID, "tools": "[]"}
    return pa.table({name: rows.get(name, [constant.get(name)] * len(WEIGHTS)) for name in COLUMNS})


def test_a_rows_weight_is_that_of_its_tokens(base: str) -> None:
    stage = RenderRows(base, Slice(rank=0, world=1, eval_share=0.0, seed=1), Emphasis(first=6))
    rows = list(arrow_rows(iter([stage(snapshot_rows())])))
    assert [max(row.weights) for row in rows] == [6 * weight for weight in WEIGHTS.values()]
    assert [sorted(set(row.weights))[1:] for row in rows if any(row.weights)] == [[w, 6 * w] for w in (0.5, 1.0, 3.0)]
    assert [any(row.trained) for row in rows] == [True, True, False, True]
    assert not any(row.held for row in rows)


def test_only_chosen_turns_carry_loss_and_rows_held_out_are_kept_for_evaluation(base: str) -> None:
    stage = RenderRows(base, Slice(rank=0, world=1, eval_share=0.0, seed=1), Emphasis())
    said = [{"role": role, "content": word} for role, word in
            (("user", "a"), ("assistant", "one"), ("user", "b"), ("assistant", "two"))]  # fmt: skip
    columns = {"id": ["all", "last", "none"], "split": ["train", "hold_out", "train"], "turns": [None, [3], []]}
    constant = {"messages": json.dumps(said), "tools": "[]", "weight": 1.0}
    table = pa.table({name: columns.get(name, [constant.get(name)] * 3) for name in COLUMNS})
    every, last, none = arrow_rows(iter([stage(table)]))
    assert [row.held for row in (every, last, none)] == [False, True, False]
    assert sum(none.weights) == 0
    assert 0 < sum(last.weights) < sum(every.weights)
    first = next(at for at, weight in enumerate(last.weights) if weight)
    assert every.weights[first:].tolist() == last.weights[first:].tolist()


def test_every_row_is_one_workers(base: str) -> None:
    stages = [RenderRows(base, Slice(rank, 2, 0.0, seed=1), Emphasis()) for rank in range(2)]
    assert sum(len(stage(snapshot_rows())) for stage in stages) == len(WEIGHTS)


def test_rows_with_one_list_of_tools_are_one_workers_and_get_the_same_names() -> None:
    slices = [Slice(rank, 2, 0.0, seed=1, mask_names=0.5, by_tools=True) for rank in range(2)]
    for tools in map(str, range(40)):
        takers = {one.rank for one in slices for row in "abcdef" if one.takes(row, tools)}
        assert len(takers) == 1
        assert slices[0].masks(tools) == slices[1].masks(tools)
    taken = sum(slices[0].takes("a", str(tools)) for tools in range(200))
    assert 60 < taken < 140


@pytest.mark.parametrize(("lists", "divided"), [(1, False), (4, False), (64, True)])
def test_rows_are_divided_by_tools_where_there_are_many_lists(lists: int, divided: bool, tmp_path: Path) -> None:
    rows = [
        SnapshotRow(id=f"{n:03}", task_key="tools", messages=SAID, tools=json.dumps([n % lists]), source="test")
        for n in range(128)
    ]
    made = commit(rows, tmp_path / "snapshot", SnapshotMeta(name="", filter={}, seeds={}, funnel={}))
    assert divides_by_tools(made.path, made.version, 2) is divided
