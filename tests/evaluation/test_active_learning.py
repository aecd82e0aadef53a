"""Picks are the most useful first, each once, each with its reason, and the same for the same seed."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.active_learning import SHARES, Candidate, Strategy, disagreement, pick
from evaluation.text_features import TfIdf

POOL = [Candidate(f"e{n}", n / 100, {"raters": ("good", "bad") if n % 10 == 0 else ("good", "good")}, f"text {n % 7}")
        for n in range(100)]  # fmt: skip


def test_the_least_sure_come_first_and_the_sure_not_at_all() -> None:
    found = pick(POOL, Strategy.UNCERTAINTY, 100)
    assert [one.id for one in found] == [f"e{n}" for n in range(70)]
    assert found[5].reason == "uncertain: confidence 0.05 is below 0.7"
    assert len(pick(POOL, Strategy.UNCERTAINTY, 100, below=0.1)) == 10


def test_equals_are_drawn_by_chance_and_not_by_their_order() -> None:
    same = [Candidate(f"e{n}", 0.1) for n in range(100)]
    ids = [int(one.id[1:]) for one in pick(same, Strategy.UNCERTAINTY, 10, seed=1)]
    assert max(ids) > 20
    assert ids != [int(one.id[1:]) for one in pick(same, Strategy.UNCERTAINTY, 10, seed=2)]


def test_only_what_is_disputed_is_picked_for_disagreement() -> None:
    found = pick(POOL, Strategy.DISAGREEMENT, 100)
    assert {one.id for one in found} == {f"e{n}" for n in range(0, 100, 10)}
    assert found[0].reason == "disputed: raters say bad (1), good (1)"
    assert disagreement(Candidate("e", 0.5, {"a": ("x", "y"), "b": ("x", "x")})) == 1.0
    assert disagreement(Candidate("e", 0.5)) == 0.0


def test_diversity_takes_one_of_each_kind_before_any_twice() -> None:
    texts = ["book a flight", "weather in Paris", "delete the mail", "play some jazz", "transfer money"]
    pool = [Candidate(f"{n}-{kind}", 0.9, {}, text) for n in range(50) for kind, text in enumerate(texts)]
    found = pick(pool, Strategy.DIVERSITY, 50, seed=3)
    assert Counter(one.id.split("-")[1] for one in found) == {str(kind): 1 for kind in range(5)}, "twins teach nothing"
    assert found[1].reason.startswith("unlike the others: cosine distance 1.00")


def test_mixed_keeps_the_shares_and_fills_up_what_runs_short() -> None:
    found = pick(POOL, Strategy.MIXED, 40, seed=5)
    kinds = Counter(one.reason.split(":")[0] for one in found)
    assert len({one.id for one in found}) == 40
    assert kinds["disputed"] == 10 - sum(1 for one in found if one.id.endswith("0") and "disputed" not in one.reason)
    assert kinds["uncertain"] >= SHARES["informative"] * 40
    assert kinds["drawn at random"] >= 1


def test_informative_picks_are_unsure_typical_and_unlike_each_other() -> None:
    texts = ["book a flight to Rome", "book a flight to Oslo", "book a train to Rome", "zyx qqq", "play some jazz"]
    pool = [Candidate(f"{n}-{kind}", 0.9 if kind == 4 else 0.2, {}, text)
            for n in range(3) for kind, text in enumerate(texts)]  # fmt: skip
    found = pick(pool, Strategy.MIXED, 10)
    told = [one for one in found if one.reason.startswith("uncertain: confidence 0.20")]
    kinds = [one.id.split("-")[1] for one in told]
    assert sorted(kinds[:4]) == ["0", "1", "2", "3"], "no text twice before each has come"
    assert kinds[0] != "3", "an odd one out does not come first"
    assert told[0].reason.endswith("1.00 away from the nearest picked")
    assert [one.id for one in pick([Candidate("e", 1.0)], Strategy.MIXED, 5)] == ["e"], "by chance, where all are sure"


def test_an_empty_pool_gives_nothing() -> None:
    for strategy in Strategy:
        assert pick([], strategy, 5) == []


@given(
    st.lists(st.floats(0, 1), max_size=40),
    st.sampled_from(Strategy),
    st.integers(1, 50),
    st.integers(0, 5),
)
def test_picks_are_of_the_pool_each_once_and_repeatable(
    confidences: list[float], strategy: Strategy, count: int, seed: int
) -> None:
    pool = [Candidate(str(n), c, {"v": ("a", "b")[: n % 3]}, f"w{n % 4} x") for n, c in enumerate(confidences)]
    found = pick(pool, strategy, count, seed=seed)
    ids = [one.id for one in found]
    assert len(ids) == len(set(ids)) <= count
    assert set(ids) <= {one.id for one in pool}
    assert found == pick(pool, strategy, count, seed=seed)
    if strategy is Strategy.RANDOM:
        assert len(ids) == min(count, len(pool))


def test_rows_of_texts_have_length_one_and_the_cosine_of_their_words() -> None:
    fitted = TfIdf.fit(["find a flight", "find a train", "play it"])
    rows = fitted.transform(["find a flight", "find a flight", "play it", "unheard words"])
    cosines = (rows @ rows.T).todense()
    assert cosines[0, 1] == pytest.approx(1.0)
    assert cosines[0, 2] == 0.0
    assert cosines[3, 3] == 0.0
