import time

import pytest
from scipy import stats

from serving.split import assign

KEYS = [f"conversation-{i}" for i in range(20_000)]


@pytest.mark.parametrize("weights", [{"new": 10, "old": 90}, {"a": 0.2, "b": 0.3, "c": 0.5}])
def test_shares_are_those_asked_for(weights):
    drawn = [assign(key, weights, "salt") for key in KEYS]
    total = sum(weights.values())
    expected = [len(KEYS) * weight / total for weight in weights.values()]
    assert stats.chisquare([drawn.count(name) for name in weights], expected).pvalue > 0.001


def test_raising_the_candidates_weight_keeps_its_users():
    before: set[str] = set()
    for weight in (0, 1, 10, 50, 99, 100):
        now = {key for key in KEYS[:5000] if assign(key, {"new": weight, "old": 100 - weight}) == "new"}
        assert before <= now
        before = now
    assert len(before) == 5000


def test_salts_draw_anew():
    first, second = ({key for key in KEYS if assign(key, {"n": 50, "o": 50}, salt) == "n"} for salt in ("a", "b"))
    assert 0.45 < len(first & second) / len(first) < 0.55


def test_weights_that_choose_nothing_are_refused():
    for weights in ({}, {"a": 0.0}, {"a": -1.0, "b": 2.0}, {"a": float("nan")}):
        with pytest.raises(ValueError, match="expected"):
            assign("k", weights)
    assert assign("\ud800 ü", {"a": 0.0, "b": 1.0}) == "b"


def test_assignment_takes_microseconds():
    start = time.process_time()
    for key in KEYS:
        assign(key, {"new": 10, "old": 90})
    assert (time.process_time() - start) / len(KEYS) < 50e-6
