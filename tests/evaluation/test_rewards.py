from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.records import Labels, Metrics
from evaluation.rewards import RewardConfig, reward, with_reward
from tests.evaluation.ledger.making import example

SUCCESSES = st.none() | st.booleans()
QUALITIES = st.none() | st.floats(0, 5)
RATINGS = st.none() | st.floats(1, 5)


def metrics(latency_ms: float = 0, cost: float = 0) -> Metrics:
    return Metrics(latency_ms=latency_ms, tokens_in=0, tokens_out=0, cost=cost, model_calls=1)


@given(SUCCESSES, QUALITIES, RATINGS, st.floats(0, 1e9), st.floats(0, 1e9))
def test_every_reward_is_in_range_and_a_failure_never_earns(success, quality, rating, latency_ms, cost) -> None:
    labels = Labels(success=success, response_quality=quality, user_satisfaction=rating, validation_confidence=0.8)
    found = reward(labels, metrics(latency_ms, cost))
    assert (found is None) == (success is None and quality is None and rating is None)
    if found is not None and success is False:
        assert found.correctness <= 0
        assert found.speed <= 0
        assert found.cost <= 0
        assert rating is not None or found.value <= 0


def test_best_worst_and_between() -> None:
    assert reward(Labels(success=True, user_satisfaction=5), metrics()).value == pytest.approx(1)
    worst = reward(Labels(success=False, response_quality=0, user_satisfaction=1), metrics(1e9, 1e9))
    assert worst.value == pytest.approx(-1)
    fast, slow = (reward(Labels(success=True), metrics(ms)).value for ms in (10, 5_000))
    assert 0 < slow < fast < 1.0001


def test_without_a_rating_the_others_share_its_weight() -> None:
    found = reward(Labels(success=True), metrics())
    assert (found.value, found.user_satisfaction) == (pytest.approx(1), 0)


def test_what_nobody_judged_has_no_correctness_and_without_a_rating_no_reward() -> None:
    assert reward(Labels(), metrics()) is None
    assert reward(Labels(response_quality=1.25), metrics()) is None  # nobody is sure of it
    assert reward(Labels(response_quality=1.25, validation_confidence=0.8), metrics()).correctness == -0.5
    for quality in (None, 4.5):  # a quality that is the rating is no second voice
        found = reward(Labels(response_quality=quality, user_satisfaction=4.5), metrics(5_000, 0.005))
        assert (found.correctness, found.user_satisfaction) == (None, 0.75)
        assert found.value == pytest.approx(0.8 * 0.75)
    assert reward(Labels(user_satisfaction=1), metrics()).value == pytest.approx(-0.8)
    assert reward(Labels(user_satisfaction=5), metrics(), RewardConfig(user_satisfaction=0)) is None


def test_an_example_keeps_the_reward_that_it_brings() -> None:
    plain = example(1).model_copy(update={"labels": Labels(success=True), "reward": None})
    assert with_reward(plain.model_copy(update={"labels": Labels()})).reward is None
    own = with_reward(plain, RewardConfig(speed=1))
    assert own.reward is not None
    assert with_reward(own, RewardConfig(speed=0)) == own
