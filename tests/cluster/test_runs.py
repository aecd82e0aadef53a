"""Test run and comparison under other settings: their episodes are new, and so they are kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.results import BaseResult, RegisterResult
from cluster.steps.compare import compare_and_gate
from cluster.steps.test_run import run_tests
from cluster.turn import Turn
from evaluation.ledger import ExampleFilter
from evaluation.pair_rows import read_rows
from evaluation.scenarios import Part
from tests.cluster.making import turn
from tests.training.making import lfm2_config, save_base, tiny_tokenizer

N = 3
"""Scenarios of each part."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_base(tmp_path_factory.mktemp("model"), lfm2_config(), tiny_tokenizer()))


@pytest.fixture
def turns(tmp_path: Path) -> Iterator[list[Turn]]:
    """One turn, gone on with under other settings."""
    suite = tmp_path / "suite.jsonl"
    rows = [{"group": f"{part}-{i}", "part": part, "query": f"{part} {i}?"} for part in Part for i in range(N)]
    suite.write_text("".join(json.dumps(row) + "\n" for row in rows))
    flags = ({"run.max_tokens": 1}, {"run.max_tokens": 2}, {"run.max_tokens": 1, "seed": 1})
    made = [turn(tmp_path, suite=str(suite), **each) for each in flags]
    yield made
    for one in made:
        one.ledger.close()


def of_run(made: Turn, run_id: str) -> int:
    return made.ledger.count(ExampleFilter(run_ids=(run_id,)))


def test_a_test_run_with_other_settings_attempts_everything_anew(turns: list[Turn], folder: str) -> None:
    base = BaseResult(folder=folder, ref="agent:1", digest="a", is_champion=False, parameters=1)
    given = [run_tests(one, lambda *_: None, base) for one in turns]
    assert [result.examples for result in given] == [N] * 3
    assert [of_run(turns[0], result.run_id) for result in given] == [N] * 3
    assert {e.metrics.tokens_out for e in turns[0].ledger.examples(ExampleFilter(run_ids=(given[0].run_id,)))} == {1}
    run_tests(turns[0], lambda *_: None, base)
    seen = turns[0].ledger.observations(metric="tokens_per_episode", subject="agent:1")
    assert sorted(one.origin_id for one in seen) == sorted(result.run_id for result in given), "once for each run"
    assert {one.n for one in seen} == {N}


def test_a_comparison_with_other_settings_keeps_its_own_episodes(turns: list[Turn], folder: str) -> None:
    base = BaseResult(folder=folder, ref="agent:1", digest="a", is_champion=False, parameters=1)
    candidate = RegisterResult(ref="agent:2", folder=folder, digest="b")
    for one in turns[:2]:
        compare_and_gate(one, lambda *_: None, base, candidate)
        assert of_run(one, f"{one.run_id('compare', base, candidate)}/base") == N
        assert len(read_rows(one.folder / "compare.jsonl")) == 2 * N
