"""Vectors and the search for their neighbours."""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
import pytest

from tests.training.dedup.tables import SEMANTIC, fell, table
from training.dedup import DedupConfig, DedupError, ExactConfig, NearConfig, SemanticConfig, dedup, neighbours, tfidf
from training.dedup.linking import Search
from training.dedup.semantic import Directions, cosine, keepers
from training.dedup.texts import Texts

CITIES = ("Paris", "Rome", "Oslo", "Lima", "Cairo", "Delhi", "Quito", "Madrid")
ASKED = (
    "please play some music",
    "what is the weather in {c} on day {n}",
    "book a table in {c} for {n} people",
    "set a timer for {n} minutes",
)
ROWS = [ASKED[n % 4].format(c=CITIES[n % 8], n=n % 50) for n in range(2000)]


def column(texts) -> pa.Array:
    return pa.array(texts, pa.large_string())


def crowd(count: int, dims: int, around: int, seed: int = 0) -> np.ndarray:
    """Return unit vectors in bunches."""
    drawn = np.random.default_rng(seed)
    middles = drawn.standard_normal((around, dims))
    found = middles[drawn.integers(0, around, count)] + 0.25 * drawn.standard_normal((count, dims))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def test_what_is_asked_alike_lies_together_and_what_differs_does_not() -> None:
    projection = tfidf.fit(column(ROWS), SemanticConfig(dims=256))
    said = ["set a timer for 5 minutes", "Set a timer, for 5 minutes!", "please set a timer for 5 minutes",
            "set a timer for 7 minutes", "book a table in Rome for 5 people", ""]  # fmt: skip
    found = projection.vectors(column(said))
    cosines = (found @ found[0]).round(2).tolist()
    assert cosines[1] == 1
    assert cosines[2] > 0.85 > max(cosines[3:5])
    assert not found[5].any()


def test_order_of_words_counts() -> None:
    projection = tfidf.fit(column(ROWS), SemanticConfig(dims=64))
    left, right = projection.vectors(column(["convert 10 dollars to euros", "convert 10 euros to dollars"]))
    assert left @ right < 0.9


def test_directions_are_the_leading_singular_vectors() -> None:
    rows = tfidf.terms(column(ROWS[:300]), 1024)
    dense = rows.toarray()
    found = tfidf._directions(rows, 6, np.random.default_rng(0))
    expected = np.linalg.svd(dense, full_matrices=False)[2][:6]
    assert np.linalg.norm(dense @ found) == pytest.approx(np.linalg.norm(dense @ expected.T), rel=0.01)
    assert found.T @ found == pytest.approx(np.eye(6), abs=1e-4)


@pytest.mark.parametrize("threshold", [0.8, 0.9, 0.97])
@pytest.mark.parametrize("linkage", ["chained", "kept"])
def test_cells_miss_no_pair_where_every_border_is_looked_at(threshold: float, linkage) -> None:
    vectors = crowd(3000, 16, 40)
    found = Directions(vectors, np.arange(3000))
    config = SemanticConfig(threshold=threshold, linkage=linkage, probes=1000, fit_rows=1000)
    scopes = np.zeros(3000, np.uint64)
    every = keepers(found, scopes, config.model_copy(update={"search": "exact"}))
    cells = keepers(found, scopes, config)
    assert (every != np.arange(3000)).sum() > 100
    if linkage == "chained":
        assert (cells == every).all()
    kept = np.flatnonzero(cells == np.arange(3000))
    between = vectors[kept] @ vectors[kept].T
    np.fill_diagonal(between, 0)
    assert between.max() < threshold + 1e-4


def test_few_borders_miss_few_pairs() -> None:
    vectors = crowd(4000, 16, 40)
    stays = [
        int((keepers(Directions(vectors, np.arange(4000)), np.zeros(4000, np.uint64),
                     SemanticConfig(threshold=0.9, probes=probes)) == np.arange(4000)).sum())
        for probes in (1, 4, 1000)
    ]  # fmt: skip
    assert stays[0] >= stays[1] >= stays[2]
    assert stays[1] <= 1.03 * stays[2]


def test_cells_hold_everyone_once_at_home() -> None:
    vectors = crowd(2000, 16, 20)
    cells = neighbours.assign(vectors, np.arange(2000), neighbours.fit(vectors, 2000, 0), threshold=0.9, probes=3)
    assert cells.living.sum() == 2000
    at_home = [cells.rows[start : start + n] for start, n in zip(cells.starts, cells.living, strict=False)]
    assert sorted(np.concatenate(at_home).tolist()) == list(range(2000))
    assert len(cells.rows) <= 4 * 2000


def test_only_pairs_of_interest_are_searched() -> None:
    vectors = np.ones((4, 8), np.float32) / np.sqrt(np.float32(8))
    found = neighbours.exact(vectors, Search(np.array([1, 3]), None, None), 0.9)
    assert (found.leader.tolist(), found.member.tolist()) == ([1], [3])


def test_an_encoder_of_ones_own() -> None:
    def encode(texts):
        return np.array([[len(text), 1.0] for text in texts])

    rows = table(["aaaa", "bbbb", "a", ""])
    found = dedup([rows], SEMANTIC.model_copy(update={"keep": "quality"}), encode=encode)
    assert found.kept.to_pylist() == ["r00000", "r00002", "r00003"]
    with pytest.raises(DedupError, match="expected of the encoder a finite vector"):
        dedup([rows], SEMANTIC, encode=lambda texts: np.full((len(texts), 2), np.nan))


def test_long_vectors_take_half_the_bytes() -> None:
    rows = table([f"text {n}" for n in range(20)])
    long = np.random.default_rng(0).standard_normal((20, 384))
    found = dedup([rows], SEMANTIC, encode=lambda texts: long[: len(texts)])
    assert len(found.kept) == 20


@pytest.mark.slow  # imports transformers
def test_the_base_models_embeddings() -> None:
    config = DedupConfig(
        exact=ExactConfig(enabled=False),
        near=NearConfig(enabled=False),
        semantic=SemanticConfig(enabled=True, vectors="base"),
    )
    rows = table(["weather in Paris tomorrow", "tomorrow weather in Paris", "play some loud music", ""])
    assert fell(dedup([rows], config)) == {"r00001": ("r00000", "semantic")}
    nowhere = config.model_copy(update={"semantic": SemanticConfig(enabled=True, vectors="base:./nowhere")})
    with pytest.raises(DedupError, match=r"found './nowhere'"):
        dedup([rows], nowhere)


def test_a_missing_library_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    config = SEMANTIC.model_copy(update={"semantic": SemanticConfig(enabled=True, vectors="some/encoder")})
    with pytest.raises(DedupError, match="pip install sentence-transformers"):
        dedup([table(["a", "b"])], config)


def test_the_cosine_is_told() -> None:
    vectors = crowd(50, 8, 3)
    told = cosine(Directions(vectors, np.arange(0, 100, 2)))(np.array([0, 2]), np.array([4, 98]))
    assert told.tolist() == pytest.approx([vectors[0] @ vectors[2], vectors[1] @ vectors[49]], abs=1e-5)


def test_texts_are_read_again_from_memory_or_from_disk() -> None:
    for limit in (0, 2**20):
        blocks = [column(["a", "b"]), column([]), column(["c" * 1000])]
        with Texts(in_memory=limit) as texts:
            for block in blocks:
                texts.append(block)
            for _ in range(2):
                assert [block.to_pylist() for block in texts.blocks()] == [block.to_pylist() for block in blocks]
    assert list(Texts().blocks()) == []
