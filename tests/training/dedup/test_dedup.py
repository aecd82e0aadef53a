"""What deduplication promises of any rows: the same result in any order, one kept of each cluster, nothing twice."""

from __future__ import annotations

import pickle
import time
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.training.dedup.tables import ALL, NEAR, NONE, SEMANTIC, edited, fell, passage, table
from training.dedup import CLUSTERS, DedupConfig, DedupError, ExactConfig, NearConfig, SemanticConfig, dedup

WORDS = ["book", "a", "table", "in", "Paris", "Rome", "für", "zwei", "日本", "Ünï", "5", "the", "{}", "", "\n"]
TEXTS = st.lists(
    st.one_of(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), st.text(max_size=30)), max_size=30
)
CONFIGS = st.sampled_from(
    [
        DedupConfig(),
        NEAR,
        ALL,
        SEMANTIC.model_copy(update={"semantic": SEMANTIC.semantic.model_copy(update={"linkage": "chained"})}),
        DedupConfig(near=NearConfig(linkage="kept", threshold=0.5, verify="exact"), scope="all", keep="longest"),
        DedupConfig(near=NearConfig(shingle="char", size=5, threshold=0.6, permutations=64)),
    ]
)


@settings(max_examples=40, deadline=None)
@given(TEXTS, CONFIGS, st.randoms(use_true_random=False))
def test_order_and_number_of_blocks_do_not_matter(texts, config, random) -> None:
    scores = [random.choice([None, 1.0, 4.5]) for _ in texts]
    rows = table(texts, quality=pa.array(scores, pa.float64()), task_key=[random.choice("ab") for _ in texts])
    first = dedup([rows], config)
    order = random.sample(range(len(texts)), len(texts))
    shuffled = rows.take(pa.array(order, pa.int64()))
    cuts = sorted(random.randint(0, len(texts)) for _ in range(7))
    parts = [shuffled.slice(a, b - a) for a, b in zip([0, *cuts], [*cuts, len(texts)], strict=True)]
    second = dedup(parts, config.model_copy(update={"threads": 1}))
    assert first.kept == second.kept
    assert first.clusters.equals(second.clusters)
    assert first.counts == second.counts


@settings(max_examples=40, deadline=None)
@given(TEXTS, CONFIGS)
def test_clusters_partition_what_fell_and_keep_one_each(texts, config) -> None:
    rows = table(texts)
    found = dedup([rows], config)
    assert found.clusters.schema == CLUSTERS
    listed = found.clusters.to_pylist()
    assert max(Counter(row["id"] for row in listed).values(), default=1) == 1
    members = Counter(row["cluster"] for row in listed)
    assert all(count > 1 for count in members.values())
    assert {row["id"] for row in listed if row["kept"]} == set(members)
    assert all((row["id"] == row["cluster"]) == row["kept"] == (row["step"] is None) for row in listed)
    assert all(0 <= row["similarity"] <= 1 for row in listed)
    assert set(rows["id"].to_pylist()) - found.kept_ids() == {row["id"] for row in listed if not row["kept"]}
    assert set(members) <= found.kept_ids()
    dropped = sum(count.rows_in - count.rows_out for count in found.counts)
    assert dropped == len(texts) - len(found.kept)


@settings(max_examples=40, deadline=None)
@given(TEXTS, CONFIGS)
def test_what_is_kept_falls_no_further(texts, config) -> None:
    if config.semantic.enabled and config.semantic.vectors == "tfidf":
        config = config.model_copy(update={"semantic": config.semantic.model_copy(update={"enabled": False})})
    rows = table(texts)
    kept = dedup([rows], config).kept
    again = dedup([rows.filter(pa.compute.is_in(rows["id"], kept))], config)
    assert again.kept == kept
    assert again.clusters.num_rows == 0


@pytest.mark.parametrize("config", [NONE, NEAR, SEMANTIC, ALL, DedupConfig()])
def test_no_rows_and_rows_without_words(config: DedupConfig) -> None:
    assert len(dedup([], config).kept) == 0
    found = dedup([table(["", "  ", None, "\u3000", "!?", "one"])], config)
    assert "r00005" in found.kept_ids()
    assert all(step == "exact" for _, step in fell(found).values())


def test_each_step_takes_its_own() -> None:
    words = passage(60, 0)
    texts = [" ".join(words), " ".join(words).upper(), " ".join(edited(words, 2, 1)), "set a timer", "a timer set"]
    found = dedup([table(texts)], DedupConfig(semantic=SemanticConfig(enabled=True, threshold=0.55, dims=32)))
    assert fell(found) == {
        "r00001": ("r00000", "exact"),
        "r00002": ("r00000", "near"),
        "r00004": ("r00003", "semantic"),
    }
    assert [(count.step, count.rows_in, count.rows_out, count.clusters) for count in found.counts] == [
        ("exact", 5, 4, 1), ("near", 4, 3, 1), ("semantic", 3, 2, 1),
    ]  # fmt: skip


def test_a_cluster_goes_through_the_steps() -> None:
    """What fell to a row that falls later belongs to who stays in the end."""
    words = passage(60, 3)
    better = " ".join(edited(words, 1, 1))
    found = dedup([table([" ".join(words), " ".join(words), better], quality=[1.0, 2.0, 3.0])], DedupConfig())
    assert fell(found) == {"r00000": ("r00002", "exact"), "r00001": ("r00002", "near")}
    assert found.kept.to_pylist() == ["r00002"]


@pytest.mark.parametrize(("keep", "kept"), [("quality", "r00001"), ("newest", "r00002"), ("longest", "r00003")])
def test_which_one_stays(keep, kept: str) -> None:
    times = pa.array([10, 20, 30, None], pa.timestamp("s", "UTC"))
    rows = table(["a b", "A b", "a  b", " a   b "], quality=[None, 4.0, 2.0, 4.0], timestamp=times)
    assert dedup([rows], DedupConfig(keep=keep)).kept.to_pylist() == [kept]


def test_ties_go_to_the_smallest_id_and_no_quality_comes_last() -> None:
    assert dedup([table(["a", "a"], id=["b", "a"])], DedupConfig()).kept.to_pylist() == ["a"]
    assert dedup([table(["a", "a"], quality=[float("nan"), 0.0])], DedupConfig()).kept.to_pylist() == ["r00001"]


@pytest.mark.parametrize("config", [DedupConfig(), NEAR, SEMANTIC])
def test_other_task_keys_are_left_alone_unless_all_are_one(config: DedupConfig) -> None:
    rows = table(["set a timer for five minutes please now"] * 4, task_key=["a", "b", "a", "b"])
    assert dedup([rows], config).kept.to_pylist() == ["r00000", "r00001"]
    assert dedup([rows], config.model_copy(update={"scope": "all"})).kept.to_pylist() == ["r00000"]


def test_times_may_be_texts() -> None:
    rows = table(["a", "a"], timestamp=["2026-01-01T00:00:00Z", "2026-01-02T00:00:00+01:00"])
    assert dedup([rows], DedupConfig(keep="newest")).kept.to_pylist() == ["r00001"]
    with pytest.raises(DedupError, match="expected times"):
        dedup([table(["a"], timestamp=["yesterday"])], DedupConfig(keep="newest"))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (table(["a", "b"], id=["x", "x"]), "expected every id once, found 'x' twice"),
        (table(["a"]).drop_columns(["quality"]), "expected the columns quality"),
        (table(["a"], text=[1]), "expected strings in the column text, found int64"),
        (table(["a"], quality=["good"]), "expected numbers"),
    ],
)
def test_bad_columns_are_named(rows: pa.Table, said: str) -> None:
    with pytest.raises(DedupError, match=said):
        dedup([rows], DedupConfig())


@pytest.mark.parametrize("config", [NEAR, SEMANTIC, DedupConfig(near=NearConfig(linkage="kept"))])
def test_many_equal_rows_take_no_longer(config: DedupConfig) -> None:
    text = " ".join(passage(40, 1))
    begun = time.process_time()
    found = dedup([table([text] * 20_000)], config)
    assert time.process_time() - begun < 10
    assert found.kept.to_pylist() == ["r00000"]
    assert np.allclose(found.clusters["similarity"].to_numpy(), 1, atol=1e-3)


def test_a_config_is_checked_and_pickles() -> None:
    assert pickle.loads(pickle.dumps(ALL)) == ALL
    with pytest.raises(ValidationError, match="expected bands and rows together"):
        NearConfig(bands=4)
    with pytest.raises(ValidationError, match=r"at most permutations \(128\), found 20 × 8"):
        NearConfig(bands=20, rows=8)
    with pytest.raises(ValidationError, match="fields"):
        ExactConfig(fields=())
