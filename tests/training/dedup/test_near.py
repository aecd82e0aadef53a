"""MinHash: shingles, signatures, bands, and what they find."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.dedup.tables import edited, fell, passage, table
from training.dedup import DedupConfig, ExactConfig, NearConfig, dedup
from training.dedup import minhash as module
from training.dedup.minhash import Bands, bands, signatures
from training.dedup.shingles import pieces, shingles, whole, words


def column(texts) -> pa.Array:
    return pa.array(texts, pa.large_string())


def tokens(text: str) -> list[str]:
    return [word for word in "".join(c if c.isalnum() or c == "_" else " " for c in text.lower()).split() if word]


def sets(text: str, size: int) -> set[tuple[str, ...]]:
    found = tokens(text)
    return {tuple(found[at : at + size]) for at in range(max(len(found) - size + 1, min(len(found), 1)))}


def true(left: str, right: str, size: int = 3) -> float:
    one, two = sets(left, size), sets(right, size)
    return len(one & two) / len(one | two)


@given(st.lists(st.text(alphabet="abZ_1 .-\n", max_size=20), max_size=8))
def test_words_are_what_they_are_however_texts_stand_together(texts) -> None:
    hashes, counts = words(column(texts))
    assert counts.tolist() == [len(tokens(text)) for text in texts]
    every = [word for text in texts for word in tokens(text)]
    by_word = dict(zip(every, hashes.tolist(), strict=True))
    assert [by_word[word] for word in every] == hashes.tolist()
    assert len(set(by_word.values())) == len(by_word)


def test_words_of_other_scripts() -> None:
    hashes, counts = words(column(["Für ZWEI", "für zwei", "日本語", "語", "한국"]))
    assert counts.tolist() == [2, 2, 3, 1, 2]
    assert hashes[:2].tolist() == hashes[2:4].tolist()
    assert hashes[6] == hashes[7]


@given(st.lists(st.text(alphabet="ab c", max_size=12), max_size=8), st.integers(1, 4))
def test_shingles_are_as_many_as_the_set_has(texts, size: int) -> None:
    found = shingles(column(texts), "word", size)
    ends = np.cumsum(found.counts)
    for text, start, end in zip(texts, ends - found.counts, ends, strict=True):
        assert len(set(found.hashes[start:end].tolist())) == len(sets(text, size))


def test_characters() -> None:
    found = shingles(column(["abcd", "ABCD ", "ab", "", "a  b"]), "char", 3)
    assert found.counts.tolist() == [2, 2, 1, 0, 1]
    assert found.hashes[:2].tolist() == found.hashes[2:4].tolist()


def test_texts_are_cut_into_pieces_whole() -> None:
    texts = column([str(n) * 5000 for n in range(100)] + ["x" * 500_000, ""])
    cut = pieces(texts)
    assert len(cut) > 5
    assert pa.chunked_array(cut).combine_chunks().equals(texts)
    assert whole(texts).tolist() == [hash_ for piece in cut for hash_ in whole(piece).tolist()]


@pytest.mark.parametrize("length", [4, 8, 30, 100, 400])
def test_the_estimate_is_unbiased_for_short_and_long_texts(length: int) -> None:
    left = [passage(length, seed) for seed in range(400)]
    right = [edited(text, 1 + length // 40, seed) for seed, text in enumerate(left)]
    one, two = ([" ".join(text) for text in texts] for texts in (left, right))
    found = [signatures(shingles(column(texts), "word", 2), 128, 0) for texts in (one, two)]
    estimates = (found[0] == found[1]).mean(axis=1)
    expected = np.array([true(a, b, 2) for a, b in zip(one, two, strict=True)])
    assert abs(float((estimates - expected).mean())) < 0.01
    assert float(np.sqrt(((estimates - expected) ** 2).mean())) < 0.065


def test_both_ways_to_fill_slots_are_the_same(monkeypatch) -> None:
    found = shingles(column([" ".join(passage(length, length)) for length in range(1, 120, 3)]), "word", 1)
    mixed = signatures(found, 128, 0)
    for share in (1, 10_000):
        monkeypatch.setattr(module, "_FEW", share)
        assert (signatures(found, 128, 0) == mixed).all()


def test_bands_are_the_longest_that_find_enough() -> None:
    assert bands(0.8, 128, 0.99) == Bands(21, 6)
    assert bands(0.8, 128, 0.99).recall(0.8) >= 0.99 > bands(0.8, 128, 0.9).recall(0.8)
    assert bands(1.0, 64, 0.99) == Bands(1, 64)
    assert bands(0.05, 16, 0.99) == Bands(16, 1)


@pytest.mark.parametrize("verify", ["estimated", "exact"])
@pytest.mark.parametrize("linkage", ["chained", "kept"])
def test_planted_pairs_are_found_and_others_are_not(verify, linkage) -> None:
    texts, near, far = [], set(), set()
    for seed in range(300):
        said = passage(40 + seed % 60, seed)
        other = edited(said, 1 + seed % 4, seed)
        similarity = true(" ".join(said), " ".join(other))
        texts += [" ".join(said), " ".join(other)]
        (near if similarity >= 0.85 else far if similarity < 0.6 else set()).add(f"r{len(texts) - 1:05}")
    found = dedup([table(texts)], DedupConfig(near=NearConfig(threshold=0.75, verify=verify, linkage=linkage)))
    assert len(near) > 50
    assert len(near & set(fell(found))) >= 0.98 * len(near)
    assert len(far & set(fell(found))) <= 0.02 * len(far)


def test_the_true_similarity_is_the_one_that_is_told() -> None:
    said = passage(50, 1)
    texts = [" ".join(said), " ".join(edited(said, 2, 1))]
    found = dedup([table(texts)], DedupConfig(near=NearConfig(threshold=0.5, verify="exact"))).clusters
    assert found["similarity"].to_pylist() == pytest.approx([1.0, true(*texts)], abs=1e-6)


def test_a_chain_falls_together_or_only_what_resembles_the_kept() -> None:
    first = passage(60, 1)
    second, third = edited(first, 3, 1), edited(edited(first, 3, 1), 4, 2)
    texts = [" ".join(first), " ".join(second), " ".join(third)]
    assert true(texts[0], texts[2]) < 0.7 < min(true(texts[0], texts[1]), true(texts[1], texts[2]))
    near = NearConfig(threshold=0.7, verify="exact")
    assert dedup([table(texts)], DedupConfig(near=near)).kept.to_pylist() == ["r00000"]
    kept = near.model_copy(update={"linkage": "kept"})
    assert dedup([table(texts)], DedupConfig(near=kept)).kept.to_pylist() == ["r00000", "r00002"]


def test_given_bands_are_used() -> None:
    said = passage(60, 5)
    texts = [" ".join(said), " ".join(edited(said, 3, 1))]
    blind = NearConfig(threshold=0.5, bands=1, rows=128)
    assert len(dedup([table(texts)], DedupConfig(near=blind)).kept) == 2
    assert len(dedup([table(texts)], DedupConfig(near=NearConfig(threshold=0.5))).kept) == 1


def test_very_long_texts_and_one_word_texts() -> None:
    long = " ".join(passage(60_000, 2))
    texts = [long, long + " more", "hello", "hello!", "goodbye"]
    found = dedup([table(texts)], DedupConfig(exact=ExactConfig(enabled=False)))
    assert fell(found) == {"r00001": ("r00000", "near"), "r00003": ("r00002", "near")}


def test_a_seed_changes_signatures_only() -> None:
    texts = column([" ".join(passage(50, 1))])
    found = shingles(texts, "word", 3)
    assert (signatures(found, 128, 0) == signatures(found, 128, 0)).all()
    assert (signatures(found, 128, 0) == signatures(found, 128, 1)).mean() < 0.2
