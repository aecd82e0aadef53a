"""Rewards: one row for each version of the weights, and the column of the version that was written last."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from evaluation.ledger import Ledger
from evaluation.ledger.collected import RewardRecord
from evaluation.records import RewardSignal
from tests.evaluation.ledger.making import START, Clock, example


def signal(value: float, version: str = "v1") -> RewardSignal:
    return RewardSignal(value=value, correctness=1, speed=0, cost=0, user_satisfaction=0, version=version)


def record(number: int, value: float, version: str = "v1", seconds: int = 0) -> RewardRecord:
    at = START + timedelta(seconds=seconds)
    return RewardRecord(example_id=f"e{number:04d}", version=version, signal=signal(value, version), at=at)


def column(ledger: Ledger) -> list[float | None]:
    with ledger._database.read() as connection:
        return list(connection.scalars(text("SELECT reward FROM examples ORDER BY id")))


def test_a_new_example_brings_its_reward_along(ledger: Ledger) -> None:
    with_reward = example(1).model_copy(update={"reward": signal(0.25)})
    unversioned, without = example(2), example(3).model_copy(update={"reward": None})
    again = with_reward.model_copy(update={"reward": signal(-1.0, "v2")})
    ledger.add_examples([with_reward, unversioned, without, again])
    assert ledger.rewards_of("e0001") == (record(1, 0.25),)
    assert ledger.rewards_of("e0002") == ()
    assert ledger.rewards_of("e0003") == ()
    ledger.add_examples([again])
    assert ledger.rewards_of("e0001") == (record(1, 0.25),), "an example that is there keeps what it has"
    assert column(ledger) == [0.25, 0.5, None]


def test_the_column_follows_the_version_that_was_written_last(ledger: Ledger, clock: Clock) -> None:
    ledger.add_examples([example(n) for n in range(3)])
    assert ledger.put_rewards([record(0, 0.1), record(1, 0.2), record(9, 0.9)]) == 2
    assert ledger.put_rewards([record(0, -0.5, "v2", 1)]) == 1
    assert column(ledger) == [-0.5, 0.2, 0.5]
    assert [(one.version, one.signal.value) for one in ledger.rewards_of("e0000")] == [("v2", -0.5), ("v1", 0.1)]
    assert ledger.put_rewards([record(0, 0.1, "v1", 2), record(1, 0.3, "v1", 2)]) == 1, "one of them changed"
    assert column(ledger) == [0.1, 0.3, 0.5]
    assert ledger.reward_version() == "v1"
    assert ledger.reward_versions() == {"v1": 2, "v2": 1}


def test_what_can_no_longer_be_judged_has_no_reward(ledger: Ledger) -> None:
    ledger.add_examples([example(n) for n in range(2)])
    ledger.put_rewards([record(0, 0.1), record(1, 0.2)])
    assert ledger.put_rewards([], without=["e0000"], version="v1") == 1
    assert column(ledger) == [None, 0.2]
    assert ledger.put_rewards([], without=["e0000"], version="v1") == 0


def test_rewards_of_a_version_stream(ledger: Ledger) -> None:
    assert list(ledger.rewards()) == []
    ledger.add_examples([example(n) for n in range(7)])
    ledger.put_rewards([record(n, 0.1 * n) for n in range(7)])
    ledger.put_rewards([record(3, 1.0, "v2", 5)])
    for batch in (1, 3, 7, 20):
        assert [one.example_id for one in ledger.rewards("v1", batch=batch)] == [f"e{n:04d}" for n in range(7)]
    assert [one.signal.value for one in ledger.rewards()] == [1.0], "the newest version's"
