"""The benchmark of active learning counts labels rightly, learns, and gives rows as the other benchmarks do."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.active_learning import Strategy
from evaluation.text_features import TfIdf
from tests import bench_data_active
from tests.bench_data_active import curve, labels_needed, naive_bayes, queries, rows, task_of


def test_a_goal_has_to_be_held_for_two_batches() -> None:
    found = [(20, 0.3), (40, 0.6), (60, 0.4), (80, 0.6), (100, 0.7)]
    assert labels_needed(found, 0.5) == 80
    assert labels_needed(found, 0.65) == 100
    assert labels_needed(found, 0.9) is None


def test_the_learner_learns() -> None:
    texts = ["play jazz", "play rock", "send a mail", "send the mail"] * 5
    rows_of = TfIdf.fit(texts).transform(texts)
    labels = np.array([3, 3, 7, 7] * 5)
    chances = naive_bayes(rows_of, labels)(rows_of)
    assert chances.shape == (20, 2)
    assert (np.unique(labels)[chances.argmax(axis=1)] == labels).all()
    assert chances.sum(axis=1) == pytest.approx(1.0)


def test_picks_by_uncertainty_learn_faster_than_random_ones() -> None:
    task = task_of(queries(0, zipf=True, pool=300, held_out=200))
    ends = {s: curve(task, s, 0, budget=200)[-1] for s in (Strategy.RANDOM, Strategy.UNCERTAINTY, Strategy.MIXED)}
    assert {budget for budget, _ in ends.values()} == {200}
    assert min(ends[Strategy.UNCERTAINTY][1], ends[Strategy.MIXED][1]) > ends[Strategy.RANDOM][1]


def test_pool_and_judgement_share_no_query_and_zipf_repeats_some() -> None:
    skewed, even = queries(1, zipf=True, pool=100, held_out=50), queries(1, zipf=False, pool=100, held_out=50)
    for found in (skewed, even):
        assert not set(found.pool) & set(found.test)
    assert len(set(even.pool)) == 100
    assert len(set(skewed.pool)) < 100


def test_every_row_has_the_bar_and_carries_its_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = iter([0.4, 0.5] * 12 + [0.7] * 8)
    monkeypatch.setattr(bench_data_active, "share_needed", lambda *_, **__: next(shares))
    found = rows(0, full=False)
    assert [(row["bar"], row["met"]) for row in found] == [(0.6, True)] * 3 + [(0.6, False)]
    assert found[0]["ours"] == pytest.approx(0.45)
    assert "n = 8 seeds" in found[0]["figure"]
