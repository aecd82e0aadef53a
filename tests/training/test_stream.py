"""From rows of a snapshot to tokens: which worker's they are, what they weigh, which are kept."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from tests.training.making import lfm2_config, save_base, tiny_tokenizer
from training.render import Emphasis
from training.rows import arrow_rows
from training.stream import COLUMNS, RenderRows, Slice

SAID = json.dumps([{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}])
WEIGHTS = {"light": 0.5, "plain": 1.0, "none": 0.0, "heavy": 3.0}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_base(tmp_path_factory.mktemp("stream") / "base", lfm2_config(), tiny_tokenizer()))


def snapshot_rows() -> pa.Table:
    rows = {"id": list(WEIGHTS), "weight": list(WEIGHTS.values())}
    constant = {"scenario_group": None, "messages": SAID, "tools": "[]"}
    return pa.table({name: rows.get(name, [constant.get(name)] * len(WEIGHTS)) for name in COLUMNS})


def test_a_rows_weight_is_that_of_its_tokens(base: str) -> None:
    stage = RenderRows(base, Slice(rank=0, world=1, eval_share=0.0, seed=1), Emphasis(first=6))
    rows = list(arrow_rows(iter([stage(snapshot_rows())])))
    assert [max(row.weights) for row in rows] == [6 * weight for weight in WEIGHTS.values()]
    assert [sorted(set(row.weights))[1:] for row in rows if any(row.weights)] == [[w, 6 * w] for w in (0.5, 1.0, 3.0)]
    assert [any(row.trained) for row in rows] == [True, True, False, True]
    assert not any(row.held for row in rows)


def test_every_row_is_one_workers(base: str) -> None:
    stages = [RenderRows(base, Slice(rank, 2, 0.0, seed=1), Emphasis()) for rank in range(2)]
    assert sum(len(stage(snapshot_rows())) for stage in stages) == len(WEIGHTS)
