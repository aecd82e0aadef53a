"""The steps over all rows: pure functions of columns."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.records import Message
from training.prepare.balance import allotted, balanced, within_budget
from training.prepare.config import BalanceConfig, DecontaminateConfig, OutlierConfig, SplitConfig
from training.prepare.decontaminate import Benchmark, benchmark_files, benchmark_texts, words_of
from training.prepare.measure import repetition, script
from training.prepare.outliers import outliers, robust_scores
from training.prepare.pairing import Side, paired, same_inputs
from training.prepare.prompts import PrepareError
from training.prepare.split import groups, split

SHARED = Path(__file__).parents[4] / "shared" / "bfcl"


def test_robust_scores_are_those_of_the_definition() -> None:
    scores = robust_scores(np.exp(np.array([1.0, 2.0, 3.0, 4.0, 13.0])))
    np.testing.assert_allclose(scores, np.array([2, 1, 0, 1, 10]) / 1.4826)
    np.testing.assert_array_equal(robust_scores(np.array([np.nan, 0.0, -1.0])), [0, 0, 0])
    assert robust_scores(np.full(9, 3.0)).max() == 0
    alike = robust_scores(np.array([2.0] * 9 + [200.0]))
    assert alike[:9].max() < 1 < 5 < alike[9], "the mean deviation, where half are alike"


def test_outliers_have_a_reason_each() -> None:
    rng = np.random.default_rng(0)
    figures = {name: np.exp(rng.normal(5, 0.3, 200)) for name in ("chars", "latency_ms", "token_ratio")}
    figures |= {"repetition": np.zeros(200), "other_script": np.zeros(200)}
    figures["chars"][3], figures["latency_ms"][4] = 1e6, 1e-3
    figures["repetition"][5], figures["other_script"][6] = 0.9, 1
    figures["token_ratio"][7] = np.nan
    found = outliers(figures.__getitem__, 200, OutlierConfig())
    assert {n: reason for n, reason in enumerate(found) if reason} == {
        3: "length far above the others",
        4: "latency far below the others",
        5: "repeats more than 60% of its words",
        6: "user and assistant write in different scripts",
    }
    alike = figures | {"chars": np.exp(rng.normal(5, 0.001, 200)), "latency_ms": figures["token_ratio"]}
    alike["chars"][9] = np.exp(5.5)
    assert [n for n, reason in enumerate(outliers(alike.__getitem__, 200, OutlierConfig())) if reason] == [5, 6], (
        "not far away"
    )
    few = outliers(lambda name: figures[name][:10], 10, OutlierConfig())
    assert [n for n, reason in enumerate(few) if reason] == [5, 6], "too few rows to say what is usual"


def test_repetition_and_scripts() -> None:
    assert repetition("one two three four five six seven eight nine ten eleven") == 0
    assert repetition("I am sorry about that. " * 30) > 0.9
    assert script("ok") is None
    assert script("What is the weather like today?") == "LATIN"
    assert script("Какая сегодня погода в Москве?") == "CYRILLIC"
    assert script("今日の東京の天気はどうなっていますか教えてくださいませ") == "CJK"


@given(st.lists(st.integers(1, 200), min_size=1, max_size=8), st.floats(1, 20), st.integers(1, 500), st.integers(1, 60))
def test_no_stratum_gets_more_than_it_has_and_all_rows_are_given_out(
    counts: list[int], temperature: float, rows: int, cap: int
) -> None:
    has = np.array(counts)
    room = allotted(has, BalanceConfig(temperature=temperature, rows=rows, cap=cap))
    assert (room <= np.minimum(has, cap)).all()
    assert (room >= 0).all()
    assert room.sum() == min(rows, np.minimum(has, cap).sum())


def test_a_temperature_evens_shares_out() -> None:
    has = np.array([10_000, 100, 1])
    assert allotted(has, BalanceConfig(temperature=2)).tolist() == [100, 10, 1]
    assert allotted(has, BalanceConfig(cap=50)).tolist() == [50, 50, 1]
    assert allotted(has, BalanceConfig(temperature=1e9, rows=61)).tolist() == [30, 30, 1]


def test_which_rows_stay_depends_on_their_digest_and_not_on_their_order() -> None:
    rng = np.random.default_rng(1)
    draw, strata = rng.integers(1, 2**63, 300).astype(np.uint64), rng.integers(0, 4, 300)
    config = BalanceConfig(cap=20)
    stays = balanced(strata, draw, config)
    assert np.bincount(strata[stays]).tolist() == [20] * 4
    moved = rng.permutation(300)
    np.testing.assert_array_equal(balanced(strata[moved], draw[moved], config), stays[moved])
    tokens = rng.integers(1, 100, 300).astype(np.uint32)
    fits = within_budget(tokens, draw, 5_000)
    assert 4_900 < tokens[fits].sum() <= 5_000
    np.testing.assert_array_equal(within_budget(tokens[moved], draw[moved], 5_000), fits[moved])


@given(st.lists(st.tuples(*[st.integers(0, 6)] * 3), min_size=1, max_size=40), st.randoms())
def test_rows_that_share_a_key_are_one_group_in_any_order(rows: list[tuple[int, ...]], random: object) -> None:
    keys = np.array(rows, np.uint64) + np.array([0, 100, 200], np.uint64) * (np.array(rows) > 0).astype(np.uint64)
    alone = np.arange(1000, 1000 + len(rows)).astype(np.uint64)
    found = groups(keys.T, alone)
    parents = list(range(len(rows)))

    def root(n: int) -> int:
        return n if parents[n] == n else root(parents[n])

    for a in range(len(rows)):
        for b in range(a):
            if ((keys[a] == keys[b]) & (keys[a] != 0)).any():
                parents[root(a)] = root(b)
    for a in range(len(rows)):
        for b in range(a):
            assert (found[a] == found[b]) == (root(a) == root(b))
    moved = list(range(len(rows)))
    random.shuffle(moved)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(groups(keys[moved].T, alone[moved]), found[moved])


def test_groups_are_held_out_whole_and_folds_are_about_alike() -> None:
    group = np.repeat(np.arange(1, 2001), 3).astype(np.uint64)
    held, fold = split(group, SplitConfig(hold_out=0.2, folds=5), seed=3)
    assert 0.17 < held.mean() < 0.23
    for n in (0, 7, 500):
        assert len(set(held[3 * n : 3 * n + 3])) == len(set(fold[3 * n : 3 * n + 3])) == 1
    assert np.bincount(fold).min() > 1000
    assert 0.1 < held[fold == 0].mean() < 0.3, "fold and hold-out are drawn apart"
    again, _ = split(group[::-1], SplitConfig(hold_out=0.2), seed=3)
    np.testing.assert_array_equal(again[::-1], held)
    assert (split(group, SplitConfig(), 0)[1] == -1).all()


def test_the_best_is_paired_with_the_worst_of_nearly_the_same_input() -> None:
    words = "please tell me what the weather in Paris will be like tomorrow morning when I go to the market by bus"
    texts = [words, words.upper(), f"{words}!", "something else", words]
    table = pa.table(
        {
            "id": [str(n) for n in range(5)],
            "text": texts,
            "task_key": ["a"] * 5,
            "quality": [None] * 5,
            "timestamp": [None] * 5,
        }
    )
    cluster = same_inputs([table], 0.8)
    assert sorted(cluster) == ["0", "1", "2", "4"]
    sides = [Side(n, str(n), side, score) for n, (side, score) in
             enumerate([(1, 4.5), (1, 5.0), (-1, 2.0), (-1, 0.0), (-1, 1.0)])]  # fmt: skip
    assert paired(sides, cluster, 5) == [(1, 4), (0, 2)]
    assert paired(sides, cluster, 1) == [(1, 4)]


TEXT = "Find the area of a triangle with a base of ten units and a height of five units please"


@pytest.mark.parametrize(
    ("said", "how"),
    [
        (f"Hello! {TEXT.upper()}, thanks", "13 words in a row"),
        (" ".join(TEXT.split()[:13]), "13 words in a row"),
        (" ".join(TEXT.split()[:12]), None),
        ("  what is TWO plus two?", "the whole of"),
        ("Now, what is two plus two?", None),
        ("so play some quiet jazz music in the living room", "8 words in a row"),
        ("find area of triangle with base of ten", None),
    ],
)
def test_a_benchmark_is_found_in_a_message(said: str, how: str | None) -> None:
    texts = [TEXT, "What is two plus two", "Play some quiet jazz music in the living room"]
    found = Benchmark.of(texts, DecontaminateConfig()).found_in([Message(role="user", content=said)])
    assert (found or "").startswith(how or "")
    assert (found is None) == (how is None)
    assert Benchmark.of(texts, DecontaminateConfig()).found_in([Message(role="system", content=said)]) is None


def test_a_text_with_some_words_changed_is_found_as_near() -> None:
    words = [f"word{n}" for n in range(60)]
    changed = [*words]
    for at in range(6, 60, 12):
        changed[at] = "other"
    benchmark = Benchmark.of([" ".join(words)], DecontaminateConfig(near=0.5))
    assert benchmark.found_in([Message(role="user", content=" ".join(changed))]) == "nearly a benchmark's text"
    strict = Benchmark.of([" ".join(words)], DecontaminateConfig(near=0.9))
    assert strict.found_in([Message(role="user", content=" ".join(changed))]) is None


def test_benchmarks_are_read_from_any_file(tmp_path: Path) -> None:
    rows = [{"question": [[{"role": "user", "content": "One?"}]], "function": [{"description": "no"}]}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    (tmp_path / "b.json").write_text(json.dumps({"data": rows}))
    (tmp_path / "c.txt").write_text("One?\nTwo?\n")
    pq.write_table(pa.table({"query": ["One?"], "answer": ["no"]}), tmp_path / "d.parquet")
    (tmp_path / "e.json").write_text(json.dumps(["One?", {"own": "Two?"}]))
    fields = DecontaminateConfig().fields
    found = [benchmark_texts(file, fields) for file in benchmark_files([tmp_path])]
    assert found == [
        ["One?"], ["One?"], ["One?", "Two?"], ["One?"], ["One?", "Two?"],
    ]  # fmt: skip
    with pytest.raises(PrepareError, match="expected a benchmark"):
        benchmark_files([tmp_path / "none.jsonl"])
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(PrepareError, match=r"broken\.json"):
        benchmark_texts(tmp_path / "broken.json", fields)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the Berkeley leaderboard's files are not here")
def test_every_question_of_the_berkeley_leaderboard_is_found_and_other_texts_are_not() -> None:
    config = DecontaminateConfig()
    texts = benchmark_texts(SHARED / "BFCL_v4_multiple.json", config.fields)
    benchmark = Benchmark.of(texts, config)
    wrapped = [
        Message(role="user", content=f"Hi there, {text} Thank you!") for text in texts if len(words_of(text)) > 7
    ]
    assert len(wrapped) > 70
    assert all(benchmark.found_in([message]) for message in wrapped)
    others = benchmark_texts(SHARED / "BFCL_v4_live_simple.json", config.fields)
    found = sum(benchmark.found_in([Message(role="user", content=text)]) is not None for text in others)
    assert found <= len(others) // 50
